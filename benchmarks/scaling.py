"""What a step would take on 8, 64 and 512 ranks: a cost model, from parts that are measured here, and its check.

    python -m photomend.benchmarks.scaling                             # attention, 16 crops a rank
    python -m photomend.benchmarks.scaling --faster 100 --gigabytes 50 --latency 5e-6 --jitter 0.02

Measured on this machine: the time of the forward pass, when each bucket's gradients are complete in the backward pass,
its bytes, and the rest of a step. Assumed, and options: the wire's bandwidth for each rank and its latency, how many
times faster than here a rank computes, and how much ranks differ. Nothing here was measured on a network or a GPU.

Per bucket of b bytes among n ranks each rank sends 2 (n − 1) / n · b bytes. In a ring that takes 2 (n − 1) messages one
after another; by halving and doubling, which needs n to be a power of 2, 2 log₂ n. Buckets travel one after another, so
the last is there at max over k of (when bucket k is complete + the time of bucket k and all after it). The simulation
goes message by message, with ranks that compute at different speeds; where they don't differ it must agree.

Source: Thakur, Rabenseifner & Gropp, *Optimization of collective communication operations in MPICH* (2005).
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from photomend.core import Tensor
from photomend.core.mode import reporting
from photomend.tests.models.holes import crops
from photomend.train.averaging import Buckets
from photomend.train.config import TrainConfig
from photomend.train.trainer import Trainer

ALGORITHMS = ("ring", "halving")
#: Single numbers that all ranks add up in a step: the loss, rank 0's clock, whether to stop.
SMALL = 3


@dataclass(frozen=True)
class Step:
    """One rank's step, in seconds: forward, backward, the rest; and for each bucket when, after the backward pass
    began, its gradients were complete, and its bytes."""

    forward: float
    backward: float
    rest: float
    buckets: tuple[tuple[float, int], ...]

    @property
    def alone(self) -> float:
        return self.forward + self.backward + self.rest

    def faster(self, times: float) -> Step:
        buckets = tuple((ready / times, size) for ready, size in self.buckets)
        return Step(self.forward / times, self.backward / times, self.rest / times, buckets)


@dataclass(frozen=True)
class Wire:
    """Bytes a second that each rank can send, and the seconds before the first arrives."""

    bandwidth: float
    latency: float

    def message(self, size: float) -> float:
        return self.latency + size / self.bandwidth


def measured(model: str, batch: int, repeats: int) -> Step:
    """The step of the median total time."""
    trainer = Trainer(TrainConfig(model=model, steps=100, batch_size=batch, workers=0))
    photos, masks = crops(batch, trainer.network.window, dtype=torch.float32)
    steps = sorted((_measured_once(trainer, photos, masks) for _ in range(repeats + 2)), key=lambda step: step.alone)
    return steps[len(steps) // 2]


def _measured_once(trainer: Trainer, *batch: torch.Tensor) -> Step:
    arrived: dict[int, float] = {}
    began = [time.perf_counter()]
    loss = trainer.loss

    def then_backward(*arguments: Any) -> Any:
        found = loss(*arguments)
        began.append(time.perf_counter())
        return found

    def note(leaf: Tensor) -> None:
        arrived[id(leaf)] = time.perf_counter() - began[-1]

    trainer.loss = then_backward  # type: ignore[method-assign, assignment]
    try:
        with reporting(note):
            trainer.step(*batch)
    finally:
        trainer.loss = loss  # type: ignore[method-assign]
    total, ready, buckets = time.perf_counter() - began[0], 0.0, []
    for bucket in Buckets(trainer.parameters).buckets:
        ready = max([ready, *(arrived[id(parameter)] for parameter in bucket.parameters)])
        buckets.append((ready, sum(p.data.numel() * p.data.element_size() for p in bucket.parameters)))
    forward = began[1] - began[0]
    backward = max(arrived[id(parameter)] for parameter in trainer.parameters)
    return Step(forward, backward, total - forward - backward, tuple(buckets))


def all_reduce(size: float, n: int, wire: Wire, algorithm: str) -> float:
    """Seconds until `size` bytes are added up over n ranks that begin together."""
    messages = 2 * (n - 1) if algorithm == "ring" else 2 * math.ceil(math.log2(n))
    return messages * wire.latency + 2 * (n - 1) / n * size / wire.bandwidth


def small(n: int, wire: Wire) -> float:
    return SMALL * all_reduce(16, n, wire, "halving")


def modelled(step: Step, n: int, wire: Wire, algorithm: str) -> float:
    """Seconds of a step on n ranks that don't differ."""
    times = [all_reduce(size, n, wire, algorithm) for _, size in step.buckets]
    last = max(ready + sum(times[k:]) for k, (ready, _) in enumerate(step.buckets))
    return step.forward + max(step.backward, last) + step.rest + small(n, wire)


def simulated(step: Step, n: int, wire: Wire, algorithm: str, jitter: float, seed: int = 0) -> float:
    """Seconds of a step on n ranks, whose computing takes up to about `jitter` longer, each as it comes."""
    rng = random.Random(seed)
    ranks = [step.faster(1 / (1 + abs(rng.gauss(0, jitter)))) for _ in range(n)]
    ready = [[rank.forward + at for at, _ in rank.buckets] for rank in ranks]
    sizes = [size for _, size in step.buckets]
    ends = (_ring if algorithm == "ring" else _halving)(ready, sizes, wire)
    computed = [rank.forward + rank.backward for rank in ranks]
    ended = [max(pair) + rank.rest for pair, rank in zip(zip(ends, computed, strict=True), ranks, strict=True)]
    return max(ended) + small(n, wire)


def _ring(ready: Sequence[Sequence[float]], sizes: Sequence[int], wire: Wire) -> list[float]:
    """When each rank has its last message. A rank sends its q-th message to the next one as soon as it has received as
    many, has sent those before, and has the bucket; each event is a message that arrives, or a bucket that is there."""
    n, each = len(ready), 2 * (len(ready) - 1)
    sent, received, free, ends = [0] * n, [0] * n, [0.0] * n, [0.0] * n
    events = [(ready[rank][0], rank, False) for rank in range(n)]
    heapq.heapify(events)
    while events:
        now, rank, arrives = heapq.heappop(events)
        if arrives:
            received[rank] += 1
            ends[rank] = now
        q = sent[rank]
        if q == each * len(sizes) or received[rank] < q:
            continue
        if free[rank] > now:  # it will ask again then
            continue
        if q % each == 0 and ready[rank][q // each] > now:
            heapq.heappush(events, (ready[rank][q // each], rank, False))
            continue
        sent[rank], free[rank] = q + 1, now + wire.message(sizes[q // each] / n)
        heapq.heappush(events, (free[rank], (rank + 1) % n, True))
        heapq.heappush(events, (free[rank], rank, False))
    return ends


def _halving(ready: Sequence[Sequence[float]], sizes: Sequence[int], wire: Wire) -> list[float]:
    """When each rank has its last message: in every round it exchanges one with a partner that is as far as itself."""
    n, now = len(ready), [0.0] * len(ready)
    rounds = [2**j for j in range(round(math.log2(n)))]
    for k, size in enumerate(sizes):
        now = [max(time, ready[rank][k]) for rank, time in enumerate(now)]
        halves = [(distance, size / (2 * distance)) for distance in rounds]
        for distance, part in [*halves, *reversed(halves)]:
            now = [max(now[rank], now[rank ^ distance]) + wire.message(part) for rank in range(n)]
    return now


def rows(step: Step, wire: Wire, jitter: float, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """For each number of ranks and each algorithm: bytes sent, and steps by the model and by the simulation."""
    found = []
    for n in sizes:
        for algorithm in ALGORITHMS:
            model = modelled(step, n, wire, algorithm)
            row: dict[str, Any] = {
                "ranks": n,
                "algorithm": algorithm,
                "step_s": model,
                "efficiency": step.alone / model,
            }
            row["megabytes_sent"] = 2 * (n - 1) / n * sum(size for _, size in step.buckets) / 1e6
            row["wire_s"] = sum(all_reduce(size, n, wire, algorithm) for _, size in step.buckets)
            row["hidden"] = 1 - (model - step.alone - small(n, wire)) / row["wire_s"]
            row["simulated_alike_s"] = simulated(step, n, wire, algorithm, 0.0)
            row["simulated_s"] = simulated(step, n, wire, algorithm, jitter)
            found.append(row)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="attention")
    parser.add_argument("--batch-size", type=int, default=16, help="crops of a rank")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ranks", type=int, nargs="+", default=[8, 64, 512], help="powers of 2")
    parser.add_argument("--faster", type=float, default=1.0, help="how many times faster than here a rank computes")
    parser.add_argument("--gigabytes", type=float, default=50.0, help="bandwidth of a rank, 10⁹ bytes a second")
    parser.add_argument("--latency", type=float, default=5e-6, help="of a message, seconds")
    parser.add_argument("--jitter", type=float, default=0.02, help="standard deviation of how much longer a rank takes")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if any(n < 2 or n & (n - 1) for n in options.ranks):
        parser.error(f"--ranks (={options.ranks}) must be powers of 2, above 1")
    step = measured(options.model, options.batch_size, options.repeats).faster(options.faster)
    wire = Wire(options.gigabytes * 1e9, options.latency)
    size = sum(size for _, size in step.buckets) / 1e6
    ready = ", ".join(f"{100 * at / step.backward:.0f}" for at, _ in step.buckets)
    times = [f"{1e3 * seconds:.2f} ms" for seconds in (step.forward, step.backward, step.rest)]
    print(
        f"{options.model}, {options.batch_size} crops a rank: forward {times[0]}, backward {times[1]}, rest {times[2]};"
    )
    print(f"{size:.2f} MB in {len(step.buckets)} buckets, complete after {ready} % of the backward pass")
    print("ranks  algorithm  MB sent  wire ms  hidden  step ms  simulated  unlike ranks  efficiency")
    found = rows(step, wire, options.jitter, options.ranks)
    for r in found:
        sent = f"{r['ranks']:5}  {r['algorithm']:9}  {r['megabytes_sent']:7.2f}  {1e3 * r['wire_s']:7.2f}"
        steps = f"{1e3 * r['step_s']:7.2f}  {1e3 * r['simulated_alike_s']:9.2f}  {1e3 * r['simulated_s']:12.2f}"
        print(f"{sent}  {100 * r['hidden']:4.0f} %  {steps}  {100 * r['efficiency']:8.1f} %")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
