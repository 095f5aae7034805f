"""`photomend verify`: every gradient against every oracle."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...core import PhotomendError, did_you_mean
from ...core.backend.runtime import choose_device, set_threads
from ..options import check_target, import_from_checkout, write_text
from ..paths import FILE


@click.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--device", default="cpu", help="cpu, cuda, or auto: a GPU if there is one.")
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
    set_threads(None)
    if wrong_rule is not None:
        if names or json_file is not None:
            raise click.UsageError("--break chooses what it runs by itself: leave out the names and --json")
        return _try_break(wrong_rule, device)
    if json_file is not None:
        check_target(json_file, ".json")
    found, skipped = import_from_checkout("verify", "tests.verification", "command").verify(names, device)
    if json_file is not None:
        write_text(json_file, json.dumps([row.as_json() for row in found], indent=2) + "\n")
        click.echo(json_file)
    if skipped:
        raise PhotomendError(f"--device {device}: this machine has no CUDA device; all cases are skipped")
    return 0 if all(row.ok for row in found) else 1


def _try_break(name: str, device: str) -> int:
    """List the mistakes for no name; a misspelt one is answered before anything is imported or measured for it."""
    choose_device(device)
    known = import_from_checkout("verify", "tests.verification", "mistakes").MISTAKES
    mistakes = {wrong.name: wrong.mistake for wrong in known}
    if not name:
        for one, mistake in mistakes.items():
            click.echo(f"{one:{max(map(len, mistakes))}}  {mistake}")
        return 0
    if name not in mistakes:
        raise PhotomendError(f"--break {name!r}: is no known mistake; {did_you_mean(name, mistakes)}")
    return int(import_from_checkout("verify", "tests.verification", "command").run_break(name, device))
