"""A line of the results, as the table shows it and a JSON file holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """What was measured of one case; None where there is no such figure.

    Attributes:
        kind, name: the case, as on the command line.
        what: its sizes.
        device, dtype, threads: where and in what it was computed, on both sides.
        machine: processor, cores, torch's version, compiler.
        measured: the date, as 2026-11-29.
        ours_s, peer_s: median seconds of one run.
        ratio, ratio_p10, ratio_p90: median, 10th and 90th percentile of peer's time / ours over the pairs.
        peer: who, at which setting.
        pairs: adjacent pairs of runs (runs, where there is no peer).
        error: the largest relative difference of the results before timing, in norm.
        ours_mib, peer_mib: peak resident memory of the side's process; on a GPU, of torch's allocator.
        ours_base_mib, peer_base_mib: what of that was taken before weights and inputs were made: Python and torch.
        pixels: of one photo (`scale`).
        slope: of log time over log pixels; 1 is linear (`scale`).
        overhead_us: microseconds a primitive call costs beyond its raw operations (`scale`).
        skipped: why nothing was measured.
    """

    kind: str
    name: str
    what: str
    device: str
    dtype: str
    threads: int
    machine: str
    measured: str = ""
    ours_s: float | None = None
    peer_s: float | None = None
    ratio: float | None = None
    ratio_p10: float | None = None
    ratio_p90: float | None = None
    peer: str = ""
    pairs: int = 0
    error: float | None = None
    ours_mib: float | None = None
    peer_mib: float | None = None
    ours_base_mib: float | None = None
    peer_base_mib: float | None = None
    pixels: int | None = None
    slope: float | None = None
    overhead_us: float | None = None
    skipped: str = ""


@dataclass(frozen=True)
class Ratio:
    """The distribution of peer's time / ours over adjacent pairs of runs."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, ours: Sequence[float], peer: Sequence[float]) -> Ratio:
        p10, median, p90 = np.percentile(np.asarray(peer) / np.asarray(ours), [10, 50, 90])
        return cls(float(median), float(p10), float(p90))
