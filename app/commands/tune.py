"""`photomend tune`: measure this machine once, so that convolutions take the way that is the fastest on it."""

from __future__ import annotations

import click

from ...core.backend import profile
from ...core.backend.runtime import set_threads


@click.command("tune")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: one for each core]")
def command(threads: int | None) -> None:
    """Measure how fast this machine multiplies and copies, and keep the result for later commands.

    Takes about a second, on an otherwise idle machine. Without a profile, commands use fixed values for the kind of
    processor; so does --no-profile. A profile holds for one number of threads and one version of torch.
    """
    set_threads(threads)
    measured = profile.measure()
    library = {False: "torch's library", True: "oneDNN"}
    for what, rate, unit in (
        ("large products", measured.large, f"multiplications a nanosecond, by {library[measured.onednn]}"),
        ("small products", measured.batch, f"multiplications a nanosecond, by {library[measured.onednn_batches]}"),
        ("copies", measured.memory, "numbers a nanosecond"),
        ("one operation", measured.call, "nanoseconds at least"),
    ):
        click.echo(f"{what:14}  {rate:8.1f} {unit}")
    click.echo(f"{profile.save(measured)}  is this machine's profile; --no-profile ignores it")
