"""Softmax, its logarithm, and the logarithm of a sum of exponentials in plain loops, forwards and backwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from .core import reduce


def lines(x: np.ndarray, dim: int) -> Iterator[tuple[int | slice, ...]]:
    """The index of every line of x along the axis `dim`."""
    for at in np.ndindex(*(1 if axis == dim % x.ndim else n for axis, n in enumerate(x.shape))):
        yield tuple(slice(None) if axis == dim % x.ndim else i for axis, i in enumerate(at))


def along(f: Callable[..., list[float]], dim: int, *xs: np.ndarray) -> np.ndarray:
    """f of every line along the axis `dim` (of the lines at the same place)."""
    y = np.empty(xs[0].shape)
    for line in lines(y, dim):
        y[line] = f(*(x[line].tolist() for x in xs))
    return y


def softmax_of(x: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in x)
    return [math.exp(v) / total for v in x]


def softmax(x: np.ndarray, dim: int) -> np.ndarray:
    return along(softmax_of, dim, x)


def log_softmax(x: np.ndarray, dim: int) -> np.ndarray:
    return along(lambda line: [math.log(p) for p in softmax_of(line)], dim, x)


def logsumexp(x: np.ndarray, dim: int | tuple[int, ...], keepdim: bool = False) -> np.ndarray:
    return reduce(lambda values: math.log(sum(math.exp(v) for v in values)))(x, dim=dim, keepdim=keepdim)


def softmax_backward(ȳ: np.ndarray, x: np.ndarray, dim: int) -> np.ndarray:
    """∂yᵢ/∂xⱼ = yᵢ ([i = j] − yⱼ): the loops sum ȳᵢ ∂yᵢ/∂xⱼ over i, where the layer takes one sum for all j."""

    def of_line(ȳ: list[float], x: list[float]) -> list[float]:
        y = softmax_of(x)
        return [sum(ȳ[i] * y[i] * ((i == j) - y[j]) for i in range(len(x))) for j in range(len(x))]

    return along(of_line, dim, ȳ, x)


def log_softmax_backward(ȳ: np.ndarray, x: np.ndarray, dim: int) -> np.ndarray:
    """∂yᵢ/∂xⱼ = [i = j] − pⱼ."""

    def of_line(ȳ: list[float], x: list[float]) -> list[float]:
        p = softmax_of(x)
        return [sum(ȳ[i] * ((i == j) - p[j]) for i in range(len(x))) for j in range(len(x))]

    return along(of_line, dim, ȳ, x)


def logsumexp_backward(ȳ: np.ndarray, x: np.ndarray, dim: int) -> np.ndarray:
    """∂y/∂xⱼ = pⱼ; ȳ has an axis less than x."""
    repeated = np.repeat(np.expand_dims(ȳ, dim), x.shape[dim], dim)
    return along(lambda ȳ, x: [g * p for g, p in zip(ȳ, softmax_of(x), strict=True)], dim, repeated, x)
