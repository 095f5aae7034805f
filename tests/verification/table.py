"""What `photomend verify` prints: the table line by line, the summary, and what the columns mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from photomend.tests.verification.rows import KINDS, Row

_ERRORS = ("differences", "adjoint", "torch", "loops", "float32")
_RATIOS = ("forward", "backward", "memory")
_NAME = 19

#: Each column is as wide as its name or its numbers, so that a row has little more than 100 characters.
_WIDTHS = {name: max(len(name) + 2, 9) for name in _ERRORS} | {name: len(name) + 2 for name in _RATIOS}

LEGEND = (
    "errors: the worst over all cases, relative; float64 against central differences (at most 1e-8), the\n"
    "adjoint identity (1e-12, what is linear), torch's autograd (1e-10) and NumPy loops (1e-10), float32\n"
    "against torch (1e-4); forward, backward, memory: ours / torch.nn twin, so below 1 is faster or smaller;\n"
    "float32, contiguous, {place}"
)


def header(kind: str) -> str:
    """The line above the rows of one kind."""
    plural = "losses" if kind == "loss" else f"{kind}s"
    return f"{plural:{_NAME}} cases" + "".join(f"{name:>{width}}" for name, width in _WIDTHS.items())


def line(row: Row) -> str:
    """A row of the table."""
    start = f"{row.name:{_NAME}} {row.cases:5}"
    if row.skipped:
        return f"{start}     skipped: {row.skipped}"
    numbers = {name: (getattr(row, name), ".1e") for name in _ERRORS}
    numbers |= {name: (getattr(row, f"{name}_ratio"), ".2f") for name in _RATIOS}
    shown = {name: "–" if number is None else f"{number:{form}}" for name, (number, form) in numbers.items()}
    return start + "".join(f"{shown[name]:>{_WIDTHS[name]}}" for name in shown) + ("  ok" if row.ok else "  FAIL")


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
