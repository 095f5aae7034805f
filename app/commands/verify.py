"""`photomend verify`: every gradient against every oracle."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import torch
from tqdm import tqdm

from ...core import PhotomendError, did_you_mean
from ...core.backend.runtime import choose_device, keep_freed_memory
from ..options import FILE, check_target, write_text


@click.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda; auto takes a GPU if there is one.")
@click.option("--json", "json_file", type=FILE, help="Write the rows here too; a .json file, replaced at the end.")
@click.option(
    "--break",
    "wrong_rule",
    metavar="[NAME]",
    is_flag=False,
    flag_value="",
    help="Put a classic mistake in and show which oracle catches it; without NAME, list them.",
)
def command(names: tuple[str, ...], device: str, json_file: Path | None, wrong_rule: str | None) -> int:
    """Check every gradient: each primitive, layer, loss and model (or those named) in all its settings against four
    oracles.

    The oracles are finite differences, the adjoint identity, torch's autograd and NumPy loops. The exit status is 1 if
    any of them finds more than its tolerance, or nothing could be checked. Time and memory are measured too, relative
    to the torch.nn twin, and decide nothing.

    With --break a mistake is put into one rule while the command runs, and the exit status is 1 if no oracle
    notices. Needs a checkout of photomend, because that is where the oracles are.

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
    rows, table = reference("rows"), reference("table")
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


def reference(name: str) -> Any:
    """A module of `tests/verification`, which only a checkout has. Raises PhotomendError where it isn't there."""
    package = f"{__package__.split('.')[0]}.tests.verification"
    try:
        module: ModuleType = importlib.import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{package}.{name}".startswith(error.name):
            raise
        raise PhotomendError(
            "verify needs a checkout of photomend, because its oracles aren't installed: "
            "git clone the repository, make install, and run .venv/bin/photomend verify there"
        ) from error
    return module


def show(rows: Any, table: Any) -> list[Any]:
    """Print rows as they come, above the bar, and return them."""
    found: list[Any] = []
    for row in rows:
        if not found or found[-1].kind != row.kind:
            write(("\n" if found else "") + table.header(row.kind))
        write(table.line(row))
        found.append(row)
    return found


def write(line: str) -> None:
    tqdm.write(line, file=sys.stdout)


def run_break(name: str, device: str) -> int:
    """Run with the mistake called `name` in its rule; 0 if an oracle catches it. Lists all mistakes for no name."""
    target = choose_device(device)
    breaks = reference("breaks")
    if not name:
        for wrong in breaks.BREAKS.values():
            click.echo(f"{wrong.name:{max(map(len, breaks.BREAKS))}}  {wrong.mistake}")
        return 0
    if name not in breaks.BREAKS:
        raise PhotomendError(f"--break {name!r}: is no known mistake; {did_you_mean(name, breaks.BREAKS)}")
    wrong = breaks.BREAKS[name]
    verdicts: Sequence[Any] = breaks.try_break(wrong, target)
    click.echo("\n".join(breaks.told(wrong, verdicts)))
    return 0 if any(verdict.caught for verdict in verdicts) else 1
