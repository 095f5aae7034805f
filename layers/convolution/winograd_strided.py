"""Winograd's convolution for 4×4 kernels with stride 2: F(4×4, 2×2) on images of 2×2 pixels ("space to depth").

With stride 2 an output sees the pixels of even rows through the kernel's even rows only, and those of odd rows through
the odd ones; so with columns. Take 2×2 pixels together as one with four times the channels, and 2×2 taps as one:

    a b a b
    c d c d    →    abcd abcd        x'[(i, j, c), s, t]  =  x[c, 2 s + i, 2 t + j]
    a b a b         abcd abcd        w'[o, (i, j, c), p, q]  =  w[o, c, 2 p + i, 2 q + j]
    c d c d

    y[o, s, t]  =  Σ over p, q and (i, j, c) of  w'[o, (i, j, c), p, q] · x'[(i, j, c), s + p, t + q].

That is a plain convolution with a 2×2 kernel, for which `points.py` has F(4, 2): tiles of 5×5 of the large pixels give
4×4 outputs with 25 multiplications in place of 64. With channels last x' is a view of x, once x is padded.

The pullback. In w as in `winograd.py`, by the adjoints of all steps. In x, too, since the convolution that gives x̄'
would have one output more in each direction than ȳ has, mostly a whole tile:

    M̄ = (A ⊗ A) ȳ,   x̄' = Σ over tiles, where they overlap, of  (B ⊗ B) (M̄ · Uᵀ).

Images are worked on in blocks of tiles. Memory beside input, output, U (6¼ times the weights) and a copy of ȳ if it
isn't channels last: a few times a block, of which `blocks.tile_blocks` says the size. Rounding in float32: 1 to 5 ·
10⁻⁶ of the largest entry, some ten times what a plain sum of products does.

Sources: Lavin & Gray, *Fast algorithms for convolutional neural networks* (2016); Shi et al., *Is the deconvolution
layer the same as a convolutional layer?* (2016), for convolutions with a stride as convolutions without one.
"""

from __future__ import annotations

import torch

from ...core import Array
from ...core.backend.gemm import batch_product, product
from ...core.backend.workspace import output, scratch
from .blocks import put_tiles, seen_by_tiles, tile_blocks, whole_tiles, zero_padded
from .shape import Algorithm, ConvShape
from .tiles import TWO_TAPS


def _suits(shape: ConvShape) -> bool:
    settings = (shape.kernel, shape.stride, shape.dilation, shape.groups)
    return (
        settings == ((4, 4), (2, 2), (1, 1), 1)
        and max(shape.padding) <= 3
        and shape.dtype in (torch.float32, torch.float64)
    )


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    pixels, u = x.permute(0, 2, 3, 1), _kernel_at_points(w)
    y = output((shape.images, *shape.out, shape.out_channels), x)
    for images, tile_rows in _blocks(shape):
        v = _input_at_points(pixels, images, tile_rows, shape)
        put_tiles(y, images, tile_rows, TWO_TAPS.points_to_output(batch_product(v, u)), b)
    return y.permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    cotangents, u = ȳ.permute(0, 2, 3, 1).contiguous(), _kernel_at_points(w)
    height, width = shape.size
    x̄ = output((shape.images, height, width, shape.channels), ȳ)
    seen: Array | None = None
    for images, tile_rows in _blocks(shape):
        above = seen[:, -2:].clone() if seen is not None and tile_rows.start else None
        ȳ_points = TWO_TAPS.output_to_points(whole_tiles(cotangents, images, tile_rows))
        rows, columns = seen_by_tiles(tile_rows, shape)
        sizes = (images.stop - images.start, rows.stop - rows.start, columns.stop - columns.start, shape.channels)
        seen = scratch("pixels", sizes, ȳ)
        TWO_TAPS.points_to_input(batch_product(ȳ_points, u.mT), _in_twos(seen))
        if above is not None:
            seen[:, :2] += above
        top, left = max(0, rows.start), -columns.start
        x̄[images, top : rows.stop, : columns.stop] = seen[:, top - rows.start :, left:][:, : height - top, :width]
    bottom, right = (8 * -(-size // 4) + 2 for size in shape.out)
    x̄[:, bottom:], x̄[:, :, right:] = 0, 0  # what no window reaches: without padding it may be a row and a column
    return x̄.permute(0, 3, 1, 2)


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    c, o = shape.channels, shape.out_channels
    pixels, cotangents = x.permute(0, 2, 3, 1), ȳ.permute(0, 2, 3, 1).contiguous()
    ū = x.new_zeros(TWO_TAPS.points, o, 4 * c)
    for images, tile_rows in _blocks(shape):
        v = _input_at_points(pixels, images, tile_rows, shape)
        ū.baddbmm_(TWO_TAPS.output_to_points(whole_tiles(cotangents, images, tile_rows)).mT, v)
    w̄ = product(TWO_TAPS.matrices(x)[0].mT, ū.view(TWO_TAPS.points, -1))
    return w̄.view(2, 2, o, 2, 2, c).permute(2, 5, 0, 3, 1, 4).reshape(o, c, 4, 4)


def _kernel_at_points(w: Array) -> Array:
    """U, (25, 4 C, O)."""
    o, c = w.shape[:2]
    taps = w.reshape(o, c, 2, 2, 2, 2).permute(2, 4, 0, 3, 5, 1).reshape(4, -1)
    u = product(TWO_TAPS.matrices(w)[0], taps)
    return u.view(TWO_TAPS.points, o, 4 * c).mT


def _input_at_points(pixels: Array, images: slice, tile_rows: slice, shape: ConvShape) -> Array:
    """V of a block of images (N, H, W, C): (25, T, 4 C)."""
    v = TWO_TAPS.input_to_points(_in_twos(zero_padded(pixels[images], *seen_by_tiles(tile_rows, shape))))
    return v.flatten(2)


def _in_twos(pixels: Array) -> Array:
    """2×2 pixels together: a view of (n, 2 R, 2 S, C), (n, R, S, 2, 2 C)."""
    n, rows, columns, c = pixels.shape
    return pixels.view(n, rows // 2, 2, columns // 2, 2 * c).transpose(2, 3)


def _blocks(shape: ConvShape) -> list[tuple[slice, slice]]:
    return tile_blocks(shape, TWO_TAPS.points * max(4 * shape.channels, shape.out_channels))


WINOGRAD_STRIDED = Algorithm("winograd-strided", _suits, forward, input_gradient, weight_gradient)
