"""`photomend bench`: how fast the engine is beside torch.nn."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from ..options import check_target, import_from_checkout, runtime_options, set_up_runtime, write_text
from ..paths import FILE

KINDS = ("conv", "step", "repair", "scale")


@click.command("bench")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.argument("cases", metavar="[CASE]...", nargs=-1)
@click.option("--pairs", type=click.IntRange(min=2), default=20, help="Pairs of runs: ours, peer, ours, peer…")
@click.option("--json", "json_file", type=FILE, help="Also write the rows to this .json file.")
@click.option("--explain", is_flag=True, help="conv: time nothing; say which algorithm each case takes, and why.")
@click.option("--plot", type=FILE, help="Draw the ratios and their spread into this .png file.")
@runtime_options
def command(
    kind: str | None,
    cases: tuple[str, ...],
    pairs: int,
    json_file: Path | None,
    explain: bool,
    plot: Path | None,
    device: str,
    threads: int | None,
) -> None:
    """Compare the engine's speed and memory with torch.nn: convolutions, training steps, repairs, and how cost grows
    with the photo. Without arguments, all of these.

    Each side runs in its own process, with the same weights, inputs, threads and allocator settings. Their results are
    checked against each other; then they are timed in turn. A ratio above 1 means that ours is faster. The peers are
    torch.nn in its faster memory layout, torch.compile where there is a C++ compiler, and JAX if it is installed.
    Needs a checkout of photomend and an otherwise idle machine.

    \b
    photomend bench conv
    photomend bench conv 128@56 256@28 --pairs 40
    photomend bench conv --explain
    photomend bench step --json step.json --plot step.png
    """
    for path, suffix in ((json_file, ".json"), (plot, ".png")):
        if path is not None:
            check_target(path, suffix)
    if explain and kind != "conv":
        raise click.UsageError("--explain is about convolutions: photomend bench conv --explain")
    if explain and (json_file is not None or plot is not None):
        raise click.UsageError("--explain compares nothing that --json or --plot could show; leave one out")
    target = set_up_runtime(device, threads)
    bench = import_from_checkout("bench", "benchmarks.bench", "command")
    if explain:
        bench.explain(cases)
        return
    rows = bench.compare(kind, cases, pairs, target)
    if json_file is not None:
        write_text(json_file, json.dumps([dataclasses.asdict(row) for row in rows], indent=2) + "\n")
        click.echo(json_file)
    if plot is not None:
        import_from_checkout("bench", "benchmarks.bench", "plot").draw(rows, plot)
        click.echo(plot)
