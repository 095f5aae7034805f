"""Winograd's convolution down the columns only, F(4, 3), and along the rows in one product: half the multiplications.

`winograd.py` transforms tiles of 6×6 pixels, and is left with 36 small products, which a library computes at half its
speed. Here only the kernel's three rows are transformed (`points.py`), and its columns are left to the product:

    U_i[j]     =  Σ over a of  G_ia · w[:, :, a, j]                 the kernel at point i, for each of its columns j
    V_i[t, c]  =  Σ over a of  (Bᵀ)_ia · x[:, 4 t + a − p, c − q]    six rows, four apart, at point i; 0 around x
    M_i[t, c]  =  Σ over j of  V_i[t, c + j] · U_i[j]
    y[4 t + k, c]  =  Σ over i of  (Aᵀ)_ki · M_i[t, c]

with padding p of rows and q of columns. The sum over j and the channels is a product with a matrix whose row for (t, c)
has V_i[t, c], V_i[t, c + 1], … side by side. With channels last that is what lies in memory from V_i[t, c] on: the
matrix is a view, its rows overlap, and nothing is copied. Where a row of the image ends, this row goes on into the
next one; these outputs (columns of the kernel − 1 for each row) are computed and left out.

So there are six products with 3 C columns for 36 with C, the transforms make 1.5 numbers of each pixel where those of
tiles make 2.25, and what is rounded is rounded along one axis only: some 10⁻⁶ of the largest output in float32.

A bias goes into the product at the point 1, whose value is added to all four outputs alike.

The pullback. In x it is the convolution of ȳ with the kernel turned by half a turn and its two channel axes exchanged.
In w it is the same steps transposed: ȳ at the points, A ȳ, by the same views of V, and back with Gᵀ,

    Ū_i[j]  =  Σ over t, c of  (A ȳ)_i[t, c]ᵀ · V_i[t, c + j],        w̄[:, :, a, j]  =  Σ over i of  G_ia · Ū_i[j].

Images are worked on in blocks. Memory beside input, output and U: a few times `BLOCK` for each thread.

Sources: Winograd, *Arithmetic complexity of computations* (1980); Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016). Kernels of any width do: it is the three rows that are transformed.
"""

from __future__ import annotations

import functools

import torch

from ...core import Array
from ...core.products import product
from ...core.workspace import output, scratch
from . import points
from .blocks import blocks, zero_padded
from .shape import Algorithm, ConvShape

#: Bytes of a block at the six points, for each thread, and of one for the weight gradient, whose products sum over all
#: pixels of a block and are the faster the longer they are. The products, or ȳ, need about as much again.
BLOCK, GRADIENT_BLOCK = 4 * 2**20, 8 * 2**20


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
        points.at(m, by_tile.unbind(2))
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
        for i, ȳ_i in enumerate(points.a(planes.view(4, o, -1).unbind())):
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
        return (torch.tensor(points.G, dtype=torch.float64) / 24).to(device, dtype)


def _blocks(shape: ConvShape, size: int) -> list[tuple[slice, slice]]:
    """Images, and rows of tiles, in blocks of about `size` bytes a thread."""
    row = 6 * (shape.size[1] + 2 * shape.padding[1]) * max(shape.channels, shape.out_channels) * shape.dtype.itemsize
    return blocks(shape.images, -(-shape.out[0] // 4), size * torch.get_num_threads() // row)


def _input_at_points(pixels: Array, tiles: slice, shape: ConvShape) -> Array:
    """V of these rows of tiles, (6, n, rows of tiles, padded columns, C), for images (n, H, W, C)."""
    ph, pw = shape.padding
    rows = slice(4 * tiles.start - ph, 4 * tiles.stop - ph + 2)
    padded = zero_padded(pixels, rows, slice(-pw, shape.size[1] + pw))
    n, height, *rest = padded.shape
    v = scratch("tiles", (6, n, height // 4, *rest), padded)
    points.bt([padded[:, a : a + height - 5 : 4] for a in range(6)], v.unbind())
    return v


WINOGRAD1D = Algorithm("winograd1d", _suits, forward, input_gradient, weight_gradient)
