"""Primitives that take the sum, the mean, the variance, the largest or the smallest element along axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..primitive import primitive
from ..tape import Array, Pullback
from .half import rounded_once

Axes = int | Sequence[int] | None


def _axes(x: Array, dim: Axes) -> tuple[int, ...]:
    """The axes of `dim` counted from the front; None means all of them, and so does () as in torch, where a single
    number, which has no axes, may also be reduced along the axis 0."""
    axes = x.ndim
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return tuple(range(axes))
    dims, ndim = (dim,) if isinstance(dim, int) else tuple(dim), axes or 1
    for d in dims:
        if not -ndim <= d < ndim:
            raise ValueError(f"dim (={d}) is out of range for an array with {axes} axes")
    return tuple([d % ndim for d in dims]) if axes else ()


def _spread(ȳ: Array, shape: torch.Size, axes: tuple[int, ...], keepdim: bool) -> Array:
    """Repeat a cotangent along the axes that were summed away (a view, no copy)."""
    if not keepdim:
        for axis in sorted(axes):
            ȳ = ȳ.unsqueeze(axis)
    return ȳ.expand(shape)


@primitive
def sum(x: Array, *, dim: Axes = None, keepdim: bool = False) -> tuple[Array, Pullback]:
    """Σx over the axes `dim`; every summand receives ȳ."""
    axes, shape = _axes(x, dim), x.shape

    def sum_pullback(ȳ: Array):
        return _spread(ȳ, shape, axes, keepdim)

    return x.sum(dim=axes, keepdim=keepdim), sum_pullback


@primitive
def mean(x: Array, *, dim: Axes = None, keepdim: bool = False) -> tuple[Array, Pullback]:
    """The mean over the axes `dim`; every one of the n summands receives ȳ / n."""
    axes, shape = _axes(x, dim), x.shape
    n = math.prod(shape[a] for a in axes)

    def mean_pullback(ȳ: Array):
        return _spread(ȳ / n, shape, axes, keepdim)

    return x.mean(dim=axes, keepdim=keepdim), mean_pullback


@primitive
@rounded_once
def variance(x: Array, *, dim: Axes = None, keepdim: bool = False, correction: float = 0) -> tuple[Array, Pullback]:
    """The variance Σ(x − μ)² / (n − c) over the axes `dim`, in two passes; x̄ = ȳ · 2 (x − μ) / (n − c), μ the mean.

    With the `correction` c = 0 it is the biased one, of which norms are made; with c = 1 (Bessel's) that of torch's
    `var`. The derivative of μ drops out, because the deviations sum to 0.
    """
    axes, shape = _axes(x, dim), x.shape
    n = max(0, math.prod(shape[a] for a in axes) - correction)
    deviation = x - x.mean(dim=axes, keepdim=True)

    def variance_pullback(ȳ: Array):
        return deviation * _spread(ȳ * 2 / n, shape, axes, keepdim)

    return deviation.square().sum(dim=axes, keepdim=keepdim) / n, variance_pullback


def _some_of(op: str, x: Array, dim: Axes) -> tuple[int, ...]:
    """The axes of `dim`, along which there must be elements: nothing has no extreme."""
    axes = _axes(x, dim)
    if empty := [axis for axis in axes if x.shape[axis] == 0]:
        raise ValueError(f"{op}: input of shape {tuple(x.shape)} has no elements along dim (={empty[0]})")
    return axes


def _ties(x: Array, y: Array, ȳ: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
    """ȳ for the elements of x that are y, their extreme along the axes; several that tie share it evenly."""
    # 1 where they are equal, as a number: torch takes several times as long over booleans on a CPU.
    equal = torch.eq(x, y, out=torch.empty_like(x))
    return equal.mul_(_spread(ȳ, y.shape, axes, keepdim) / equal.sum(dim=axes, keepdim=True))


@primitive
def amax(x: Array, *, dim: Axes = None, keepdim: bool = False) -> tuple[Array, Pullback]:
    """The largest element along the axes `dim`; it receives ȳ, and several that tie share ȳ evenly, as in torch.

    Raises:
        ValueError: x has no such axis, or no elements along it.
    """
    axes = _some_of("amax", x, dim)
    y = torch.amax(x, dim=axes, keepdim=True)

    def amax_pullback(ȳ: Array):
        return _ties(x, y, ȳ, axes, keepdim)

    return (y if keepdim else y.squeeze(axes)), amax_pullback


@primitive
def amin(x: Array, *, dim: Axes = None, keepdim: bool = False) -> tuple[Array, Pullback]:
    """The smallest element along the axes `dim`; it receives ȳ, and several that tie share ȳ evenly, as in torch.

    Raises:
        ValueError: x has no such axis, or no elements along it.
    """
    axes = _some_of("amin", x, dim)
    y = torch.amin(x, dim=axes, keepdim=True)

    def amin_pullback(ȳ: Array):
        return _ties(x, y, ȳ, axes, keepdim)

    return (y if keepdim else y.squeeze(axes)), amin_pullback
