"""Convolution with few outputs: multiply first, move afterwards ("kn2row").

    y[n, o, r, c]        =  b[o]  +  Σ over (i, j) of  P[i, j, o][n, r + d i − p, c + d j − p]
    P[i, j, o][n, u, v]  =  Σ over c' of  w[o, c', i, j] · x[n, c', u, v]

with dilation d and padding p; the stride is 1, and P is 0 where x has no pixel. P has a plane for each tap and output:
what every pixel has to say to the output that sees it through that tap. All of them are *one* product, W (taps · O, C)
by X (C, pixels). Then each plane is moved to where it is seen, and added. With a 3×3 kernel from 64 channels to 3 the
planes are less than half of the input, to 12 they are 1.7 times as large: so this is for few outputs.

The adjoint in x is a convolution itself, of ȳ with the kernel turned by half a turn and its two channel axes exchanged:
one with few outputs where the forward pass has few inputs. The weight gradient is `planar.py`'s.

Memory beside input and output: about `BLOCK` bytes of planes, and those of the d (rows of the kernel − 1) rows more
that a block of rows sees, which are computed for its neighbour as well.

Source: Vasudevan, Anderson & Gregg, *Parallel multi channel convolution using general matrix multiplication* (2017).
"""

from __future__ import annotations

import itertools

import torch

from ...core import Array
from ...core.backend.gemm import product
from ...core.backend.workspace import output, scratch
from ..windows import Pair
from .blocks import blocks
from .planar import meeting, weight_gradient
from .shape import Algorithm, ConvShape

#: Bytes of planes that are made at a time for a block's own rows, if those of one row aren't more.
BLOCK = 8 * 2**20


def _suits(shape: ConvShape) -> bool:
    """In half precision each tap's part of the sum would be rounded by itself."""
    return (shape.stride, shape.groups) == ((1, 1), 1) and shape.dtype in (torch.float32, torch.float64)


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    return _convolve(x, w, b, shape.padding, shape.dilation)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    back = shape.adjoint()
    return _convolve(ȳ, w.transpose(0, 1).flip(2, 3), None, back.padding, back.dilation)


def _convolve(x: Array, w: Array, b: Array | None, padding: Pair, dilation: Pair) -> Array:
    pixels, (o, c, kh, kw), (dh, dw), (ph, pw) = x.permute(0, 2, 3, 1), w.shape, dilation, padding
    n, h, across, _ = pixels.shape
    down, columns = h + 2 * ph - dh * (kh - 1), across + 2 * pw - dw * (kw - 1)
    weights = w.permute(2, 3, 0, 1).reshape(-1, c)
    y = output((n, down, columns, o), x)
    for images, rows in blocks(n, down, BLOCK // (across * len(weights) * x.element_size())):
        low = min(h, max(0, rows.start - ph))
        seen = slice(low, max(low, min(h, rows.stop - ph + dh * (kh - 1))))  # no row, where all is padding
        planes = product(weights, pixels[images, seen].reshape(-1, c).mT)
        planes = planes.view(kh, kw, o, images.stop - images.start, seen.stop - seen.start, across)
        moved = scratch("moved", (*planes.shape[2:4], rows.stop - rows.start, columns), x).zero_()
        for i, j in itertools.product(range(kh), range(kw)):
            to_rows, of_rows = meeting(rows.start - seen.start + dh * i - ph, moved.shape[2], planes.shape[4])
            to_columns, of_columns = meeting(dw * j - pw, columns, across)
            moved[:, :, to_rows, to_columns] += planes[i, j][:, :, of_rows, of_columns]
        part, found = y[images, rows], moved.permute(1, 2, 3, 0)
        part.copy_(found) if b is None else torch.add(found, b, out=part)
    return y.permute(0, 3, 1, 2)


KN2ROW = Algorithm("kn2row", _suits, forward, input_gradient, weight_gradient)
