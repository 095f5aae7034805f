"""What `fit` returns: the records of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .log import JsonLog, by_kind


@dataclass
class History:
    """What a run has recorded, from its first step on, also if it was resumed.

    Attributes:
        records: one a step, and one a validation; each has its `step`.
        file: where they are written as well.
    """

    records: list[Mapping[str, Any]] = field(default_factory=list)
    file: JsonLog | None = None

    def write(self, record: Mapping[str, Any]) -> None:
        self.records.append(record)
        if self.file is not None:
            self.file.write(record)

    def sync(self) -> None:
        if self.file is not None:
            self.file.sync()

    @property
    def losses(self) -> list[float]:
        """The loss of every step."""
        return [record["loss"] for record in by_kind(self.records)[0]]

    @property
    def validation(self) -> list[Mapping[str, Any]]:
        """For each validation the mean `loss` of the steps before it, `val_loss`, and `val_…` for every metric; the
        first is of the model as it was before the first step."""
        return by_kind(self.records)[1]
