"""Primitives that move elements without changing them: each pullback moves the cotangent back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..primitive import primitive, sum_to_shape
from ..tape import Array, Pullback

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def reshape(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, Pullback]:
    """x with the same elements in another shape (one size may be −1)."""
    before = x.shape

    def reshape_pullback(ȳ: Array):
        return ȳ.reshape(before)

    return x.reshape(shape), reshape_pullback


@primitive
def permute(x: Array, *, dims: tuple[int, ...]) -> tuple[Array, Pullback]:
    """x with its axes in another order (a view); the pullback applies the inverse permutation."""
    inverse = [0] * len(dims)
    for to, source in enumerate(dims):
        inverse[source] = to

    def permute_pullback(ȳ: Array):
        return ȳ.permute(inverse)

    return x.permute(dims), permute_pullback


@primitive
def transpose(x: Array, *, dim0: int, dim1: int) -> tuple[Array, Pullback]:
    """x with two axes exchanged (a view); the pullback exchanges them again."""

    def transpose_pullback(ȳ: Array):
        return ȳ.transpose(dim0, dim1)

    return x.transpose(dim0, dim1), transpose_pullback


@primitive
def broadcast_to(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, Pullback]:
    """x repeated along new axes and axes of size 1 (a view); the pullback sums the repetitions."""
    before = x.shape

    def broadcast_to_pullback(ȳ: Array):
        return sum_to_shape(ȳ, before)

    return x.expand(shape), broadcast_to_pullback


@primitive
def concatenate(*xs: Array, dim: int = 0) -> tuple[Array, Pullback]:
    """The arrays, one by one or in a list, joined along the axis `dim`; each receives its own part of ȳ.

    Raises:
        IndexError: an array has no such axis.
    """
    for i, x in enumerate(xs):
        if not -x.ndim <= dim < x.ndim:
            raise IndexError(f"concatenate: dim (={dim}) is out of range for xs[{i}] of shape {tuple(x.shape)}")
    sizes = [x.shape[dim] for x in xs]

    def concatenate_pullback(ȳ: Array):
        return ȳ.split(sizes, dim)

    return torch.cat(xs, dim), concatenate_pullback


cat = concatenate  # torch's shorter name


@primitive
def stack(*xs: Array, dim: int = 0) -> tuple[Array, Pullback]:
    """The arrays, one by one or in a list, along a new axis `dim`; each receives its own slice of ȳ."""

    def stack_pullback(ȳ: Array):
        return ȳ.unbind(dim)

    return torch.stack(xs, dim), stack_pullback


def split(x: Array | Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Any, ...]:
    """x in parts along the axis `dim`; see `Tensor.split`. No primitive, because a primitive has one result: each part
    is a `getitem`."""
    return x.split(split_size_or_sections, dim)


def squeeze(x: Array | Tensor, dim: int | tuple[int, ...] | None = None) -> Any:
    """x without the axes `dim` (None: all) as far as their length is 1: a `reshape`."""
    return x.squeeze() if dim is None else x.squeeze(dim)


def unsqueeze(x: Array | Tensor, dim: int) -> Any:
    """x with a new axis of length 1 before the axis `dim`: a `reshape`."""
    return x.unsqueeze(dim)


@primitive
def getitem(x: Array, *, index: Any) -> tuple[Array, Pullback]:
    """x[index] with slices, integers or index arrays; an element taken several times receives every ȳ of it."""
    shape, index = x.shape, _own(index)

    def getitem_pullback(ȳ: Array):
        x̄ = torch.zeros(shape, dtype=ȳ.dtype, device=ȳ.device)
        if _is_basic(index):
            x̄[index] = ȳ
        else:  # index an array of positions in the same way, whatever the mixture of slices and arrays
            positions = torch.arange(shape.numel(), device=ȳ.device).reshape(shape)[index]
            x̄.view(-1).index_add_(0, positions.reshape(-1), ȳ.reshape(-1))
        return x̄

    return x[index], getitem_pullback


def _own(index: Any) -> Any:
    """An index whose lists and NumPy arrays are copies: unlike a torch array, they don't say when they are changed, and
    the backward pass reads them again."""
    if isinstance(index, tuple | list):
        return type(index)(map(_own, index)) if type(index) in (tuple, list) else index
    return index.copy() if isinstance(index, np.ndarray) else index


def _is_basic(index: Any) -> bool:
    """Whether every part of an index is a slice, an integer, None or …, so that no element is taken twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, slice | int) for part in parts)


@primitive
def pad(x: Array, *, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> tuple[Array, Pullback]:
    """`value` around the last axes of x: ``pad`` is (before, after) of the last one, then of the one before, … as in
    torch, so (left, right, top, bottom) of images; the pullback cuts it off again.

    Raises:
        ValueError: a padding is negative, there are not two for each axis, or more than x has axes; or another `mode`.
    """
    if mode != "constant":
        raise ValueError(f"pad: mode (={mode!r}) must be 'constant', the only one there is")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: pad (={tuple(pad)}) must have two numbers for each axis, of {x.ndim} at most")
    if any(n < 0 for n in pad):
        raise ValueError(f"pad: pad (={tuple(pad)}) must not be negative")
    shape, inside = list(x.shape), [slice(None)] * x.ndim
    for axis, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        shape[-axis] += before + after
        inside[-axis] = slice(before, before + x.shape[-axis])
    y, index = x.new_full(shape, value), tuple(inside)
    y[index] = x

    def pad_pullback(ȳ: Array):
        return ȳ[index]

    return y, pad_pullback
