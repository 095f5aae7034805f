"""What `photomend verify` does in a checkout: choose what is checked, print rows as they come, try a mistake."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import click
import torch
from photomend.core import PhotomendError, did_you_mean
from photomend.core.backend.runtime import choose_device, keep_freed_memory
from photomend.tests.verification import breaks, rows, table
from photomend.tests.verification.rows import Row
from tqdm import tqdm


def verify(names: tuple[str, ...], device: str) -> tuple[list[Row], bool]:
    """Check what is called by these names, or everything; gives the rows, and whether they were skipped."""
    subjects = rows.subjects()
    known = list(dict.fromkeys(subject.name for subject in subjects))
    for name in names:
        if name not in known:
            raise PhotomendError(f"NAME {name!r}: is no primitive, layer or model; {did_you_mean(name, known)}")
    chosen = {subject: cases for subject, cases in subjects.items() if subject.name in names or not names}
    skipped = bool(re.fullmatch("cuda(:[0-9]+)?", device)) and not torch.cuda.is_available()
    if skipped:
        found = show(rows.skipped(chosen, "no CUDA device"))
    else:
        target = choose_device(device)
        keep_freed_memory()
        with tqdm(total=sum(map(len, chosen.values())), unit="case", leave=False, disable=None) as bar:
            found = show(rows.verify(chosen, target, bar.update))
        click.echo(f"\n{table.legend(target)}")
    click.echo(f"\n{table.summary(found)}")
    return found, skipped


def show(rows: Iterable[Row]) -> list[Row]:
    """Print rows as they come, above the bar, and return them."""
    found: list[Row] = []
    for row in rows:
        if not found or found[-1].kind != row.kind:
            tqdm.write(("\n" if found else "") + table.header(row.kind), file=sys.stdout)
        tqdm.write(table.line(row), file=sys.stdout)
        found.append(row)
    return found


def run_break(name: str, device: str) -> int:
    """Run with the mistake called `name` in its rule; 0 if an oracle catches it."""
    target = choose_device(device)
    verdicts = breaks.try_break(breaks.BREAKS[name], target)
    click.echo("\n".join(breaks.told(breaks.BREAKS[name], verdicts)))
    return 0 if any(verdict.caught for verdict in verdicts) else 1
