"""A step's forward and backward pass as one CUDA graph.

Python tells the GPU one kernel at a time, and a small network's kernel is done sooner than the next one is told: the
GPU waits. A CUDA graph is many of them, captured once; from then on one call launches them together. They read and
write the same memory each time, so that what a step is given is copied to where the first one found it, and its results
lie where the first ones lay. That memory, a whole step's, is kept for as long as the graph is.

In the graph is what goes from the prepared photos to the gradients. Outside it, kernel by kernel, stay: what a network
prepares without weights (the harmonic fill ends when it is precise enough, so that the host has to look), clipping,
whose factor the host asks for, and the optimizer and the average, whose rates change from step to step.

Not run on a GPU yet: on a CPU everything but the capture itself is tested, and how much is gained isn't known.

Sources: NVIDIA, *CUDA C++ programming guide*, "CUDA graphs"; Nguyen, Carilli et al., *Accelerating PyTorch with CUDA
graphs* (2021), for what a capture needs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import Array, Buffer, Module, Parameter

#: Runs before the capture: libraries make ready, and tables that are made once are made.
WARM_UP = 3

Replay = Callable[[], object]
#: Captures a function on a device: gives what repeats it, and the array that it leaves its result in.
Capture = Callable[[Callable[[], Array], torch.device], tuple[Replay, Array]]


def capture(function: Callable[[], Array], device: torch.device) -> tuple[Replay, Array]:
    """Capture the kernels of `function` as a CUDA graph. Its result holds nothing before the first replay."""
    with torch.cuda.device(device):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                function()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            result = function()

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()

    return replay, result


def is_capturing(array: Array) -> bool:
    """Whether what computes this array is being captured, so that nobody can look at its numbers yet."""
    if not array.is_cuda:
        return False
    with torch.cuda.device(array.device):
        return torch.cuda.is_current_stream_capturing()


class CapturedFunction:
    """A function of arrays that leaves gradients at a module's parameters, captured at its first call.

    Args:
        function: (arrays) → the loss, an array. What it does may depend on shapes, not on numbers.
        module: whose parameters get the gradients, and whose running statistics it may change; what the capture itself
            does to the statistics is undone.
        capture: how it is captured.

    A call with arrays of other shapes or dtypes captures anew; so does one after one of the module's parameters or
    buffers has been given other memory, since the graph reads them where they were.
    """

    def __init__(self, function: Callable[..., Array], module: Module, capture: Capture = capture) -> None:
        self.function, self.module, self.capture = function, module, capture
        self._captured: tuple[tuple[Array, ...], Replay, Array] | None = None
        self._made_for: object = None
        self._gradients: list[Array | None] = []

    def __call__(self, *inputs: Array) -> Array:
        now = [*map(_kind, inputs)], [array.data.data_ptr() for array in self._state()]
        if self._captured is None or now != self._made_for:
            self._captured = None
            self._captured = self._capture(tuple(x.clone() for x in inputs))
            self._gradients = [parameter.grad for parameter in self.module.parameters()]
            self._made_for = now
        held, replay, result = self._captured
        torch._foreach_copy_(held, inputs)
        replay()
        for parameter, gradient in zip(self.module.parameters(), self._gradients, strict=True):
            parameter.grad = gradient  # where the graph writes it, if somebody has put it away
        return result

    def _state(self) -> list[Parameter | Buffer]:
        """The arrays that the graph reads and writes where they are."""
        return [*self.module.parameters(), *(buffer for _, buffer in self.module.named_buffers())]

    def _capture(self, held: tuple[Array, ...]) -> tuple[tuple[Array, ...], Replay, Array]:
        before = [(buffer.data, buffer.data.clone()) for _, buffer in self.module.named_buffers()]
        try:
            return held, *self.capture(lambda: self.function(*held), held[0].device)
        finally:
            for now, earlier in before:
                now.copy_(earlier)


def _kind(array: Array) -> tuple[torch.Size, torch.dtype]:
    return array.shape, array.dtype
