"""Which algorithm convolves: the one that should take the least time on this machine, by one rule.

All algorithms give the same up to rounding, so the choice is a question of speed alone. An algorithm multiplies, in
large matrix products or in batches of small ones, it moves numbers through memory, and it calls operations, each of
which takes a little time whatever its size. The time it should take is the sum of these, by what the machine does in a
nanosecond (`core/backend/machine.py`):

    multiplications in large products / large  +  in small ones / batch  +  numbers moved / memory  +  calls · call

(a roofline model whose parts are added up, because they do not overlap here; Williams, Waterman & Patterson,
*Roofline*, 2009). What each algorithm does is counted below, from its own text. The adjoint in x with stride 1 is a
convolution itself and is chosen like one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

from ...core import Array
from ...core.backend.machine import Machine, machine
from . import im2col, taps, winograd, winograd_rows
from .problem import Problem

#: Every algorithm: a module with `suits`, `forward`, `input_gradient` and, but for one, `weight_gradient`. The general
#: one first.
ALGORITHMS: Mapping[str, ModuleType] = {
    "taps": taps,
    "im2col": im2col,
    "winograd": winograd,
    "winograd-rows": winograd_rows,
}

#: Cores that a machine's description is about.
CORES = 2

_only: str | None = None


class Plan(NamedTuple):
    """The functions that compute one convolution, and the algorithms they belong to."""

    forward: Callable[[Array, Array, Array | None, Problem], Array]
    input_gradient: Callable[[Array, Array, Problem], Array]
    weight_gradient: Callable[[Array, Array, Problem], Array]
    names: tuple[str, str, str]


class Work(NamedTuple):
    """What an algorithm does: multiplications in large products and in batches of small ones, numbers moved, calls."""

    large: float = 0
    batch: float = 0
    moved: float = 0
    calls: float = 0

    def nanoseconds(self, on: Machine) -> float:
        return self.large / on.large + self.batch / on.batch + self.moved / on.memory + self.calls * on.call


def choose(problem: Problem) -> Plan:
    """The plan for this problem: that of one algorithm inside `only`, if it suits; or else by the rule."""
    forward, back, weights = _by_rule(problem, machine())
    if _only is not None and ALGORITHMS[_only].suits(problem):
        forward = back = _only
        weights = _only if hasattr(ALGORITHMS[_only], "weight_gradient") else weights
    return _plan((forward, back, weights))


@contextmanager
def only(name: str) -> Iterator[None]:
    """Inside this context, this algorithm convolves whatever it suits: to check it, or to see what it is worth."""
    global _only
    before, _only = _only, name
    try:
        yield
    finally:
        _only = before


@functools.cache
def _plan(names: tuple[str, str, str]) -> Plan:
    forward, back, weights = (ALGORITHMS[name] for name in names)
    return Plan(forward.forward, back.input_gradient, weights.weight_gradient, names)


@functools.lru_cache(maxsize=4096)
def _by_rule(problem: Problem, on: Machine) -> tuple[str, str, str]:
    """The algorithms of the three directions. On devices other than CPUs nothing has been measured: tap by tap, and a
    kernel of one tap as the one product that it is."""
    if problem.device != "cpu":
        name = "im2col" if problem.pointwise and problem.groups == 1 else "taps"
        return name, name, name
    suitable = [name for name, algorithm in ALGORITHMS.items() if algorithm.suits(problem)]
    with_weights = [name for name in suitable if hasattr(ALGORITHMS[name], "weight_gradient")]
    adjoint = problem.adjoint() if problem.stride == (1, 1) else problem

    def fastest(names: list[str], work: Callable[[str, Problem], Work], p: Problem) -> str:
        return min(names, key=lambda name: work(name, p).nanoseconds(on))

    forward, back = (fastest(suitable, _forward_work, p) for p in (problem, adjoint))
    return forward, back, fastest(with_weights, _weight_work, problem)


def _forward_work(name: str, p: Problem) -> Work:
    """What the forward pass of an algorithm does: the letters are those of its own text."""
    c, o, k, pixels = p.channels, p.out_channels, p.taps, p.pixels
    if name == "taps":
        return Work(large=k * pixels * c * _columns(o) / p.groups, moved=k * pixels * (c + 3 * o), calls=5 * k)
    if name == "im2col":
        copied = 0 if p.pointwise else pixels * k * c
        calls = 6 * _blocks(copied, p, im2col.BLOCK)
        return Work(large=pixels * k * c * _columns(o), moved=copied + pixels * o, calls=calls)
    if name == "winograd-rows":
        pieces = p.images * -(-p.out[0] // 4) * (p.size[1] + 2 * p.padding[1])  # of six rows, each a column wide
        calls = 40 * _blocks(6 * pieces * max(c, o), p, winograd_rows.BLOCK * CORES)
        return Work(6 * pieces * p.kernel[1] * c * _columns(o), moved=pieces * (14 * c + 12 * o), calls=calls)
    tiles = p.images * -(-p.out[0] // 4) * -(-p.out[1] // 4)
    transforms = 36 * 36 * tiles * c + 16 * 36 * tiles * o
    moved = tiles * (2 * 36 * c + 36 * o + 2 * 16 * o)
    calls = 60 * _blocks(36 * tiles * max(c, o), p, winograd.BLOCK * CORES)
    return Work(transforms, batch=36 * tiles * c * _columns(o), moved=moved, calls=calls)


def _weight_work(name: str, p: Problem) -> Work:
    """What the weight gradient of an algorithm does: mostly its forward pass again, with the output in the sum."""
    c, o, k, pixels = p.channels, p.out_channels, p.taps, p.pixels
    if name == "taps":
        large = k * pixels * _columns(c) * _columns(o) / p.groups
        return Work(large, moved=2 * k * pixels * (c + o), calls=5 * k)
    if name == "im2col" and not p.pointwise:
        few, many = (min(c, o), max(c, o)) if p.stride == (1, 1) else (c, o)
        calls = 8 * _blocks(pixels * k * few, p, im2col.BLOCK)
        return Work(pixels * k * few * _columns(many), moved=pixels * (k * few + c + o), calls=calls)
    return _forward_work(name, p)


def _columns(count: float) -> float:
    """A matrix of fewer columns than a processor's registers hold takes as long as one that fills them."""
    return max(16, count)


def _blocks(numbers: float, p: Problem, size: int) -> int:
    """In how many blocks of `size` bytes so many numbers are worked on."""
    return max(1, math.ceil(numbers * p.dtype.itemsize / size))
