"""`photomend bench conv`: a convolution forwards, and its gradients in x and in w.

Ours is the rule of `photomend.layers.conv.conv2d` on raw arrays, channels last. torch.nn.Conv2d runs with contiguous
and with channels-last arrays, and the faster of the two is the peer. JAX runs compiled, channels last.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from photomend.layers.conv import conv2d
from photomend.layers.convolution import Problem, choose
from photomend.layers.convolution.choose import ALGORITHMS
from torch import nn
from torch.utils.dlpack import from_dlpack

from .measure import OURS, Comparison, as_arrays
from .workload import Array, Peer, Side

CHANNELS_LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format
#: Names of the two layouts in which torch.nn runs.
LAYOUTS = {"contiguous": CONTIGUOUS, "channels-last": CHANNELS_LAST}


@dataclass(frozen=True)
class Shape:
    """A convolution of `batch` images (in_channels, size, size)."""

    name: str
    in_channels: int
    out_channels: int
    size: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    batch: int = 8

    @property
    def what(self) -> str:
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        channels = f"{self.in_channels}→{self.out_channels}"
        return f"{self.kernel}×{self.kernel}{stride}, {channels} channels at {self.size}×{self.size}, ×{self.batch}"

    def explain(self) -> list[str]:
        """Which algorithms of ours convolve, and what each takes here, measured on the CPU."""
        x, w, ȳ = self.arrays(torch.device("cpu"), CHANNELS_LAST)
        problem = Problem.of(x, w, None, self.stride, self.padding, 1, 1)
        pixels, cotangents = x.permute(0, 2, 3, 1), ȳ.permute(0, 2, 3, 1)
        directions = {
            "forward": (pixels, w, None, problem),
            "input_gradient": (cotangents, w, problem),
            "weight_gradient": (pixels, cotangents, problem),
        }
        lines = []
        for (direction, arguments), chosen in zip(directions.items(), choose(problem).names, strict=True):
            suitable = {name: getattr(a, direction, None) for name, a in ALGORITHMS.items() if a.suits(problem)}
            taken = {name: shortest(partial(work, *arguments)) for name, work in suitable.items() if work}
            measured = ", ".join(f"{name} {1e3 * seconds:.2f}" for name, seconds in taken.items())
            lines.append(f"{direction}: {chosen}; ms: {measured}")
        return lines

    def arrays(self, device: torch.device, layout: torch.memory_format) -> tuple[Array, Array, Array]:
        """x, w and the cotangent ȳ: the same numbers in every process."""
        out = (self.size + 2 * self.padding - self.kernel) // self.stride + 1
        generator = torch.Generator().manual_seed(0)
        x, w, ȳ = (
            torch.randn(shape, generator=generator)
            for shape in (
                (self.batch, self.in_channels, self.size, self.size),
                (self.out_channels, self.in_channels, self.kernel, self.kernel),
                (self.batch, self.out_channels, out, out),
            )
        )
        w /= w[0].numel() ** 0.5
        return x.to(device, memory_format=layout), w.to(device), ȳ.to(device, memory_format=layout)


def shortest(work: Callable[[], Array], repeats: int = 5) -> float:
    """Seconds of the fastest of some runs, after one that is not timed."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


class Ours:
    """A convolution and its gradients by the engine."""

    def __init__(self, shape: Shape, device: torch.device) -> None:
        self.x, self.w, self.ȳ = shape.arrays(device, CHANNELS_LAST)
        self.options = {"stride": shape.stride, "padding": shape.padding}

    def run(self) -> tuple[Array, ...]:
        y, pullback = conv2d.rule(self.x, self.w, **self.options)
        gradients: Any = pullback(self.ȳ)  # of the bias too, which nobody asks for
        x̄, w̄ = (gradient() if callable(gradient) else gradient for gradient in gradients[:2])
        return y, x̄, w̄

    def results(self, outcome: tuple[Array, ...]) -> dict[str, Array]:
        return named(outcome)


class TorchConv:
    """torch.nn.Conv2d, differentiated by autograd."""

    def __init__(self, shape: Shape, layout: torch.memory_format, device: torch.device) -> None:
        x, w, self.ȳ = shape.arrays(device, layout)
        self.x = x.requires_grad_()
        self.conv = nn.Conv2d(
            shape.in_channels, shape.out_channels, shape.kernel, shape.stride, shape.padding, bias=False
        )
        self.conv.load_state_dict({"weight": w})
        self.conv.to(device, memory_format=layout)  # type: ignore[call-overload]

    def run(self) -> tuple[Array, ...]:
        y = self.conv(self.x)
        return y.detach(), *torch.autograd.grad(y, (self.x, self.conv.weight), self.ȳ)

    def results(self, outcome: tuple[Array, ...]) -> dict[str, Array]:
        return named(outcome)


class JaxConv:
    """jax.lax's convolution and its vector-Jacobian product, compiled together by XLA for the CPU."""

    def __init__(self, shape: Shape, device: torch.device) -> None:
        # XLA takes as many threads as there are processors for this process.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: torch.get_num_threads()])
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax

        x, w, ȳ = shape.arrays(device, CONTIGUOUS)

        def forward(x: Any, w: Any) -> Any:
            padding = [(shape.padding, shape.padding)] * 2
            strides = (shape.stride, shape.stride)
            return jax.lax.conv_general_dilated(x, w, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))

        @jax.jit
        def forward_and_backward(x: Any, w: Any, ȳ: Any) -> Any:
            y, pullback = jax.vjp(forward, x, w)
            return y, *pullback(ȳ)

        self.compiled, self.ready = forward_and_backward, jax.block_until_ready
        self.arrays = [jax.numpy.asarray(a.permute(0, 2, 3, 1).numpy()) for a in (x, ȳ)]
        self.arrays.insert(1, jax.numpy.asarray(w.permute(2, 3, 1, 0).numpy()))

    def run(self) -> Any:
        return self.ready(self.compiled(*self.arrays))

    def results(self, outcome: Any) -> dict[str, Array]:
        y, x̄, w̄ = (from_dlpack(a).clone() for a in outcome)
        return named((y.permute(0, 3, 1, 2), x̄.permute(0, 3, 1, 2), w̄.permute(3, 2, 0, 1)))


def named(outcome: tuple[Array, ...]) -> dict[str, Array]:
    return as_arrays(**dict(zip(("y", "x̄", "w̄"), outcome, strict=True)))


def comparison(shape: Shape) -> Comparison:
    eager = tuple(Side(f"torch.nn {name}", partial(TorchConv, shape, layout)) for name, layout in LAYOUTS.items())
    peers = (
        Peer("torch.nn", eager),
        Peer("JAX", (Side("JAX", partial(JaxConv, shape)),), missing=jax_missing(), cpu_only=True),
    )
    return Comparison("conv", shape.name, shape.what, Side(OURS, partial(Ours, shape)), peers)


def jax_missing() -> str:
    """Why JAX can't be the peer, or nothing."""
    return "" if find_spec("jax") else "JAX isn't installed (extra bench-jax)"


SHAPES = (
    Shape("32@112", 32, 32, 112),
    Shape("64@112", 64, 64, 112),
    Shape("64@64", 64, 64, 64),
    Shape("128@56", 128, 128, 56),
    Shape("256@28", 256, 256, 28),
    Shape("256@16", 256, 256, 16),
    Shape("4x4-stride2", 64, 128, 64, kernel=4, stride=2),
    Shape("1x1", 128, 128, 56, kernel=1, padding=0),
    Shape("7x7", 2, 1, 112, kernel=7, padding=3),
    Shape("rgb", 3, 64, 112),
)
CASES = tuple(comparison(shape) for shape in SHAPES)
