"""Initial weights: how large random numbers must be for signals to neither fade nor explode.

The generator is torch's global one on the CPU, whatever device the weights go to later, so that a seed
(`photomend.core.backend.runtime.seed_everything`) gives the same weights everywhere.

Sources: He et al., *Delving deep into rectifiers* (2015), eq. 10; Glorot & Bengio, *Understanding the difficulty of
training deep feedforward neural networks* (2010), eq. 16.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from .tape import Array

#: Whether weights are drawn: drawing three million takes longer than reading them.
_drawing = ContextVar("drawing", default=True)


@contextmanager
def undrawn() -> Iterator[None]:
    """Inside this context all weights are 0, and no random number is used: for a network whose weights are loaded."""
    token = _drawing.set(False)
    try:
        yield
    finally:
        _drawing.reset(token)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of shape (out, in, *kernel): how many inputs feed one output, and the reverse.

    Raises:
        ValueError: the shape has fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"fans: shape (={shape}) must have at least two axes (out, in, …)")
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


def leaky_gain(negative_slope: float) -> float:
    """The gain √(2 / (1 + a²)) that a leaky ReLU of slope a needs (a = 0: ReLU, √2)."""
    return math.sqrt(2 / (1 + negative_slope**2))


def kaiming_normal(shape: tuple[int, ...], gain: float = math.sqrt(2)) -> Array:
    """Float32 weights drawn from N(0, gain² / fan_in)."""
    return _normal(shape, gain / math.sqrt(fans(shape)[0]))


def kaiming_uniform(shape: tuple[int, ...], gain: float = math.sqrt(2)) -> Array:
    """Float32 weights drawn evenly from ±gain · √(3 / fan_in)."""
    return uniform(shape, gain * math.sqrt(3 / fans(shape)[0]))


def xavier_uniform(shape: tuple[int, ...], gain: float = 1.0) -> Array:
    """Float32 weights drawn evenly from ±gain · √(6 / (fan_in + fan_out))."""
    return uniform(shape, gain * math.sqrt(6 / sum(fans(shape))))


def xavier_normal(shape: tuple[int, ...], gain: float = 1.0) -> Array:
    """Float32 weights drawn from N(0, gain² · 2 / (fan_in + fan_out))."""
    return _normal(shape, gain * math.sqrt(2 / sum(fans(shape))))


def uniform(shape: tuple[int, ...], bound: float) -> Array:
    """Float32 numbers drawn evenly from [−bound, bound)."""
    return torch.empty(shape).uniform_(-bound, bound) if _drawing.get() else torch.zeros(shape)


def _normal(shape: tuple[int, ...], deviation: float) -> Array:
    """Float32 numbers drawn from N(0, deviation²)."""
    return torch.empty(shape).normal_().mul_(deviation) if _drawing.get() else torch.zeros(shape)
