"""What became of one photo: the record that a report, as text or JSON, is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...models.calibration import SHARE, Expected

Status = Literal["repaired", "possible", "unchanged", "skipped", "failed"]


@dataclass
class Outcome:
    """What became of one photo.

    Attributes:
        photo, mask, output: where it is, its mask file if it has one, where the result goes, - for standard output.
        status: "repaired"; "possible" in a dry run; "unchanged", as no damage was found; "skipped", as the output was
            there; "failed".
        missing, holes: how many pixels are missing, and in how many holes; None where it failed before.
        share: of the photo that is missing.
        seconds: that it took, reading and writing included.
        expected: how far off its rebuilt pixels are likely to be; None where its error is unknown.
        done, lost: what was done beyond the repair, and what the output's format can't hold.
        warnings: what else there was to say.
        error: why it failed, in one line.
    """

    photo: Path
    mask: Path | None
    output: Path
    status: Status = "failed"
    missing: int | None = None
    holes: int | None = None
    share: float | None = None
    seconds: float = 0.0
    expected: Expected | None = None
    done: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def as_text(self) -> str:
        """A line about a photo that is repaired, or could be, or needs no repair."""
        amount = f"{self.missing} pixels"
        if self.status == "unchanged":
            return "; ".join([f"{self.output}  nothing to repair on {self.photo}", *self.done])
        if self.status == "possible":
            line = (
                f"{self.output}  {amount} to rebuild, {100 * (self.share or 0):.2g} % of {self.photo}, {self._holes()}"
            )
        else:
            line = f"{self.output}  {amount} rebuilt in {self.seconds:.1f} s"
        line = "; ".join([line, *self.done])
        if self.expected is None:
            return line
        mae, low, high = (self.expected.mae, self.expected.low, self.expected.high)
        levels = "grey level" if f"{mae:.0f}" == "1" else "grey levels"
        return (
            f"{line}; expect them to be off by {mae:.0f} {levels} on average "
            f"({low:.0f} to {high:.0f} in {100 * SHARE:.0f} % of such photos)"
        )

    def _holes(self) -> str:
        return f"{self.holes} hole{'' if self.holes == 1 else 's'}"

    def as_json(self) -> str:
        """An object in one line; docs/batches.md explains its fields. ASCII, so that any name of a file is possible."""
        expected = self.expected
        record: dict[str, Any] = {
            "photo": str(self.photo),
            "mask": None if self.mask is None else str(self.mask),
            "output": str(self.output),
            "status": self.status,
            "missing": self.missing,
            "holes": self.holes,
            "seconds": round(self.seconds, 3),
            "expected": None,
            "done": self.done,
            "lost": self.lost,
            "warnings": self.warnings,
            "error": self.error,
        }
        if expected is not None:
            values = {"mae": expected.mae, "low": expected.low, "high": expected.high}
            record["expected"] = {name: round(float(value), 3) for name, value in values.items()}
        return json.dumps(record)
