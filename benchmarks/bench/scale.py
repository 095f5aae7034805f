"""`photomend bench scale`: how cost grows with the photo, and what the engine adds to each operation.

- `forward`, `training`: seconds of the attention model, fill included, on one photo of growing size; the slope of log
  time over log pixels by least squares is 1 where cost is linear. Training goes as far as 8 GiB of memory.
- `overhead`: a chain of multiplications and additions of a single number, forwards and backwards, against the same
  raw operations; what is left over is the engine's, in microseconds for each primitive call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from photomend.core import Tensor, add, multiply, no_grad

from .measure import OURS, Setup, alone, as_arrays, begin_row, duel
from .networks import build_ours
from .photos import photos_with_holes
from .row import Row
from .step import Ours as TrainingStep
from .step import Training
from .workload import Array, Peer, Side, Workload

#: Runs of each size.
RUNS = 5
#: Sizes that would take more are left out, MiB.
MOST_MIB = 8 * 1024
#: Multiplications and additions in the chain, as many of each.
CALLS = 200


@dataclass(frozen=True)
class Scaling:
    """The time of one computation on photos of growing `sides`; `build(side, device)` makes it."""

    name: str
    what: str
    build: Callable[[int, torch.device], Workload]
    sides: tuple[int, ...]
    kind: str = "scale"

    def rows(self, setup: Setup) -> Iterator[Row]:
        """A row for each size, and one with the slope over those that were measured."""
        measured: list[Row] = []
        start = begin_row(self, setup)
        for side in self.sides:
            row = replace(start, name=f"{self.name} {side}", pixels=side**2, what=f"{self.what} of {side}×{side}")
            if measured and (expected := expected_mib(measured[-1], side**2)) > MOST_MIB:
                yield replace(row, skipped=f"would take about {expected / 1024:.0f} GiB, above {MOST_MIB / 1024:.0f}")
                continue
            ours = Side(OURS, partial(self.build, side))
            measured.append(alone(row, ours, min(RUNS, setup.pairs), setup))
            yield measured[-1]
        if len(measured) > 1:
            name, last = f"{self.name} slope", measured[-1].name.split()[-1]
            what = f"log time over log pixels, {self.sides[0]}² to {last}²"
            yield replace(start, name=name, what=what, slope=slope(measured), pairs=measured[-1].pairs)


def expected_mib(row: Row, pixels: int) -> float:
    """The peak memory for so many pixels, from what a smaller photo took."""
    assert row.ours_mib is not None
    assert row.ours_base_mib is not None
    assert row.pixels is not None
    return row.ours_base_mib + (row.ours_mib - row.ours_base_mib) * pixels / row.pixels


def slope(rows: Sequence[Row]) -> float:
    """Of log time over log pixels, by least squares."""
    pixels, seconds = [row.pixels for row in rows], [row.ours_s for row in rows]
    return float(np.polyfit(np.log(np.array(pixels, float)), np.log(np.array(seconds, float)), 1)[0])


class Forward:
    """A forward pass over one photo."""

    def __init__(self, side: int, device: torch.device) -> None:
        self.network = build_ours("attention", {}).to(device).eval()
        photo, self.mask = photos_with_holes(1, side, device)
        self.masked = photo * (1 - self.mask)

    def run(self) -> Array:
        with no_grad():
            filled: Tensor = self.network(self.masked, self.mask)
        return filled.data

    def results(self, outcome: Array) -> dict[str, Array]:
        return as_arrays(filled=outcome)


def training_step(side: int, device: torch.device) -> Workload:
    return TrainingStep(Training("attention", 1, side), device)


@dataclass(frozen=True)
class Overhead:
    """What a primitive call costs beyond its raw operations."""

    name: str = "overhead"
    what: str = f"{CALLS} calls on one number, forwards and backwards"
    kind: str = "scale"

    def rows(self, setup: Setup) -> Iterator[Row]:
        raw = Peer("raw operations", (Side("raw operations", RawChain),))
        row = duel(begin_row(self, setup), Side(OURS, Chain), raw, setup, loose={})
        assert row.ours_s is not None
        assert row.peer_s is not None
        yield replace(row, overhead_us=1e6 * (row.ours_s - row.peer_s) / CALLS)


class Chain:
    """y = (… (x · a + b) · a + b …), and its derivative in x, by the engine."""

    def __init__(self, device: torch.device) -> None:
        self.x, self.a, self.b = (torch.full((1,), value, device=device) for value in (0.5, 0.99, 0.01))

    def run(self) -> tuple[Array, Array]:
        x = y = Tensor(self.x)
        for _ in range(CALLS // 2):
            y = add(multiply(y, self.a), self.b)
        y.backward()
        assert x.grad is not None
        return y.data, x.grad

    def results(self, outcome: tuple[Array, Array]) -> dict[str, Array]:
        return as_arrays(y=outcome[0], x̄=outcome[1])


class RawChain(Chain):
    """The same by hand."""

    def run(self) -> tuple[Array, Array]:
        y = self.x
        for _ in range(CALLS // 2):
            y = y * self.a + self.b
        x̄ = torch.ones_like(y)
        for _ in range(CALLS // 2):
            x̄ = x̄ * self.a
        return y, x̄


SIDES = (128, 256, 512, 1024, 2048)
CASES: tuple[Scaling | Overhead, ...] = (
    Scaling("forward", "attention, a photo", Forward, SIDES),
    Scaling("training", "attention, a training step on a photo", training_step, SIDES),
    Overhead(),
)
