"""What `photomend bench` prints."""

from __future__ import annotations

from collections.abc import Sequence

from .measure import TOLERANCE, Setup
from .row import Row

_NAME, _PEER = 17, 28
HEADINGS = {
    "conv": "convolution, forwards and both gradients",
    "step": "training step",
    "repair": "repair",
    "scale": "scaling and overhead",
}


def header(kind: str) -> str:
    """The lines above the rows of one kind."""
    columns = f"{'ours ms':>10}{'peer ms':>10}  {'ratio (10th–90th percentile)':28}{'ours MiB':>9}{'peer MiB':>9}"
    return f"{HEADINGS[kind]}\n{'':{_NAME}} {'peer':{_PEER}}{columns}"


def line(row: Row) -> str:
    """A row of the table."""
    start = f"{row.name:{_NAME}} {row.peer:{_PEER}}"
    if row.skipped:
        return f"{start}  skipped: {row.skipped}"
    if row.slope is not None:
        return f"{start}  {row.slope:.3f} is the slope of {row.what}"
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f} ({row.ratio_p10:.2f}–{row.ratio_p90:.2f})"
    if row.overhead_us is not None:
        ratio += f", {row.overhead_us:.1f} µs a call"
    return (
        start
        + "".join(f"{'–' if s is None else f'{1000 * s:.2f}':>10}" for s in (row.ours_s, row.peer_s))
        + f"  {ratio:28}"
        + "".join(f"{'–' if mib is None else f'{mib:.0f}':>9}" for mib in (row.ours_mib, row.peer_mib))
    )


def is_missing(row: Row) -> bool:
    """Whether this row only says that a peer isn't there, which the table needn't repeat for every case."""
    return bool(row.peer and row.skipped)


def missing(rows: Sequence[Row]) -> list[str]:
    """A line for each peer that isn't there."""
    reasons = dict.fromkeys((row.peer, row.skipped) for row in rows if is_missing(row))
    return [f"{peer} is skipped: {reason}" for peer, reason in reasons]


def legend(setup: Setup, machine: str, keeps: bool, load: float) -> str:
    """What the columns mean, and under which conditions they came about."""
    threads = "1 thread" if setup.threads == 1 else f"{setup.threads} threads"
    return (
        f"{machine}\n"
        f"float32, {setup.device}, {threads}; "
        f"freed memory is {'kept' if keeps else 'not kept'} on all sides; "
        f"load before the start {load:.1f}\n"
        f"ms: medians; ratio: peer's time / ours in {setup.pairs} adjacent pairs of runs, above 1 ours is faster\n"
        "MiB: peak of the side's process, Python and torch included\n"
        f"results agree to {TOLERANCE:.0e} of their norm, or as docs/performance.md says\n"
        "figures from a machine that others use too are rough"
    )
