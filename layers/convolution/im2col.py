"""Convolution as one matrix product: what each output sees is laid out as a row of a matrix (im2col).

With all the pixels that an output sees side by side in one row of a matrix X (N · H' · W', taps · C), and the weights
in a matrix W (taps · C, O),

    Y  =  X · W + b          X̄  =  Ȳ · Wᵀ          W̄  =  Xᵀ · Ȳ.

The adjoint in x adds each entry of X̄ back to the pixel that it was copied from (col2im). With stride 1 the same sum
is a convolution itself, of ȳ with the kernel rotated by half a turn, and goes the way of the forward pass. The weight
gradient lays out Xᵀ instead of X, a row for each tap and channel: then whole rows of an image are copied at a time, and
the numbers that are added up are neighbours in memory. With stride 1 it may look from the output's side, at ȳ by the
pixels of x, and lays out whichever has fewer channels.

The sum over taps and channels is a single one, so it is rounded once: this is the way for bfloat16, whose products
accumulate in float32 inside and would be rounded after each tap otherwise. col2im adds outside the product, so there
half precision is multiplied in float32.

X has a copy of a pixel for each tap. So it is made in blocks: some images, or some rows of outputs, at a time. With a
kernel of one tap and no padding there is nothing to copy, and X is a view of x. Memory beside input and output: a block
of about `BLOCK` bytes, and the padded input that it is taken from.

Source: Chellapilla, Puri & Simard, *High performance convolutional neural networks for document processing* (2006).
"""

from __future__ import annotations

import itertools

import torch

from ...core import Array
from ...core.backend.gemm import product, product_over_rows
from .blocks import blocks, zero_padded
from .problem import Problem, rotated

#: Bytes of the matrix X that are made at a time, unless one row of outputs has more.
BLOCK = 8 * 2**20


def suits(problem: Problem) -> bool:
    return problem.groups == 1


def forward(x: Array, w: Array, b: Array | None, problem: Problem) -> Array:
    o, weights = problem.out_channels, _matrix(w)
    if problem.pointwise:
        return product(_pixels(x, problem), weights, b).view(problem.images, *problem.out, o)
    y = x.new_empty(problem.images, *problem.out, o)
    for images, rows in _blocks(problem):
        windows = _windows(zero_padded(x[images], *problem.seen(rows)), problem, rows)
        product(windows.reshape(-1, len(weights)), weights, b, out=y[images, rows].view(-1, o))
    return y


def input_gradient(ȳ: Array, w: Array, problem: Problem) -> Array:
    if problem.stride == (1, 1):
        return forward(ȳ, rotated(w), None, problem.adjoint())
    (height, width), (top, left), c = problem.size, problem.padding, problem.channels
    total = torch.promote_types(ȳ.dtype, torch.float32)
    x̄ = ȳ.new_zeros((problem.images, height + 2 * top, width + 2 * left, c), dtype=total)
    to_taps = _matrix(w).mT.to(total)
    for images, rows in _blocks(problem):
        matrix = product(ȳ[images, rows].reshape(-1, problem.out_channels).to(total), to_taps)
        down, _ = problem.seen(rows)
        windows = _windows(x̄[images, down.start + top : down.stop + top], problem, rows)
        from_taps = matrix.view(windows.shape)
        for i, j in itertools.product(*map(range, problem.kernel)):  # windows overlap, but those of one tap do not
            windows[:, :, :, i, j] += from_taps[:, :, :, i, j]
    return x̄[:, top : top + height, left : left + width].to(ȳ.dtype)


def weight_gradient(x: Array, ȳ: Array, problem: Problem) -> Array:
    o, c = problem.out_channels, problem.channels
    if problem.pointwise:
        return product_over_rows(ȳ.reshape(-1, o), _pixels(x, problem)).view(o, c, 1, 1)
    by_tap = problem.stride == (1, 1)
    if by_tap and o < c:
        return rotated(weight_gradient(ȳ, x, problem.adjoint())).contiguous()
    total = x.new_zeros((c * problem.taps, o), dtype=torch.promote_types(x.dtype, torch.float32))
    planes = x.permute(3, 0, 1, 2)[..., None]
    for images, rows in _blocks(problem):
        pixels, seen = ȳ[images, rows].reshape(-1, o), problem.seen(rows)
        if by_tap:
            windows = _windows(zero_padded(planes[:, images], *seen), problem, rows)
            total += product(windows.permute(0, 4, 5, 1, 2, 3, 6).reshape(len(total), -1), pixels)
        else:  # there are no whole rows to copy
            windows = _windows(zero_padded(x[images], *seen), problem, rows)
            total += product_over_rows(windows.reshape(-1, len(total)), pixels)
    shape, order = ((c, *problem.kernel, o), (3, 0, 1, 2)) if by_tap else ((*problem.kernel, c, o), (3, 2, 0, 1))
    return total.view(shape).permute(order).to(x.dtype).contiguous()


def _matrix(w: Array) -> Array:
    """W, (taps · C, O): a view of (O, taps · C), which is copied in a third of the time that its transpose takes."""
    return w.permute(0, 2, 3, 1).reshape(len(w), -1).mT


def _pixels(x: Array, problem: Problem) -> Array:
    """X of a pointwise convolution, a view if x is channels last: (N · H' · W', C)."""
    return x[:, :: problem.stride[0], :: problem.stride[1]].reshape(-1, problem.channels)


def _blocks(problem: Problem) -> list[tuple[slice, slice]]:
    """Images and rows of outputs whose part of X has about `BLOCK` bytes."""
    row = problem.out[1] * problem.taps * problem.channels * problem.dtype.itemsize
    return blocks(problem.images, problem.out[0], BLOCK // row)


def _windows(padded: Array, problem: Problem, rows: slice) -> Array:
    """What these rows of outputs see of padded images (…, H, W, C), a view that overlaps:
    (…, rows, columns, kernel rows, kernel columns, C)."""
    (sh, sw), (dh, dw), kernel, c = problem.stride, problem.dilation, problem.kernel, padded.shape[-1]
    *before, row, column, channel = padded.stride()
    return padded.as_strided(
        (*padded.shape[:-3], rows.stop - rows.start, problem.out[1], *kernel, c),
        (*before, sh * row, sw * column, dh * row, dw * column, channel),
    )
