"""Which algorithm convolves: read off a table that was measured, or measured now.

All algorithms give the same up to rounding, so the choice is a question of speed alone, and forward pass, input
gradient and weight gradient may go three ways. By default it follows from the shape by fixed rules, so that the same
program gives the same bits every time on one machine, with one number of threads. In `tuning`, each new shape is tried
once with every algorithm that suits it, and the fastest is kept for as long as the process lives.

What the rules rest on: milliseconds for forward, input gradient and weight gradient; batch 8, float32, two cores
with AVX-512, the shortest of nine tries (`seconds`):

    shape                    taps             bands            winograd         pointwise, interleaved
    1×1 128→128 @56          2.3 3.3 3.0      5.6 6.0 7.0                       2.2 2.2 2.4
    1×1 64→128 @48, stride 2 0.6 0.8 0.7                                        0.3 0.5 0.4
    7×7 2→1 @112             6.5 5.5 5.1      0.7 0.5 0.9
    3×3 3→64 @112            5.9 10.8 7.2     2.2 10.7 4.0     6.5 12.6 6.5
    3×3 64→3 @112            10.7 6.2 12.2    10.7 2.4 13.6    12.6 6.7 12.7
    3×3 4→64 @48             1.3 2.2 1.7      0.6 1.9 0.8      1.3 2.4 1.3
    3×3 8→8 @48              0.9 0.9 0.5      0.5 0.6 0.6      0.6 0.6 0.5
    5×5 16→16 @48            1.8 1.8 2.1      2.1 2.2 2.8
    3×3 32→32 @48            1.5 1.6 2.3      2.3 2.3 2.9      1.5 1.6 1.6
    3×3 64→64 @56            7.5 7.7 9.3      8.4 8.4 10.0     4.7 4.8 4.9
    3×3 16→16 @24, d = 2     0.4 0.4 0.4                                        0.5 0.5 0.5
    3×3 128→128 @12, d = 2   2.0 2.0 2.1                                        1.4 1.4 1.4
    3×3 128→128 @24, d = 4   7.4 7.6 9.0                                        4.8 4.8 5.0

These are MKL's products. oneDNN's are up to twice as fast where they can be had (`core.products`), and there one
large product overtakes Winograd, which makes many small ones:

    shape                    winograd         interleaved      im2col
    3×3 32→32 @48            2.9 3.2 2.3                       1.8 1.7 2.1
    3×3 32→32 @112           14.0 13.5 11.4                    8.0 7.3 9.0
    3×3 64→64 @24            2.0 2.1 1.5                       1.1 1.0 1.2
    3×3 64→64 @64            10.5 10.3 9.2                     7.7 7.5 9.0
    3×3 64→64 @112           30.1 27.6 26.2                    22.5 20.8 26.0
    3×3 128→128 @56          18.1 20.9 19.1                    20.2 20.0 23.7
    3×3 128→128 @12          1.8 1.9 1.7                       0.9 0.9 1.2
    3×3 128→128 @12, d = 2                    2.6 2.8 2.7      1.0 1.0 1.2
    3×3 256→256 @16          6.1 6.0 8.7                       6.8 8.0 8.4
    3×3 256→256 @28          12.7 11.9 17.0                    18.2 20.0 20.8

Where the channels of one side are few, with oneDNN's products, and with MKL's below:

    shape                    taps             bands            planes           im2col
    3×3 3→64 @112            4.2 7.4 7.6      2.4 14.2 4.3     23.0 3.3 1.7     3.0 9.8 1.7
    3×3 64→3 @112            23.0 3.8 7.1     13.7 2.5 22.1    3.5 23.9 1.6     10.1 2.9 1.6
    3×3 64→8 @48             4.3 1.1 1.9      2.5 0.9 5.0      1.0 4.6 0.6      2.1 0.7 0.6
    3×3 32→12 @48            1.6 0.9 1.3      1.6 0.9 3.3      1.0 2.1 0.6      1.4 0.6 0.6
    7×7 2→1 @112             3.7 5.1 10.0     0.7 0.5 1.7      3.8 7.4 1.5      2.3 2.7 1.5

    3×3 3→64 @112            3.2 7.5 7.0      3.8 24.7 4.2     31.1 6.3 4.5     3.8 28.0 4.3
    3×3 64→3 @112            23.1 7.3 8.5     24.7 3.8 32.7    6.2 32.2 4.4     10.5 3.8 4.3

And with Winograd's transforms compiled (`core.compiling`):

    shape                    winograd         im2col
    3×3 32→32 @112           7.8 7.3 7.8      7.9 7.1 13.1
    3×3 64→64 @24            1.5 1.5 1.5      1.1 1.1 1.4
    3×3 64→64 @64            6.5 6.3 7.0      7.0 6.9 9.4
    3×3 64→64 @112           18.9 18.0 19.9   21.2 20.4 26.6
    3×3 128→128 @56          12.5 15.5 17.3   20.4 19.5 27.1
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from ...core import HALF_PRECISION, Array
from ...core.compiling import compiles_functions
from ...core.products import has_onednn
from .bands import BANDS
from .im2col import IM2COL
from .interleaved import INTERLEAVED
from .planes import PLANES
from .pointwise import POINTWISE
from .shape import Algorithm, ConvShape
from .taps import TAPS
from .winograd import WINOGRAD

#: The general one first.
ALGORITHMS = (TAPS, POINTWISE, BANDS, PLANES, WINOGRAD, INTERLEAVED, IM2COL)


@dataclass(frozen=True)
class Plan:
    """The algorithms for one shape."""

    forward: Algorithm
    input_gradient: Algorithm
    weight_gradient: Algorithm


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


#: Below so many channels on either side, the transforms of a tile cost more than Winograd saves; and of so few a window
#: is small enough for a banded matrix.
FEWEST_CHANNELS = 12
#: So many outputs at most, and half as many as inputs, have few enough planes to be moved.
MOST_PLANES = 12
#: The same for Winograd on the sub-images of a dilated convolution, which have to be sorted first.
FEWEST_INTERLEAVED = 32
#: Where oneDNN multiplies, from so many channels on Winograd is faster than one large product; unless the output is so
#: small that the products it makes do not fill their rows.
MANY_CHANNELS, SMALL_OUTPUT = 128, 14 * 14
#: The same for compiled transforms.
MANY_COMPILED, SMALL_COMPILED = 64, 32 * 32


def by_rule(shape: ConvShape) -> Plan:
    """The choice without measuring.

    On other devices nothing has been measured, and one product for each tap, or for all of them, is what they get.
    """
    if POINTWISE.suits(shape):
        return Plan(POINTWISE, POINTWISE, POINTWISE)
    if shape.device != "cpu":
        return Plan(TAPS, TAPS, TAPS)
    fewest = min(shape.channels, shape.out_channels)
    half, one_product = shape.dtype in HALF_PRECISION, _one_product(shape)
    if IM2COL.suits(shape) and (half or max(shape.stride) > 1) and fewest >= FEWEST_CHANNELS:
        return Plan(IM2COL, IM2COL, IM2COL)
    if INTERLEAVED.suits(shape) and fewest >= FEWEST_INTERLEAVED:
        best = IM2COL if one_product else INTERLEAVED
        return Plan(best, best, best)

    def chosen(seen: int, given: int) -> Algorithm:
        """For a direction that looks through windows at so many channels, and gives so many."""
        if BANDS.suits(shape) and seen < FEWEST_CHANNELS:
            return BANDS
        if PLANES.suits(shape) and given <= min(MOST_PLANES, seen // 2):
            return PLANES
        if one_product:
            return IM2COL
        return WINOGRAD if WINOGRAD.suits(shape) and fewest >= FEWEST_CHANNELS else TAPS

    of_input, of_output = chosen(shape.channels, shape.out_channels), chosen(shape.out_channels, shape.channels)
    by_planes = shape.stride == (1, 1) and shape.groups == 1  # im2col's weight gradient
    few = fewest < FEWEST_CHANNELS <= shape.channels * shape.out_channels
    return Plan(of_input, of_output, IM2COL if by_planes and (few or one_product) else of_input)


def _one_product(shape: ConvShape) -> bool:
    """Whether one product over all taps is the fastest, because oneDNN multiplies."""
    fewest = min(shape.channels, shape.out_channels)
    if shape.dtype != torch.float32 or fewest < FEWEST_CHANNELS or shape.groups > 1 or not has_onednn():
        return False
    if not WINOGRAD.suits(shape) and not INTERLEAVED.suits(shape):
        return True
    if compiles_functions() and shape.plain and fewest >= MANY_COMPILED and math.prod(shape.out) > SMALL_COMPILED:
        return False
    return fewest < MANY_CHANNELS or _is_small(shape)


def _is_small(shape: ConvShape) -> bool:
    """Whether Winograd's products would have few rows."""
    return min(shape.channels, shape.out_channels) <= MANY_CHANNELS and math.prod(shape.out) <= SMALL_OUTPUT


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
