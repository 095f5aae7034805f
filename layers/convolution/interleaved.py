"""A dilated 3×3 convolution by Winograd's algorithm, on sub-images of every d-th pixel ("space to batch").

The taps of a kernel of dilation d lie d pixels apart, so an output sees only every d-th row and column: those in step
with it. Sorted by their remainders, the pixels of an image make d · d smaller images, in each of which the taps are
neighbours, and which have nothing to do with one another:

    d = 2    a b a b
             c d c d    →    a a    b b    c c    d d
             a b a b         a a    b b    c c    d d
             c d c d

A dilated convolution is therefore a plain one of d² times as many images, and all three directions are Winograd's. That
holds where the padding is a multiple of d; with any other, outputs would be in step with other inputs than their own.

Where d doesn't divide the size, sub-images end with zeros, which do no harm in the input; the outputs computed there
are cut off, and in ȳ they are 0.

Memory beside Winograd's: one copy of input and of output each.
"""

from __future__ import annotations

from ...core import Array
from ...core.backend.workspace import output, scratch
from ..windows import Pair
from . import winograd
from .shape import Algorithm, ConvShape
from .winograd import WINOGRAD


def _suits(shape: ConvShape) -> bool:
    if max(shape.dilation) == 1 or any(p % d for p, d in zip(shape.padding, shape.dilation, strict=True)):
        return False
    return shape.stride == (1, 1) and shape.groups == 1 and WINOGRAD.suits(_plain(shape))


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    y = winograd.forward(_split(x, "sub-images", shape.dilation), w, b, _plain(shape))
    return _joined(y, shape.images, shape.out, shape.dilation)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    x̄ = winograd.input_gradient(_split(ȳ, "sub-images", shape.dilation), w, _plain(shape))
    return _joined(x̄, shape.images, shape.size, shape.dilation)


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    x_split, ȳ_split = (_split(a, name, shape.dilation) for a, name in ((x, "sub-images"), (ȳ, "sub-outputs")))
    return winograd.weight_gradient(x_split, ȳ_split, _plain(shape))


def _plain(shape: ConvShape) -> ConvShape:
    """The convolution of the sub-images."""
    d_rows, d_columns = shape.dilation
    (h, w), (ph, pw) = _parted(shape.size, shape.dilation), shape.padding
    padding = (ph // d_rows, pw // d_columns)
    return ConvShape(
        images=d_rows * d_columns * shape.images,
        channels=shape.channels,
        out_channels=shape.out_channels,
        size=(h, w),
        out=_parted(shape.out, shape.dilation),
        kernel=shape.kernel,
        stride=(1, 1),
        padding=padding,
        dilation=(1, 1),
        groups=1,
        dtype=shape.dtype,
        device=shape.device,
    )


def _parted(size: Pair, dilation: Pair) -> Pair:
    return -(-size[0] // dilation[0]), -(-size[1] // dilation[1])


def _split(x: Array, name: str, dilation: Pair) -> Array:
    """(N, C, H, W) → (d² · N, C, H / d, W / d): every d-th pixel, channels last, in scratch of this name."""
    (n, c, h, w), (dh, dw) = x.shape, dilation
    rows, columns = _parted((h, w), dilation)
    parts = scratch(name, (dh, dw, n, rows, columns, c), x)
    if (dh * rows, dw * columns) != (h, w):
        parts.zero_()
    pixels = x.permute(0, 2, 3, 1)
    for i in range(dh):
        for j in range(dw):
            inside = pixels[:, i::dh, j::dw]
            parts[i, j, :, : inside.shape[1], : inside.shape[2]] = inside
    return parts.view(-1, rows, columns, c).permute(0, 3, 1, 2)


def _joined(y: Array, images: int, size: Pair, dilation: Pair) -> Array:
    """The adjoint of `_split`."""
    (c, rows, columns), (dh, dw) = y.shape[1:], dilation
    parts = y.permute(0, 2, 3, 1).view(dh, dw, images, rows, columns, c)
    joined = output((images, *size, c), y)
    for i in range(dh):
        for j in range(dw):
            outside = joined[:, i::dh, j::dw]
            outside.copy_(parts[i, j, :, : outside.shape[1], : outside.shape[2]])
    return joined.permute(0, 3, 1, 2)


INTERLEAVED = Algorithm("interleaved", _suits, forward, input_gradient, weight_gradient)
