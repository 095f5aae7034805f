"""Convolution tap by tap: the definition as a loop over the kernel. Works for every problem.

A convolution slides a kernel over an image. Read the other way round, each *tap* (i, j) of the kernel takes the whole
image, shifted by (i, j), through one small matrix, and the results of all taps are added up:

    y[n, r, c, :]  =  b  +  Σ over (i, j) of  x[n, s r + d i, s c + d j, :] · w[:, :, i, j]ᵀ

(stride s, dilation d, x padded with zeros). What a tap sees of the padded image, a pixel for each output, is a strided
view. So each of the three directions is one matrix product a tap:

    y   +=  view(x) · w[:, :, i, j]ᵀ        forward
    view(x̄)  +=  ȳ · w[:, :, i, j]          its adjoint in x: what was read through the view is added to through it
    w̄[:, :, i, j]  =  ȳᵀ · view(x)     its adjoint in w, summed over all pixels.

With groups, the channels of the input and of the output are cut into equal parts, and each part of the output sees its
own part of the input only: the matrices get one more axis.

The same in plain NumPy loops, without any product of matrices: tests/reference/loops/conv.py.

Memory beside input and output: a padded copy of x, and what one tap sees. In half precision each tap's part is rounded,
and their sum is kept in float32.

Source: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning* (2016).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch

from ...core import Array
from .problem import Problem


def suits(problem: Problem) -> bool:
    return True


def forward(x: Array, w: Array, b: Array | None, problem: Problem) -> Array:
    padded, w_groups = _padded(x, problem), _grouped_weights(w, problem)
    y = _accumulator(problem.images, problem.out, problem.out_channels, x)
    if b is not None:
        y += b
    y_groups = _grouped(y, problem)
    for i, j, rows, columns in _taps(problem):
        seen = _grouped(padded[:, rows, columns], problem)
        y_groups += torch.einsum("nrcgi, goi -> nrcgo", seen, w_groups[..., i, j])
    return y.to(x.dtype)


def input_gradient(ȳ: Array, w: Array, problem: Problem) -> Array:
    (height, width), (top, left), w_groups = problem.size, problem.padding, _grouped_weights(w, problem)
    padded = _accumulator(problem.images, (height + 2 * top, width + 2 * left), problem.channels, ȳ)
    ȳ_groups = _grouped(ȳ, problem)
    for i, j, rows, columns in _taps(problem):
        seen = _grouped(padded[:, rows, columns], problem)
        seen += torch.einsum("nrcgo, goi -> nrcgi", ȳ_groups, w_groups[..., i, j])
    return padded[:, top : top + height, left : left + width].to(ȳ.dtype)


def weight_gradient(x: Array, ȳ: Array, problem: Problem) -> Array:
    padded, ȳ_groups = _padded(x, problem), _grouped(ȳ, problem)
    c_group = problem.channels // problem.groups
    w̄ = x.new_empty(problem.out_channels, c_group, *problem.kernel)
    for i, j, rows, columns in _taps(problem):
        seen = _grouped(padded[:, rows, columns], problem)
        w̄[..., i, j] = torch.einsum("nrcgo, nrcgi -> goi", ȳ_groups, seen).reshape(-1, c_group)
    return w̄


def _taps(problem: Problem) -> Iterator[tuple[int, int, slice, slice]]:
    """Each tap (i, j), and the rows and columns of the padded image that it sees: one for each output."""
    for i, j in itertools.product(*map(range, problem.kernel)):
        rows, columns = (
            slice(d * tap, d * tap + s * (n - 1) + 1, s)
            for tap, d, s, n in zip((i, j), problem.dilation, problem.stride, problem.out, strict=True)
        )
        yield i, j, rows, columns


def _padded(x: Array, problem: Problem) -> Array:
    """x with zeros around it."""
    (n, height, width, c), (top, left) = x.shape, problem.padding
    padded = x.new_zeros(n, height + 2 * top, width + 2 * left, c)
    padded[:, top : top + height, left : left + width] = x
    return padded


def _grouped(pixels: Array, problem: Problem) -> Array:
    """(N, rows, columns, channels) → (N, rows, columns, groups, channels / groups): a view."""
    return pixels.unflatten(3, (problem.groups, -1))


def _grouped_weights(w: Array, problem: Problem) -> Array:
    """(O, C / groups, rows, columns) → (groups, O / groups, C / groups, rows, columns): a view."""
    return w.unflatten(0, (problem.groups, -1))


def _accumulator(images: int, size: tuple[int, int], channels: int, like: Array) -> Array:
    """Zeros to add to, in float32 at least."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    return like.new_zeros(images, *size, channels, dtype=dtype)
