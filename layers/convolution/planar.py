"""The weight gradient by planes: im2col's matrix transposed, a row for each tap and channel.

    w̄[o, c', i, j]  =  Σ over n, r, c of  x[n, c', r + d i − p, c + d j − p] · ȳ[n, o, r, c]

with dilation d and padding p, x being 0 where it has no pixel, is one matrix product over all pixels of all images,
W̄ = G · Ȳ: Ȳ (pixels, O) is ȳ with its channels last, and G (taps · C, pixels) has a plane of x for each tap and
channel, moved to where the outputs see it. G is all copies, and here each is of whole rows of an image, where im2col's
forward matrix, a row for each output, gathers a few numbers at a time. And G's rows, along which is summed, are
contiguous.

The same sum can be read the other way round, x's pixels by planes of ȳ,

    w̄[o, c', i, j]  =  Σ over n, u, v of  ȳ[n, o, u − d i + p, v − d j + p] · x[n, c', u, v]

so that those are copied that have fewer channels. All of this is without a stride: with one, the rows have gaps.

Memory beside input and output: about `BLOCK` bytes of planes, and the padded images that they are taken from. Measured
in milliseconds, and in brackets the product with the forward pass's matrix, two threads, 16 images in bfloat16: 4.3
(6.3) for 192 channels at 16×16, 4.8 (5.4) for 96 at 32×32, 5.9 (6.8) for 48 at 64×64; 8 in float32: 1.6 (3.7) for
3 → 64 channels at 112×112, 8.6 (15.5) for 64 at 64×64.
"""

from __future__ import annotations

import torch

from ...core import Array
from ...core.backend.gemm import product
from ...core.backend.workspace import scratch
from ..windows import Pair
from .blocks import blocks
from .shape import ConvShape

#: Bytes of planes that are made at a time, if those of one row aren't more.
BLOCK = 8 * 2**20


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    """The adjoint in w, for one group and no stride."""
    (kh, kw), c, o = shape.kernel, shape.channels, shape.out_channels
    if c <= o:
        w̄ = _planes_by_pixels(x, ȳ, shape.padding, shape)
        return w̄.view(kh, kw, c, o).permute(3, 2, 0, 1).contiguous()
    w̄ = _planes_by_pixels(ȳ, x, shape.adjoint().padding, shape)  # seen from x, the last tap comes first
    return w̄.view(kh, kw, o, c).flip(0, 1).permute(2, 3, 0, 1).contiguous()


def _planes_by_pixels(few: Array, many: Array, padding: Pair, shape: ConvShape) -> Array:
    """Of `few` (N, K, …) a plane for each tap and channel, as the pixels of `many` (N, M, …) see it, by these pixels:
    (taps · K, M). Each block's product is rounded to the arrays' dtype; blocks are added up in float32 at least."""
    (kh, kw), (dh, dw) = shape.kernel, shape.dilation
    channels, (images, m, down, across) = few.shape[1], many.shape
    by_channel, pixels = few.permute(1, 0, 2, 3), many.permute(0, 2, 3, 1)
    taps = kh * kw * channels
    total = few.new_zeros((taps, m), dtype=torch.promote_types(few.dtype, torch.float32))
    for these, rows in blocks(images, down, BLOCK // (across * taps * few.element_size())):
        some = rows.stop - rows.start
        height, width = some + dh * (kh - 1), across + dw * (kw - 1)
        padded = scratch("padded", (channels, these.stop - these.start, height, width), few).zero_()
        to_rows, of_rows = meeting(rows.start - padding[0], height, few.shape[2])
        to_columns, of_columns = meeting(-padding[1], width, few.shape[3])
        padded[:, :, to_rows, to_columns] = by_channel[:, these, of_rows, of_columns]
        channel, image, row, column = padded.stride()
        seen = padded.as_strided(
            (kh, kw, *padded.shape[:2], some, across), (dh * row, dw * column, channel, image, row, column)
        )
        planes = scratch("planes", seen.shape, few).copy_(seen)
        total += product(planes.view(taps, -1), pixels[these, rows].reshape(-1, m))
    return total.to(few.dtype)


def meeting(move: int, outputs: int, inputs: int) -> tuple[slice, slice]:
    """Of an axis, the outputs r for which there is an input r + move, and these inputs."""
    low = max(0, -move)
    high = max(low, min(outputs, inputs - move))
    return slice(low, high), slice(low + move, high + move)
