"""Winograd's convolution down the columns only, F(4, 3), and along the rows in one product: half the multiplications.

`winograd.py` transforms tiles of 6×6 pixels, and is left with 36 small products, which a library computes at half its
speed. Here only the kernel's three rows are transformed (`points.py`), and its columns, however many, are left to the
product. For each tile t of four rows of outputs and each column s, with padding p of rows and q of columns:

    U_i[j]            =  Σ over r of  G_ir · w[:, :, r, j]ᵀ               (C, O), column j of the kernel at point i
    V_i[t, s]         =  Σ over r of  (Bᵀ)_ir · x[:, 4 t + r − p, s − q]  (C,), six rows at point i; x is 0 outside
    M_i[t, s]         =  Σ over j of  V_i[t, s + j] · U_i[j]              (O,)
    y[:, 4 t + k, s]  =  Σ over i of  (Aᵀ)_ki · M_i[t, s].

The sum over j and the channels is a product with a matrix whose row for (t, s) has V_i[t, s], V_i[t, s + 1], … side by
side. With channels last that is what lies in memory from V_i[t, s] on: the matrix is a view whose rows overlap.
Libraries lay it out for themselves, a block at a time; to spare them that, with a product for every third row, was no
faster. Where a row of the image ends, the view goes on into the next one; these outputs (columns of the kernel − 1 for
each row) are computed and left out.

So there are six products with 3 C columns for 36 with C, if the kernel is 3×3, and the transforms make 1.5 numbers of
each pixel, where those of tiles make 2.25. Rounding in float32: 2 to 4 · 10⁻⁶ of the largest output, a third of what
tiles lose, and three times what a plain sum of products does.

A bias goes into the product at the point 1, whose value is added to all four outputs alike.

The pullback. In x it is the convolution of ȳ with the kernel turned by half a turn and its two channel axes exchanged.
In w it is the same steps transposed: ȳ at the points, A ȳ, by the same views of V, and back with Gᵀ,

    Ū_i[j]  =  Σ over t, s of  V_i[t, s + j] · (A ȳ)_i[t, s]ᵀ,        w̄[:, :, r, j]  =  Σ over i of  G_ir · Ū_i[j]ᵀ.

Images are worked on in blocks. Memory beside input, output and U: some three times a block (V, what is added up for
it, and the products, or ȳ).

Sources: Winograd, *Arithmetic complexity of computations* (1980); Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016).
"""

from __future__ import annotations

import functools

import torch

from ...core import Array
from ...core.backend.gemm import product
from ...core.backend.workspace import LARGEST, output, scratch
from . import points
from .blocks import blocks, zero_padded
from .shape import Algorithm, ConvShape

#: Bytes of a block's V, for each thread.
BLOCK = 4 * 2**20
#: The same for the weight gradient, whose products sum over a block's pixels and are the faster the longer they are.
GRADIENT_BLOCK = 8 * 2**20


def _suits(shape: ConvShape) -> bool:
    return (
        shape.plain
        and shape.kernel[0] == 3
        and shape.padding[0] <= 2
        and shape.padding[1] < shape.kernel[1]
        and shape.dtype in (torch.float32, torch.float64)
    )


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    (rows, columns), (c, o), kw = shape.out, (shape.channels, shape.out_channels), shape.kernel[1]
    pixels, wide = x.permute(0, 2, 3, 1), shape.size[1] + 2 * shape.padding[1]
    u = product(_to_kernel_points(w.dtype, w.device), w.permute(2, 3, 1, 0).reshape(3, -1)).view(6, kw * c, o)
    y = output((shape.images, rows, columns, o), x)
    for images, tiles in _blocks(shape, BLOCK):
        v = _input_at_points(pixels[images], tiles, shape)
        n, down = images.stop - images.start, tiles.stop - tiles.start
        seen = v.as_strided((6, n * down * wide - kw + 1, kw * c), (v.stride(0), c, 1))
        m = [product(seen[i], u[i], b if i == 1 else None) for i in range(6)]
        m = [whole.as_strided((n, down, columns, o), (down * wide * o, wide * o, o, 1)) for whole in m]
        inside = y[images, 4 * tiles.start : 4 * tiles.stop]
        whole_tiles = inside.shape[1] == 4 * down
        by_tile = inside.view(n, down, 4, columns, o) if whole_tiles else scratch("pixels", (n, down, 4, columns, o), x)
        points.points_to_output(m, by_tile.unbind(2))
        if not whole_tiles:
            inside.copy_(by_tile.view(n, 4 * down, columns, o)[:, : inside.shape[1]])
    return y.permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    return forward(ȳ, w.transpose(0, 1).flip(2, 3), None, shape.adjoint())


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    columns, (c, o), kw = shape.out[1], (shape.channels, shape.out_channels), shape.kernel[1]
    pixels, wide = x.permute(0, 2, 3, 1), shape.size[1] + 2 * shape.padding[1]
    by_row = ȳ.permute(1, 0, 2, 3)
    ū = x.new_zeros(6, kw, o, c)
    for images, tiles in _blocks(shape, GRADIENT_BLOCK):
        n, down = images.stop - images.start, tiles.stop - tiles.start
        planes = scratch("output pixels", (4, o, n, down, wide), x)
        for k, plane in enumerate(planes):
            some = by_row[:, images, 4 * tiles.start + k : 4 * tiles.stop : 4]
            plane[:, :, : some.shape[2], :columns] = some
            plane[:, :, some.shape[2] :], plane[..., columns:] = 0, 0  # where no output is, nothing comes back
        v = _input_at_points(pixels[images], tiles, shape).view(-1, c)
        count = n * down * wide
        for i, ȳ_i in enumerate(points.output_to_points(planes.view(4, o, -1).unbind())):
            for j in range(kw):
                # What a shifted view sees of the next point is multiplied by 0. Behind the last point there is nothing.
                seen = v[i * count + j :][:count]
                ū[i, j] += product(ȳ_i[:, : len(seen)], seen)
    w̄ = torch.mm(_to_kernel_points(x.dtype, x.device).mT, ū.view(6, -1))
    return w̄.view(3, kw, o, c).permute(2, 3, 0, 1).contiguous()


@functools.cache
def _to_kernel_points(dtype: torch.dtype, device: torch.device) -> Array:
    """G (6, 3)."""
    with torch.inference_mode(False):  # it is kept, and serves outside of that mode, too
        return (torch.tensor(points.F43.g, dtype=torch.float64) / points.F43.over).to(device, dtype)


def _blocks(shape: ConvShape, size: int) -> list[tuple[slice, slice]]:
    """Images, and rows of tiles, in blocks whose V has about `size` bytes a thread, but no more than is kept."""
    row = 6 * (shape.size[1] + 2 * shape.padding[1]) * max(shape.channels, shape.out_channels) * shape.dtype.itemsize
    return blocks(shape.images, -(-shape.out[0] // 4), min(size * torch.get_num_threads(), LARGEST) // row)


def _input_at_points(pixels: Array, tiles: slice, shape: ConvShape) -> Array:
    """V of these rows of tiles, (6, n, rows of tiles, padded columns, C), for images (n, H, W, C)."""
    ph, pw = shape.padding
    rows = slice(4 * tiles.start - ph, 4 * tiles.stop - ph + 2)
    padded = zero_padded(pixels, rows, slice(-pw, shape.size[1] + pw))
    n, height, *rest = padded.shape
    v = scratch("tiles", (6, n, height // 4, *rest), padded)
    points.input_to_points([padded[:, r : r + height - 5 : 4] for r in range(6)], v.unbind())
    return v


WINOGRAD1D = Algorithm("winograd1d", _suits, forward, input_gradient, weight_gradient)
