"""`photomend bench`: how fast the engine is beside torch.nn."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from tqdm import tqdm

from ...core.backend.machine import machine
from ...core.backend.runtime import keep_freed_memory
from ..options import FILE, check_target, import_from_checkout, runtime_options, start, write_text

benchmark = partial(import_from_checkout, "bench", "benchmarks.bench")
KINDS = ("conv", "step", "repair", "scale")


@click.command("bench")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.argument("cases", metavar="[CASE]...", nargs=-1)
@click.option(
    "--pairs", type=click.IntRange(min=2), default=20, show_default=True, help="Pairs of runs: ours, peer, ours, peer…"
)
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
    load = os.getloadavg()[0]
    target = start(device, threads)
    catalogue, measure, table = (benchmark(name) for name in ("catalogue", "measure", "table"))
    chosen = catalogue.choose(kind, cases)
    if explain:
        names = {case.name for case in chosen}
        for shape in benchmark("conv").SHAPES:
            if shape.name in names:
                click.echo("\n  ".join([f"{shape.name}: {shape.what}", *shape.explain()]))
        return
    setup = measure.Setup(pairs, torch.get_num_threads(), target, machine())
    rows = show(chosen, setup, table)
    described = benchmark("machine").describe(target)
    click.echo("\n".join(["", *table.missing(rows), table.legend(setup, described, keep_freed_memory(), load)]))
    if json_file is not None:
        write_text(json_file, json.dumps([dataclasses.asdict(row) for row in rows], indent=2) + "\n")
        click.echo(json_file)
    if plot is not None:
        benchmark("plot").draw(rows, plot)
        click.echo(plot)


def show(cases: list[Any], setup: Any, table: Any) -> list[Any]:
    """Measure, print rows as they come, above the bar, and return them."""
    rows: list[Any] = []
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
