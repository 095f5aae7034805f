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


def elu(x: float, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> float:
    return scale * (x if x > 0 else alpha * (math.exp(input_scale * x) - 1))


def celu(x: float, alpha: float = 1.0) -> float:
    return x if x > 0 else alpha * (math.exp(x / alpha) - 1)


def selu(x: float) -> float:
    return elu(x, 1.6732632423543772, 1.0507009873554805)


def hardtanh(x: float, min_val: float = -1.0, max_val: float = 1.0) -> float:
    return min(max(x, min_val), max_val)


def relu6(x: float) -> float:
    return min(max(x, 0.0), 6.0)


def hardswish(x: float) -> float:
    return x * min(max(x + 3, 0.0), 6.0) / 6


def logsigmoid(x: float) -> float:
    return math.log(sigmoid(x))


def softsign(x: float) -> float:
    return x / (1 + abs(x))


def mish(x: float) -> float:
    return x * math.tanh(math.log(1 + math.exp(x)))


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Each channel (axis 1) has its own slope below 0, or all have one."""
    y = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        slope = weight[0 if len(weight) == 1 else at[1]]
        y[at] = x[at] if x[at] > 0 else slope * x[at]
    return y


def glu(x: np.ndarray, dim: int = -1) -> np.ndarray:
    """The first half along an axis times σ of the second half."""
    x = np.moveaxis(x, dim, 0)
    half = len(x) // 2
    return np.moveaxis(elementwise(lambda a, g: a * sigmoid(g), x[:half], x[half:]), 0, dim)


def dropout(x: np.ndarray, *, keep: np.ndarray, p: float) -> np.ndarray:
    """What is kept grows by 1 / (1 − p), so that the expected value stays."""
    return elementwise(lambda value, kept: value / (1 - p) if kept else 0.0, x, keep)
