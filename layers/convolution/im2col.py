"""Convolution as one matrix product: what each output sees is laid out as a row of a matrix (im2col).

    y[n, :, r, c]  =  Σ over (i, j) of  w[:, :, i, j] · x[n, :, s r + d i − p, s c + d j − p]

With all the pixels that an output looks at side by side in one row of a matrix X (N · H' · W', taps · C), and the
weights in a matrix W (taps · C, O),

    Y  =  X · W + b          W̄  =  Xᵀ · Ȳ.

The sum over taps and channels is a single one, so it is rounded once: this is the way for bfloat16, whose products
accumulate in float32 inside and would be rounded after each tap otherwise.

The adjoint in x gathers as well. Along one axis, output o sees input s o + d t − p through tap t; so input u sees, from
behind, the outputs o = (u + p − d t) / s, for those taps that make o a whole number. Which taps these are depends only
on the remainder of u divided by s. All inputs of one remainder therefore form a convolution of ȳ, without stride, with
these taps, last one first, and s² such convolutions give x̄.

X has as many copies of a pixel as the kernel has taps. So it is made in blocks, some images or some rows of outputs at
a time. Memory beside input and output: a block of about `BLOCK` bytes, and the padded input that it is taken from.

Source: Chellapilla, Puri & Simard, *High performance convolutional neural networks for document processing* (2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...core import Array
from ...core.backend.gemm import product
from ...core.backend.workspace import output, scratch
from . import planar
from .blocks import blocks, zero_padded
from .products import product_over_rows
from .shape import Algorithm, ConvShape

#: Bytes of the matrix X that are made at a time, if one row of outputs has no more.
BLOCK = 8 * 2**20


@dataclass(frozen=True)
class _Axis:
    """Rows or columns: output o sees the positions first + step · o + apart · j, j = 0, 1, … through `taps`."""

    first: int
    step: int
    apart: int
    taps: range  # which taps of the kernel, in the order of the positions they look at
    outputs: int

    def seen(self, outputs: slice) -> slice:
        """From the first to behind the last position that these outputs see."""
        last = self.step * (outputs.stop - 1) + self.apart * (len(self.taps) - 1)
        return slice(self.first + self.step * outputs.start, self.first + last + 1)

    @staticmethod
    def forward(shape: ConvShape, axis: int) -> _Axis:
        taps = range(shape.kernel[axis])
        return _Axis(-shape.padding[axis], shape.stride[axis], shape.dilation[axis], taps, shape.out[axis])

    @staticmethod
    def backward(shape: ConvShape, axis: int, remainder: int) -> _Axis:
        """How the inputs u = s · o + remainder, o = 0, 1, … see the outputs; perhaps through no tap at all."""
        s, d, p = shape.stride[axis], shape.dilation[axis], shape.padding[axis]
        taps = [t for t in reversed(range(shape.kernel[axis])) if (remainder + p - d * t) % s == 0]
        between = s // math.gcd(s, d)  # of the taps that fit, the distance from one to the next
        found = range(taps[0], taps[-1] - 1, -between) if taps else range(0)
        first = (remainder + p - d * taps[0]) // s if taps else 0
        return _Axis(first, 1, d * between // s, found, len(range(remainder, shape.size[axis], s)))


@dataclass(frozen=True)
class _View:
    """What outputs see of `pixels` (N, H, W, C): the matrix X, block by block."""

    pixels: Array
    rows: _Axis
    columns: _Axis

    @property
    def width(self) -> int:
        """Columns of X."""
        return len(self.rows.taps) * len(self.columns.taps) * self.pixels.shape[3]

    def blocks(self) -> list[tuple[slice, slice]]:
        """Images and rows of outputs."""
        row = self.columns.outputs * self.width * self.pixels.element_size()
        return blocks(len(self.pixels), self.rows.outputs, BLOCK // row)

    def matrix(self, images: slice, rows: slice) -> Array:
        """X for these outputs, in scratch."""
        down, across = self.rows.seen(rows), self.columns.seen(slice(0, self.columns.outputs))
        padded = zero_padded(self.pixels[images], down, across)
        image, row, column, channel = padded.stride()
        outputs = (len(padded), rows.stop - rows.start, self.columns.outputs)
        taps = (len(self.rows.taps), len(self.columns.taps))
        apart = (self.rows.apart * row, self.columns.apart * column)
        windows = padded.as_strided(
            (*outputs, *taps, padded.shape[3]),
            (image, self.rows.step * row, self.columns.step * column, *apart, channel),
        )
        matrix = scratch("windows", windows.shape, padded)
        return matrix.copy_(windows).view(math.prod(outputs), self.width)

    def weights(self, w: Array) -> Array:
        """Of w (kernel rows, kernel columns, C, O) the taps that are looked through: (taps · C, O)."""
        return torch.stack([w[i, j] for i in self.rows.taps for j in self.columns.taps]).view(self.width, w.shape[3])

    def multiplied(self, w: Array, b: Array | None, y: Array) -> None:
        """y = X · w + b for y (N, rows of outputs, columns of outputs, O)."""
        for images, rows in self.blocks():
            part, matrix = y[images, rows], self.matrix(images, rows)
            if part.is_contiguous():
                product(matrix, w, b, out=part.view(-1, w.shape[1]))
            else:
                part.copy_(product(matrix, w, b).view(part.shape))


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    view = _View(x.permute(0, 2, 3, 1), _Axis.forward(shape, 0), _Axis.forward(shape, 1))
    y = output((shape.images, *shape.out, shape.out_channels), x)
    # (O, taps · C) is copied two to three times as fast as (taps · C, O), and its transpose costs the product nothing.
    view.multiplied(w.permute(0, 2, 3, 1).reshape(shape.out_channels, -1).mT, b, y)
    return y.permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    pixels, turned, (sh, sw) = ȳ.permute(0, 2, 3, 1), w.permute(2, 3, 0, 1), shape.stride
    x̄ = output((shape.images, *shape.size, shape.channels), ȳ)
    for i in range(min(sh, shape.size[0])):
        for j in range(min(sw, shape.size[1])):
            view = _View(pixels, _Axis.backward(shape, 0, i), _Axis.backward(shape, 1, j))
            if view.width:
                view.multiplied(view.weights(turned), None, x̄[:, i::sh, j::sw])
            else:
                x̄[:, i::sh, j::sw] = 0
    return x̄.permute(0, 3, 1, 2)


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    """Xᵀ · Ȳ, with Xᵀ made of whole rows of images where there is no stride (`planar.py`)."""
    if shape.stride == (1, 1):
        return planar.weight_gradient(x, ȳ, shape)
    view = _View(x.permute(0, 2, 3, 1), _Axis.forward(shape, 0), _Axis.forward(shape, 1))
    cotangents, o = ȳ.permute(0, 2, 3, 1), shape.out_channels
    w̄ = x.new_zeros((view.width, o), dtype=torch.promote_types(x.dtype, torch.float32))
    for images, rows in view.blocks():
        w̄ += product_over_rows(view.matrix(images, rows), cotangents[images, rows].reshape(-1, o))
    return w̄.to(x.dtype).view(*shape.kernel, shape.channels, o).permute(3, 2, 0, 1).contiguous()


IM2COL = Algorithm("im2col", lambda shape: shape.groups == 1, forward, input_gradient, weight_gradient)
