"""How a case is measured: one process a side, checked against each other, then timed in turn.

Only one process computes at any moment: ours, peer, ours, peer, … A neighbour on the machine who comes and goes then
disturbs both alike, and the ratio of two adjacent runs says more than the ratio of two means.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import torch
from photomend.core import PhotomendError
from photomend.core.backend.machine import Machine, machine

from .machine import describe
from .process import PATIENCE, Worker
from .row import Ratio, Row
from .workload import Array, Peer, Side

#: Results of two sides may differ by so much, relative to the norm of each.
TOLERANCE = 1e-4
#: What our side is called everywhere.
OURS = "photomend"
#: Seconds between two runs, in which the threads of the last one stop spinning for more work.
PAUSE = 0.02
#: Rounds in which a peer's variants compete for being the peer.
ROUNDS = 5


@dataclass(frozen=True)
class Setup:
    """How everything is measured: `pairs` of runs, on `threads` CPU threads of `device`, ours by the
    description of `machine`; `patience` in seconds.
    """

    pairs: int
    threads: int
    device: torch.device
    machine: Machine = field(default_factory=machine)
    patience: float = PATIENCE


class Case(Protocol):
    """What has a name on the command line. `what` says its sizes."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def what(self) -> str: ...

    def rows(self, setup: Setup) -> Iterator[Row]:
        """Measure it. Raises PhotomendError."""


@dataclass(frozen=True)
class Comparison:
    """Ours against each of the peers, a row each.

    `loose`: tolerances other than TOLERANCE, by the first word of a result's name.
    """

    kind: str
    name: str
    what: str
    ours: Side
    peers: tuple[Peer, ...]
    loose: Mapping[str, float] = field(default_factory=dict)

    def rows(self, setup: Setup) -> Iterator[Row]:
        """Raises PhotomendError: a side failed, or the results differ by more than the tolerance."""
        for peer in self.peers:
            row = begin_row(self, setup)
            if missing := peer.missing_on(setup.device):
                yield replace(row, peer=peer.name, skipped=missing)
            else:
                yield duel(row, self.ours, peer, setup, self.loose)


def begin_row(case: Case, setup: Setup) -> Row:
    """A row with nothing measured yet."""
    where = describe(setup.device)
    today = date.today().isoformat()
    return Row(case.kind, case.name, case.what, str(setup.device), "float32", setup.threads, where, today)


def duel(row: Row, ours: Side, peer: Peer, setup: Setup, loose: Mapping[str, float]) -> Row:
    """Measure ours against the fastest variant of the peer, and complete `row`."""
    where = f"bench {row.kind} {row.name}"
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        mine = stack.enter_context(started(ours, where, setup))
        expected = first_results(mine, Path(folder))
        theirs, error = [], 0.0
        for variant in peer.variants:
            worker = stack.enter_context(started(variant, where, setup))
            error = max(error, check_equal(first_results(worker, Path(folder)), expected, worker.name, loose))
            worker.ask("warm_up")
            theirs.append(worker)
        mine.ask("warm_up")
        best = fastest(theirs)
        for worker in theirs:
            if worker is not theirs[best]:
                worker.kill()
        times = [(timed(mine), timed(theirs[best])) for _ in range(setup.pairs)]
        (ours_mib, ours_base), (peer_mib, peer_base) = mine.ask("peak"), theirs[best].ask("peak")
    ours_s, peer_s = ([pair[side] for pair in times] for side in (0, 1))
    ratio = Ratio.of(ours_s, peer_s)
    return replace(
        row,
        ours_s=median(ours_s),
        peer_s=median(peer_s),
        ratio=ratio.median,
        ratio_p10=ratio.p10,
        ratio_p90=ratio.p90,
        peer=peer.variants[best].name,
        pairs=setup.pairs,
        error=error,
        ours_mib=ours_mib,
        peer_mib=peer_mib,
        ours_base_mib=ours_base,
        peer_base_mib=peer_base,
    )


def alone(row: Row, ours: Side, runs: int, setup: Setup) -> Row:
    """Measure ours without a peer, and complete `row`."""
    with started(ours, f"bench {row.kind} {row.name}", setup) as worker:
        worker.ask("warm_up")
        seconds = median(timed(worker) for _ in range(runs))
        peak, base = worker.ask("peak")
    return replace(row, ours_s=seconds, pairs=runs, ours_mib=peak, ours_base_mib=base)


def started(side: Side, where: str, setup: Setup) -> Worker:
    """A worker that has built this side; for a `with` block."""
    worker = Worker(f"{where}: {side.name}", setup.patience)
    try:
        worker.ask("prepare", setup.threads, setup.device, setup.machine)
        worker.ask("build", side.build)
    except BaseException:
        worker.kill()
        raise
    return worker


def first_results(worker: Worker, folder: Path) -> dict[str, Array]:
    """What the first run came to."""
    path = folder / "results.pt"
    worker.ask("first", path)
    results: dict[str, Array] = torch.load(path, map_location="cpu", weights_only=True)
    return results


def timed(worker: Worker) -> float:
    time.sleep(PAUSE)
    return float(worker.ask("run"))


def fastest(workers: Sequence[Worker]) -> int:
    """Which of these has the lowest median over some rounds in turn."""
    if len(workers) == 1:
        return 0
    rounds = [[timed(worker) for worker in workers] for _ in range(ROUNDS)]
    medians = [median(times) for times in zip(*rounds, strict=True)]
    return medians.index(min(medians))


def check_equal(
    theirs: Mapping[str, Array], ours: Mapping[str, Array], name: str, loose: Mapping[str, float] | None = None
) -> float:
    """The largest ‖theirs − ours‖ / ‖ours‖ of all results.

    A norm and not the largest element: where a gradient is nearly 0, Adam's first step goes up or down by the whole
    learning rate, as rounding has it. A single element that is quite wrong still shows among many millions.

    Raises:
        PhotomendError: other results, other shapes, or further apart than the tolerance.
    """
    if unlike := sorted(theirs.keys() ^ ours.keys()):
        raise PhotomendError(f"{name}: not compared, {unlike[0]!r} is among the results of one side only")
    worst = 0.0
    for key, value in ours.items():
        if value.shape != theirs[key].shape:
            raise PhotomendError(
                f"{name}: not compared, {key} has shape {tuple(theirs[key].shape)}, ours {tuple(value.shape)}"
            )
        distance, norm = (theirs[key].double() - value.double()).norm().item(), value.double().norm().item()
        tolerance = (loose or {}).get(key.split()[0], TOLERANCE)
        if not distance <= tolerance * norm:  # NaN isn't
            raise PhotomendError(
                f"{name}: not compared, {key} is {distance:.2e} from ours, whose norm is {norm:.2e}; "
                f"tolerance {tolerance:.0e}"
            )
        worst = max(worst, distance / norm if norm else 0.0)
    return worst


def as_arrays(**values: Any) -> dict[str, Array]:
    """Results that are numbers or arrays, detached from their graph."""
    return {key: torch.as_tensor(value).detach() for key, value in values.items()}
