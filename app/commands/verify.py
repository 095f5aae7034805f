"""`photomend verify`: every gradient against every oracle."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from tqdm import tqdm

from ...core import PhotomendError, did_you_mean
from ...core.backend.runtime import choose_device, keep_freed_memory
from ..options import FILE, check_target, import_from_checkout, write_text

oracles = partial(import_from_checkout, "verify", "tests.verification")


@click.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, or auto: a GPU if there is one.")
@click.option("--json", "json_file", type=FILE, help="Also write the rows to this .json file.")
@click.option(
    "--break",
    "wrong_rule",
    metavar="[NAME]",
    is_flag=False,
    flag_value="",
    help="Make a classic mistake and show which oracles catch it; without NAME, list them.",
)
def command(names: tuple[str, ...], device: str, json_file: Path | None, wrong_rule: str | None) -> int:
    """Check the gradients of every primitive, layer, loss and model, or of those named, against four oracles.

    The oracles are finite differences, the adjoint identity, torch's autograd and NumPy loops. The exit status is 1 if
    an error exceeds its tolerance, or if nothing could be checked. Time and memory relative to the torch.nn twin are
    measured as well, and don't affect it.

    --break puts a mistake into one rule while the command runs; the exit status is then 1 if no oracle notices.
    Needs a checkout of photomend, because the oracles are tests.

    \b
    photomend verify
    photomend verify conv2d BatchNorm2d --json rows.json
    photomend verify --break batch-norm-mean-term
    """
    if wrong_rule is not None:
        if names or json_file is not None:
            raise click.UsageError("--break chooses what it runs by itself: leave out the names and --json")
        return run_break(wrong_rule, device)
    if json_file is not None:
        check_target(json_file, ".json")
    rows, table = oracles("rows"), oracles("table")
    subjects = rows.subjects()
    known = list(dict.fromkeys(subject.name for subject in subjects))
    for name in names:
        if name not in known:
            raise PhotomendError(f"NAME {name!r}: is no primitive, layer or model; {did_you_mean(name, known)}")
    chosen = {subject: cases for subject, cases in subjects.items() if subject.name in names or not names}

    without_gpu = re.fullmatch("cuda(:[0-9]+)?", device) and not torch.cuda.is_available()
    if without_gpu:
        found = show(rows.skipped(chosen, "no CUDA device"), table)
    else:
        target = choose_device(device)
        keep_freed_memory()
        with tqdm(total=sum(map(len, chosen.values())), unit="case", leave=False, disable=None) as bar:
            found = show(rows.verify(chosen, target, bar.update), table)
        click.echo(f"\n{table.legend(target)}")
    click.echo(f"\n{table.summary(found)}")
    if json_file is not None:
        write_text(json_file, json.dumps([row.as_json() for row in found], indent=2) + "\n")
        click.echo(json_file)
    if without_gpu:
        raise PhotomendError(f"--device {device}: this machine has no CUDA device; all cases are skipped")
    return 0 if all(row.ok for row in found) else 1


def show(rows: Iterable[Any], table: Any) -> list[Any]:
    """Print rows as they come, above the bar, and return them."""
    found: list[Any] = []
    for row in rows:
        if not found or found[-1].kind != row.kind:
            tqdm.write(("\n" if found else "") + table.header(row.kind), file=sys.stdout)
        tqdm.write(table.line(row), file=sys.stdout)
        found.append(row)
    return found


def run_break(name: str, device: str) -> int:
    """Run with the mistake called `name` in its rule; 0 if an oracle catches it. Lists all mistakes for no name."""
    target = choose_device(device)
    breaks = oracles("breaks")
    if not name:
        for wrong in breaks.BREAKS.values():
            click.echo(f"{wrong.name:{max(map(len, breaks.BREAKS))}}  {wrong.mistake}")
        return 0
    if name not in breaks.BREAKS:
        raise PhotomendError(f"--break {name!r}: is no known mistake; {did_you_mean(name, breaks.BREAKS)}")
    verdicts = breaks.try_break(breaks.BREAKS[name], target)
    click.echo("\n".join(breaks.told(breaks.BREAKS[name], verdicts)))
    return 0 if any(verdict.caught for verdict in verdicts) else 1
