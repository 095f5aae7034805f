"""Convolution with few channels: several neighbouring outputs from one matrix product, by a banded matrix.

Tap by tap, two channels make matrices with two columns, on which a processor wastes nearly all of its work. So take a
strip of neighbouring outputs of a row at once. A strip of s outputs sees s + k − 1 inputs of each of k rows, which,
channels last, lie side by side in memory; and what takes that window to the strip is one matrix, in which the kernel
stands again and again, a column further down each time (a Toeplitz matrix):

    window of 3 + 2 inputs       w₀              outputs of a strip of 3,
    (k = 3, one channel)         w₁ w₀           one column each
                                 w₂ w₁ w₀
                                    w₂ w₁
                                       w₂

Its zeros are multiplied, too: of s + k − 1 rows a column uses k. With few channels that is by far the smaller loss;
with more, the strip is shorter.

With X the matrix of all windows (a row for each strip) and T the banded matrix, Y = X · T. The pullback: T̄ = Xᵀ · Ȳ,
and w̄ sums T̄ along the places where each weight stands. The adjoint in x is itself a convolution of ȳ, with the kernel
turned by half a turn and its channel axes exchanged, so that `forward` serves for it.

Some images, or some rows of one, are worked on at a time, so that their windows stay in the cache. Memory beside input
and output: those windows, about `BLOCK`, and the padded input that they are taken from.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...core import Array
from ...core.backend.gemm import product
from ...core.backend.workspace import output, scratch
from .blocks import blocks
from .products import product_over_rows
from .shape import Algorithm, ConvShape

#: Outputs of a strip times channels, and outputs alone, at most; but a strip has at least two.
WIDEST, LONGEST = 128, 16
#: Bytes of the windows that are made at a time, if one row of outputs has no more.
BLOCK = 2**20


def _suits(shape: ConvShape) -> bool:
    return shape.plain and all(p < k for p, k in zip(shape.padding, shape.kernel, strict=True))


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    o, (rows, columns), s = shape.out_channels, shape.out, _strip(shape)
    banded = _banded(w, shape)
    bias = None if b is None else b.repeat(s)
    y = output((shape.images, rows, -(-columns // s) * s, o), x)
    for images, these, windows in _windows(x, shape):
        strips = product(windows, banded, bias)
        y[images, these] = strips.view(-1, these.stop - these.start, y.shape[2], o)
    return y[:, :, :columns].permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    return forward(ȳ, w.flip(2, 3).transpose(0, 1), None, shape.adjoint())


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    o, columns, s = shape.out_channels, shape.out[1], _strip(shape)
    cotangents, whole = ȳ.permute(0, 2, 3, 1), -(-columns // s) * s
    banded = x.new_zeros(shape.kernel[0] * (s + shape.kernel[1] - 1) * shape.channels, s * o)
    for images, these, windows in _windows(x, shape):
        known = cotangents[images, these]
        strips = scratch("strips", (*known.shape[:2], whole, o), x).zero_()
        strips[:, :, :columns] = known
        banded += product_over_rows(windows, strips.view(len(windows), s * o))
    return _diagonals(banded, shape).sum(dim=3).permute(3, 2, 0, 1).contiguous()


def _strip(shape: ConvShape) -> int:
    """How many outputs a strip has: a power of two."""
    fitting = WIDEST // max(shape.channels, shape.out_channels)
    return max(2, min(LONGEST, 2 ** (fitting.bit_length() - 1) if fitting else 1))


def _banded(w: Array, shape: ConvShape) -> Array:
    """T: (kernel rows · (s + kernel columns − 1) · C, s · O)."""
    s = _strip(shape)
    banded = w.new_zeros(shape.kernel[0] * (s + shape.kernel[1] - 1) * shape.channels, s * shape.out_channels)
    diagonals = _diagonals(banded, shape)
    diagonals.copy_(w.permute(2, 3, 1, 0)[:, :, :, None].expand(diagonals.shape))
    return banded


def _diagonals(banded: Array, shape: ConvShape) -> Array:
    """Where each weight stands, (kernel rows, kernel columns, C, s, O): a view. For each output i of a strip, weight j
    of a row stands at i + j of the window."""
    c, o, (kh, kw), s = shape.channels, shape.out_channels, shape.kernel, _strip(shape)
    row, column, channel, place, out = banded.view(kh, s + kw - 1, c, s, o).stride()
    return banded.as_strided((kh, kw, c, s, o), (row, column, channel, place + column, out))


def _windows(x: Array, shape: ConvShape) -> Iterator[tuple[slice, slice, Array]]:
    """X in blocks, in scratch: for some images, or some rows of outputs of one, what each strip of outputs sees,
    (images · rows · strips, kernel rows · (s + kernel columns − 1) · C)."""
    (kh, kw), c, s, pixels = shape.kernel, shape.channels, _strip(shape), x.permute(0, 2, 3, 1)
    (h, w), (ph, pw), strips = shape.size, shape.padding, -(-shape.out[1] // s)
    window, wide = (s + kw - 1) * c, strips * s + kw - 1
    row = strips * kh * window * x.element_size()
    for images, rows in blocks(shape.images, shape.out[0], BLOCK // row):
        count, height = images.stop - images.start, rows.stop - rows.start
        padded = scratch("padded", (count, height + kh - 1, wide, c), x).zero_()
        top = rows.start - ph  # the image row that lies in the first row of `padded`
        inside = slice(max(0, top), min(h, top + height + kh - 1))
        padded[:, inside.start - top : inside.stop - top, pw : pw + w] = pixels[images, inside]
        image, row, column, channel = padded.stride()
        windows = scratch("windows", (count, height, strips, kh, window), x)
        windows.copy_(padded.as_strided(windows.shape, (image, row, s * column, row, channel)))
        yield images, rows, windows.view(count * height * strips, kh * window)


BANDS = Algorithm("bands", _suits, forward, input_gradient, weight_gradient)
