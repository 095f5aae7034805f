"""The training log: one JSON object a line, flushed at once, so a killed run has lost nothing.

A line for each step, and one more for each validation, which has its number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from ..core import PhotomendError, replacing


class Log(Protocol):
    """Takes records."""

    def write(self, record: Mapping[str, Any]) -> None: ...


class JsonLog:
    """Append records to `path`; as a context manager it closes the file.

    Of what is there, a line that a killed run left unfinished is taken out, and so are steps after `last_step`, the one
    that the run is resumed from: they are done and logged again. Raises PhotomendError naming the file when it cannot
    be read or written.
    """

    def __init__(self, path: Path, last_step: float = math.inf) -> None:
        kept = [record for record in read_log(path) if record.get("step", 0) <= last_step] if path.exists() else []
        try:
            with replacing(path) as draft:
                draft.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
            self.file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise PhotomendError(f"{path}: the log cannot be written ({error.strerror})") from error

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record."""
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()

    def __enter__(self) -> JsonLog:
        return self

    def __exit__(self, *raised: object) -> None:
        self.file.close()


def by_kind(records: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The records of steps, and those of validations (in runs of earlier versions, of epochs)."""
    kinds: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = ([], [])
    for record in records:
        kinds["validation" in record or "epoch" in record].append(record)
    return kinds


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log, oldest first. A line that is not JSON (an interrupted write) is passed over.

    Raises PhotomendError naming the file when it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise PhotomendError(f"{path}: the log cannot be read ({error.strerror})") from error
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records
