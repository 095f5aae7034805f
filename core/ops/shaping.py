"""Primitives that move elements without changing them: each pullback moves the cotangent back."""

from __future__ import annotations

from typing import Any

import torch

from ..primitive import primitive, sum_to_shape
from ..tape import Array, Pullback


@primitive
def reshape(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, Pullback]:
    """x with the same elements in another shape (one size may be −1)."""
    before = x.shape

    def reshape_pullback(ȳ: Array):
        return ȳ.reshape(before)

    return x.reshape(shape), reshape_pullback


@primitive
def permute(x: Array, *, axes: tuple[int, ...]) -> tuple[Array, Pullback]:
    """x with its axes in another order (a view); the pullback applies the inverse permutation."""
    inverse = [0] * len(axes)
    for to, source in enumerate(axes):
        inverse[source] = to

    def permute_pullback(ȳ: Array):
        return ȳ.permute(inverse)

    return x.permute(axes), permute_pullback


@primitive
def broadcast_to(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, Pullback]:
    """x repeated along new axes and axes of size 1 (a view); the pullback sums the repetitions."""
    before = x.shape

    def broadcast_to_pullback(ȳ: Array):
        return sum_to_shape(ȳ, before)

    return x.expand(shape), broadcast_to_pullback


@primitive
def concatenate(*xs: Array, dim: int = 1) -> tuple[Array, Pullback]:
    """The arrays joined along the axis `dim`; each receives its own part of ȳ.

    Raises:
        TypeError: a list stands where the arrays should stand one by one.
    """
    for i, x in enumerate(xs):
        if not isinstance(x, Array):
            raise TypeError(f"concatenate: xs[{i}] is a {type(x).__name__}; unpack it: concatenate(*arrays)")
    sizes = [x.shape[dim] for x in xs]

    def concatenate_pullback(ȳ: Array):
        return ȳ.split(sizes, dim)

    return torch.cat(xs, dim), concatenate_pullback


@primitive
def getitem(x: Array, *, index: Any) -> tuple[Array, Pullback]:
    """x[index] with slices, integers or index arrays; an element taken several times receives every ȳ of it."""
    shape = x.shape

    def getitem_pullback(ȳ: Array):
        x̄ = torch.zeros(shape, dtype=ȳ.dtype, device=ȳ.device)
        if _is_basic(index):
            x̄[index] = ȳ
        else:  # index an array of positions in the same way, whatever the mixture of slices and arrays
            positions = torch.arange(shape.numel(), device=ȳ.device).reshape(shape)[index]
            x̄.view(-1).index_add_(0, positions.reshape(-1), ȳ.reshape(-1))
        return x̄

    return x[index], getitem_pullback


def _is_basic(index: Any) -> bool:
    """Whether every part of an index is a slice, an integer, None or …, so that no element is taken twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, slice | int) for part in parts)


@primitive
def pad(x: Array, *, padding: tuple[int, int, int, int]) -> tuple[Array, Pullback]:
    """Zeros around the last two axes, (left, right, top, bottom) of them; the pullback cuts them off again.

    Raises:
        ValueError: a padding is negative.
    """
    left, right, top, bottom = padding
    if min(padding) < 0:
        raise ValueError(f"pad: padding (={padding}) must not be negative")
    height, width = x.shape[-2:]
    y = x.new_zeros(*x.shape[:-2], top + height + bottom, left + width + right)
    inside = (..., slice(top, top + height), slice(left, left + width))
    y[inside] = x

    def pad_pullback(ȳ: Array):
        return ȳ[inside]

    return y, pad_pullback
