"""A step's forward and backward pass as one CUDA graph.

Python tells the GPU one kernel at a time, and a small network's kernel is done sooner than the next one is told: the
GPU waits. A CUDA graph is all of them, recorded once; from then on one call launches them together. They read and write
the same memory each time, so that what a step is given is copied to where the first one found it, and its results lie
where the first ones lay.

What follows in a step is told kernel by kernel as before: clipping, whose factor the host asks for, and the optimizer
and the average, whose rates change from step to step.

No GPU was at hand when this was written: on a CPU everything but the recording itself is tested, and how much is gained
isn't known.

Source: NVIDIA, *CUDA C++ programming guide*, "CUDA graphs"; Nguyen, Carilli et al., *Accelerating PyTorch with CUDA
graphs* (2021), for what a recording needs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import Array, Module

#: Runs before the recording: libraries make ready, and tables that are made once are made.
WARM_UP = 3

#: Runs a function, and gives what repeats it and what it returned.
Recorder = Callable[[Callable[[], Array]], tuple[Callable[[], object], Array]]


def cuda_graph(function: Callable[[], Array]) -> tuple[Callable[[], object], Array]:
    """Record the kernels of `function` as a CUDA graph: what launches them, and the array that they leave their result
    in, which holds nothing before the first launch."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            function()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function()
    return graph.replay, result


def is_captured(array: Array) -> bool:
    """Whether what computes this array is being recorded, so that nobody can look at its numbers yet."""
    return array.is_cuda and torch.cuda.is_current_stream_capturing()


class Captured:
    """A function of arrays that leaves gradients at a module's parameters, recorded at its first call.

    Args:
        function: (arrays) → the loss, an array. What it does may depend on shapes, not on numbers.
        module: whose running statistics it may change; what it does to them while it is recorded is undone.
        record: how it is recorded.

    A call with other shapes records anew.
    """

    def __init__(self, function: Callable[..., Array], module: Module, record: Recorder = cuda_graph) -> None:
        self.function, self.module, self.record = function, module, record
        self.inputs: tuple[Array, ...] = ()

    def __call__(self, *inputs: Array) -> Array:
        if [x.shape for x in inputs] != [x.shape for x in self.inputs]:
            self._record(inputs)
        torch._foreach_copy_(self.inputs, inputs)
        self.replay()
        return self.result

    def _record(self, inputs: tuple[Array, ...]) -> None:
        self.inputs = tuple(x.clone() for x in inputs)
        before = [(buffer.data, buffer.data.clone()) for _, buffer in self.module.named_buffers()]
        self.replay, self.result = self.record(lambda: self.function(*self.inputs))
        for now, earlier in before:
            now.copy_(earlier)
