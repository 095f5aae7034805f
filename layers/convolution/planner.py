"""Which algorithm convolves: by rules that were measured once (`rules.py`), or measured now.

All algorithms give the same up to rounding, so the choice is a question of speed alone, and forward pass, input
gradient and weight gradient may go three ways. By default it follows from the shape. In `tuning`, each new shape is
tried once with every algorithm that suits it, and the fastest is kept for as long as the process lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch

from ...core import Array
from .bands import BANDS
from .im2col import IM2COL
from .interleaved import INTERLEAVED
from .kn2row import KN2ROW
from .pointwise import POINTWISE
from .rules import Plan, by_rule
from .shape import Algorithm, ConvShape
from .taps import TAPS
from .winograd import WINOGRAD
from .winograd1d import WINOGRAD1D
from .winograd_strided import WINOGRAD_STRIDED

#: The general one first.
ALGORITHMS = (TAPS, POINTWISE, BANDS, KN2ROW, WINOGRAD, WINOGRAD1D, WINOGRAD_STRIDED, INTERLEAVED, IM2COL)


_tuning = False
_only: Algorithm | None = None
_tuned: dict[ConvShape, Plan] = {}


def plan(shape: ConvShape) -> Plan:
    """The algorithms to use for a convolution of this shape."""
    if _only is not None and _only.suits(shape):
        return Plan(_only, _only, _only)
    if (tuned := _tuned.get(shape)) is not None:
        return tuned
    if _tuning and shape.images:
        made = _tuned[shape] = _measure(shape)
        return made
    return by_rule(shape)


@contextmanager
def tuning() -> Iterator[None]:
    """Inside this context, a shape that comes for the first time is measured; afterwards its plan stays in use."""
    global _tuning
    before, _tuning = _tuning, True
    try:
        yield
    finally:
        _tuning = before


@contextmanager
def only(algorithm: Algorithm) -> Iterator[None]:
    """Inside this context, this algorithm convolves whatever it suits: to check it, or to see what it is worth."""
    global _only
    before, _only = _only, algorithm
    try:
        yield
    finally:
        _only = before


def tuned() -> list[str]:
    """A line for each shape that was measured: the algorithms of forward, input gradient and weight gradient."""
    return [f"{shape}: {', '.join(a.name for a in vars(plan).values())}" for shape, plan in _tuned.items()]


def forget() -> None:
    """Go back to the rules for every shape."""
    _tuned.clear()


def _measure(shape: ConvShape) -> Plan:
    """The fastest algorithm for each of the three directions."""
    return Plan(*(min(by_name.items(), key=lambda item: item[1])[0] for by_name in seconds(shape).values()))


def seconds(shape: ConvShape, repeats: int = 5) -> dict[str, dict[Algorithm, float]]:
    """How long each algorithm that suits takes for "forward", "input_gradient" and "weight_gradient": the shortest of
    some tries, on random numbers."""
    like = torch.empty(0, dtype=shape.dtype, device=shape.device)
    x = _random(like, shape.images, shape.channels, *shape.size)
    w = _random(like, shape.out_channels, shape.channels // shape.groups, *shape.kernel)
    ȳ = _random(like, shape.images, shape.out_channels, *shape.out)
    found: dict[str, dict[Algorithm, float]] = {"forward": {}, "input_gradient": {}, "weight_gradient": {}}
    for algorithm in ALGORITHMS:
        if algorithm.suits(shape):
            for direction, work in (
                ("forward", partial(algorithm.forward, x, w, None, shape)),
                ("input_gradient", partial(algorithm.input_gradient, ȳ, w, shape)),
                ("weight_gradient", partial(algorithm.weight_gradient, x, ȳ, shape)),
            ):
                found[direction][algorithm] = _shortest(work, like, repeats)
    return found


def explain(shape: ConvShape, repeats: int = 5) -> list[str]:
    """A line for each direction: the algorithm in use, whether by rule or because it was tuned, and the milliseconds
    that each one which suits takes now."""
    why = "tuned" if shape in _tuned else "rule"
    lines = []
    for direction, taken in seconds(shape, repeats).items():
        measured = ", ".join(f"{algorithm.name} {1e3 * t:.2f}" for algorithm, t in taken.items())
        lines.append(f"{direction}: {getattr(plan(shape), direction).name} ({why}); ms: {measured}")
    return lines


def _random(like: Array, *sizes: int) -> Array:
    """Random numbers that lie in memory as images do inside a network: channels last."""
    generator = torch.Generator(like.device).manual_seed(0)  # the program's own random numbers go on as they would have
    numbers = torch.randn(*(sizes[i] for i in (0, 2, 3, 1)), generator=generator, dtype=like.dtype, device=like.device)
    return numbers.permute(0, 3, 1, 2)


def _shortest(work: Callable[[], Array], like: Array, repeats: int) -> float:
    taken = []
    for _ in range(repeats + 1):  # the first one also makes ready
        start = time.perf_counter()
        work()
        if like.device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return min(taken[1:])
