"""What a layer costs beside its torch.nn twin: forward time, backward time and peak memory, as ratios ours / twin.

Both sides run in one process, with the same weights, inputs, layout (contiguous) and allocator, in turn and not one
after the other, so that a neighbour on the machine who comes and goes disturbs both alike. The fastest runs are
compared: whatever disturbs a run makes it slower. Even so a ratio on a shared machine is a rough figure.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from photomend.core import Array, Tensor
from photomend.tests.verification.case import Case, Device
from photomend.tests.verification.oracles import random_like
from torch.profiler import ProfilerActivity, profile

#: Each side runs this often at least, and then until both together have taken this long.
LEAST_RUNS, SECONDS = 3, 0.1


@dataclass(frozen=True)
class Ratios:
    """Ours / twin, so below 1 is faster or smaller; `memory` is None where the twin allocates nothing."""

    forward: float
    backward: float
    memory: float | None


class Side:
    """One of the two that are compared: ours or the twin, both of which are called and differentiated alike.

    Args:
        network: the module.
        inputs: raw arrays.
        leaf: makes of one of them what gets a gradient.
    """

    def __init__(self, network: Any, inputs: tuple[Array, ...], leaf: Callable[[Array], Any]) -> None:
        self.network, self.inputs, self.leaf = network, inputs, leaf

    def value(self) -> Array:
        """What the forward pass returns."""
        return self.network(*[self.leaf(x) for x in self.inputs]).data

    def training_pass(self, v: Array) -> tuple[float, float]:
        """A forward pass, and the backward pass of the cotangent v; the seconds that each took.

        Nothing is left of it afterwards, gradients included.
        """
        leaves = [self.leaf(x) for x in self.inputs]
        start = _now(v)
        y = self.network(*leaves)
        between = _now(v)
        y.backward(v)
        end = _now(v)
        self.network.zero_grad()
        return between - start, end - between


def compare(case: Case, device: Device = "cpu") -> Ratios:
    """Time and memory of one training pass (forward, then backward) of `case` in float32 relative to its twin."""
    module, inputs = case.ours(torch.float32, device), case.inputs(torch.float32, device)
    ours = Side(module, inputs, Tensor)
    twin = Side(case.twin(module), inputs, lambda x: x.detach().requires_grad_())
    v = random_like(ours.value(), seed=3)
    ours_memory, twin_memory = (peak_memory(partial(side.training_pass, v), device) for side in (ours, twin))
    until = time.perf_counter() + SECONDS
    times: list[tuple[float, ...]] = []
    while len(times) < LEAST_RUNS or time.perf_counter() < until:
        times.append((*ours.training_pass(v), *twin.training_pass(v)))
    forward, backward, twin_forward, twin_backward = (min(part) for part in zip(*times, strict=True))
    memory = ours_memory / twin_memory if twin_memory else None
    return Ratios(forward / twin_forward, backward / twin_backward, memory)


def _now(on: Array) -> float:
    if on.is_cuda:
        torch.cuda.synchronize(on.device)
    return time.perf_counter()


def peak_memory(run: Callable[[], Any], device: Device = "cpu") -> int:
    """The most bytes that arrays took at any moment of `run` above what was taken at its start.

    On a CPU it is counted from torch's allocator, so what a library takes for itself (a convolution's scratch) isn't
    seen.
    """
    run()  # whatever is only allocated once, is by now
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or some versions say on standard error that they profile
    # The profiler would remark on a block that is freed now but wasn't allocated under its eyes.
    alive = [made for made in gc.get_objects() if issubclass(type(made), torch.Tensor)]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    del alive
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    taken = peak = 0
    for event in sorted((e for e in events if e.get("name") == "[memory]"), key=lambda e: e["ts"]):
        taken += event["args"]["Bytes"]
        peak = max(peak, taken)
    return peak
