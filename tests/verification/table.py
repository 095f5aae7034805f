"""What `photomend verify` prints: the table line by line, the summary, and what the columns mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from photomend.tests.verification.rows import KINDS, Row

_ERRORS = ("differences", "adjoint", "torch", "loops", "float32")
_RATIOS = ("forward", "backward", "memory")
_NAME = 19

LEGEND = (
    "errors: the worst over all cases, relative; float64 against central differences (at most 1e-8), the adjoint\n"
    "identity (1e-12, what is linear), torch's autograd (1e-10) and NumPy loops (1e-10), float32 against torch (1e-4)\n"
    "forward, backward, memory: ours / torch.nn twin, so below 1 is faster or smaller; float32, contiguous, {place}"
)


def header(kind: str) -> str:
    """The line above the rows of one kind."""
    plural = "losses" if kind == "loss" else f"{kind}s"
    return (
        f"{plural:{_NAME}} cases  "
        + "".join(f"{name:>12}" for name in _ERRORS)
        + "".join(f"{name:>9}" for name in _RATIOS)
    )


def line(row: Row) -> str:
    """A row of the table."""
    start = f"{row.name:{_NAME}} {row.cases:5}  "
    if row.skipped:
        return f"{start}     skipped: {row.skipped}"
    errors = (getattr(row, name) for name in _ERRORS)
    ratios = (getattr(row, f"{name}_ratio") for name in _RATIOS)
    return (
        start
        + "".join(f"{'–' if error is None else f'{error:.1e}':>12}" for error in errors)
        + "".join(f"{'–' if ratio is None else f'{ratio:.2f}':>9}" for ratio in ratios)
        + ("  ok" if row.ok else "  FAIL")
    )


def legend(device: torch.device) -> str:
    return (
        LEGEND.format(place="on a GPU" if device.type == "cuda" else "one thread")
        + "\ntimes on a machine that others use too are rough"
    )


def summary(rows: Sequence[Row]) -> str:
    """What was checked and whether all of it passed; each failure in full."""
    counts = {kind: sum(row.kind == kind for row in rows) for kind in KINDS}
    primitives = counts["core primitive"] + counts["layer primitive"] + counts["loss"]
    parts = (_count(primitives, "primitive"), _count(counts["layer"], "layer"), _count(counts["model"], "model"))
    cases = _count(sum(row.cases for row in rows), "case")
    checked = ", ".join([*(part for part in parts if part), cases])
    if any(row.skipped for row in rows):
        return f"{checked}: skipped, nothing was verified"
    failed = [row for row in rows if not row.ok]
    if not failed:
        return f"{checked}: all green"
    failures = [failure for row in failed for failure in row.failures]
    return "\n".join([*failures, f"{checked}: {', '.join(row.name for row in failed)} failed"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""
