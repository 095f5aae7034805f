"""What `photomend bench` does in a checkout: measure the chosen cases and print rows as they come, or explain them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
import torch
from photomend.core.backend.machine import machine
from photomend.core.backend.runtime import keep_freed_memory
from tqdm import tqdm

from . import conv, table
from .catalogue import choose
from .machine import describe
from .measure import Case, Setup
from .row import Row


def explain(cases: Sequence[str]) -> None:
    """Print which algorithm each convolution uses, and what the others take."""
    names = {case.name for case in choose("conv", cases)}
    for shape in conv.SHAPES:
        if shape.name in names:
            click.echo("\n  ".join([f"{shape.name}: {shape.what}", *shape.explain()]))


def compare(kind: str | None, cases: Sequence[str], pairs: int, device: torch.device) -> list[Row]:
    """Measure, print rows as they come and what they mean, and return them."""
    load = os.getloadavg()[0]
    chosen = choose(kind, cases)
    setup = Setup(pairs, torch.get_num_threads(), device, machine())
    rows = show(chosen, setup)
    legend = table.legend(setup, describe(device), keep_freed_memory(), load)
    click.echo("\n".join(["", *table.missing(rows), legend]))
    return rows


def show(cases: Sequence[Case], setup: Setup) -> list[Row]:
    """Measure, print rows as they come, above the bar, and return them."""
    rows: list[Row] = []
    with tqdm(total=len(cases), unit="case", leave=False, disable=None) as bar:
        for case in cases:
            bar.set_description(f"{case.kind} {case.name}")
            for row in case.rows(setup):
                if not rows or rows[-1].kind != row.kind:
                    tqdm.write(("\n" if rows else "") + table.header(row.kind), file=sys.stdout)
                if not table.is_missing(row):
                    tqdm.write(table.line(row), file=sys.stdout)
                rows.append(row)
            bar.update()
    return rows
