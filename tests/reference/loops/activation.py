"""Activations of one number, and what applies them to arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def elementwise(f: Callable[..., float], *xs: np.ndarray | float) -> np.ndarray:
    """f of each element (of the elements at the same place, after broadcasting)."""
    arrays = np.broadcast_arrays(*xs)
    y = np.empty(arrays[0].shape)
    for at in np.ndindex(y.shape):
        y[at] = f(*(a[at] for a in arrays))
    return y


def relu(x: float) -> float:
    return max(x, 0.0)


def leaky_relu(x: float, negative_slope: float = 0.01) -> float:
    return x if x > 0 else negative_slope * x


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def tanh(x: float) -> float:
    return (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x))


def silu(x: float) -> float:
    return x * sigmoid(x)


def gelu(x: float) -> float:
    """x times the probability that a number from N(0, 1) is below it."""
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def gelu_tanh(x: float) -> float:
    return x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def glu(x: np.ndarray) -> np.ndarray:
    """The first half of the channels (axis 1) times σ of the second half."""
    half = x.shape[1] // 2
    y = np.empty((x.shape[0], half, *x.shape[2:]))
    for n, c, *at in np.ndindex(y.shape):
        y[(n, c, *at)] = x[(n, c, *at)] * sigmoid(x[(n, half + c, *at)])
    return y


def dropout(x: np.ndarray, *, keep: np.ndarray, p: float) -> np.ndarray:
    """What is kept grows by 1 / (1 − p), so that the expected value stays."""
    return elementwise(lambda value, kept: value / (1 - p) if kept else 0.0, x, keep)
