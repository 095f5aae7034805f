"""Winograd's convolution F(4×4, 3×3): a quarter of the multiplications, for 3×3 kernels.

`points.py` has the idea: along one axis, four neighbouring outputs y of a kernel g of 3 taps come from 6 inputs d by
six multiplications in place of 12,

    y  =  Aᵀ [(G g) ⊙ (Bᵀ d)].

For images this is done along rows and columns one after the other: tiles of 6×6 inputs give 4×4 outputs with 36
multiplications in place of 144. The tiles overlap by two pixels. With channels, a multiplication at a point becomes a
sum over the input channels, and for all tiles together it is a matrix product at each of the 36 points:

    U = (G ⊗ G) w          36 matrices (C, O), the kernel at the points
    V = (Bᵀ ⊗ Bᵀ) tiles    36 matrices (T, C), the T tiles of the input at the points
    Y = (Aᵀ ⊗ Aᵀ) (V · U)  16 outputs of each tile.

⊗ is the Kronecker product: rows and columns in one step. How the transforms are computed stands in `tiles.py`.

The pullback. Each step is linear, so the adjoint is the same steps transposed, in reverse:

    Ū = Σ over tiles  Vᵀ · (A ⊗ A) Ȳ,   w̄ = (Gᵀ ⊗ Gᵀ) Ū.

The adjoint in x could go the same way; but it is a convolution itself, of ȳ with the kernel turned by half a turn and
its two channel axes exchanged, so that the steps of the forward pass serve for it.

Images are worked on in blocks of tiles small enough to stay in the cache. Memory beside input, output and U: a few
times `BLOCK` for each thread, or as many tiles as `MOST_TILES` if they take more. Rounding: about 10⁻⁵ of the largest
output in float32, a few times that of a plain sum of products.

Sources: Winograd, *Arithmetic complexity of computations* (1980); Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016), whose points these are.
"""

from __future__ import annotations

import torch

from ...core import Array
from ...core.products import batch_product, batches_by_mkl, product
from ...core.workspace import output, scratch
from .blocks import blocks, zero_padded
from .shape import Algorithm, ConvShape
from .tiles import from_points, input_to_points, matrices, output_to_points

#: Bytes of a block at the 36 points, for each thread. Its input, the products and the output need about as much each.
BLOCK = 4 * 2**20
#: The same where batches are MKL's (`batches_by_mkl`): a block may be smaller there …
BATCH_BLOCK = 2 * 2**20
#: … but should have about as many tiles as there are channels, up to so many, since every block goes through all of U.
MOST_TILES = 512

#: A block of tiles: which images, and which rows of tiles of each.
Block = tuple[slice, slice]


def _suits(shape: ConvShape) -> bool:
    return (
        shape.plain
        and shape.kernel == (3, 3)
        and max(shape.padding) <= 2
        and shape.dtype in (torch.float32, torch.float64)
    )


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    return _convolve(x, _kernel_at_points(matrices(x.dtype, x.device)[0], w).mT, b, shape)


def _kernel_at_points(to_kernel_points: Array, w: Array) -> Array:
    """U, (36, O, C); the weights are read as they lie."""
    return product(to_kernel_points, w.reshape(-1, 9).mT).view(36, *w.shape[:2])


def _convolve(x: Array, u: Array, b: Array | None, shape: ConvShape) -> Array:
    """x convolved with the kernel whose values at the points are u (36, C, O)."""
    c, o = u.shape[1:]
    (rows, columns), across = shape.out, -(-shape.out[1] // 4)
    pixels = x.permute(0, 2, 3, 1).contiguous()
    y = output((shape.images, rows, columns, o), x)

    for images, tile_rows in _blocks(shape, max(c, o)):
        v = input_to_points(_padded(pixels, images, tile_rows, shape))
        n, down = images.stop - images.start, tile_rows.stop - tile_rows.start
        tiles = from_points(batch_product(v, u)).view(4, 4, n, down, across, o).permute(2, 3, 0, 4, 1, 5)
        inside = y[images, 4 * tile_rows.start : 4 * tile_rows.stop]
        if inside.shape[1:3] == (4 * down, 4 * across):
            inside = inside.view(tiles.shape)
        else:  # tiles reach beyond the last row or column
            whole = scratch("pixels", tiles.shape, x).copy_(tiles).view(n, 4 * down, 4 * across, o)
            tiles = whole[:, : inside.shape[1], :columns]
        inside.copy_(tiles) if b is None else torch.add(tiles, b, out=inside)
    return y.permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    """With the kernel turned by half a turn, which is its nine weights from the last to the first."""
    u = _kernel_at_points(matrices(ȳ.dtype, ȳ.device)[0].flip(1), w)
    return _convolve(ȳ, u, None, shape.adjoint())


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    c, o = shape.channels, shape.out_channels
    pixels, cotangents = x.permute(0, 2, 3, 1).contiguous(), ȳ.permute(0, 2, 3, 1).contiguous()
    ū = x.new_zeros(36, o, c)
    for images, tile_rows in _blocks(shape, max(c, o)):
        v = input_to_points(_padded(pixels, images, tile_rows, shape))
        ȳ_points = output_to_points(_whole_tiles(cotangents, images, tile_rows))
        ū.baddbmm_(ȳ_points.mT, v)
    # Turned after the product, not before: with 36 columns in the first matrix it took 3.9 ms for 1.1 (256 channels).
    w̄ = product(matrices(x.dtype, x.device)[0].mT, ū.view(36, o * c))
    return w̄.view(3, 3, o, c).permute(2, 3, 0, 1).contiguous()


def _blocks(shape: ConvShape, channels: int) -> list[Block]:
    """All tiles in blocks of about `BLOCK` bytes a thread: several whole images, or some rows of tiles of one."""
    down, across = (-(-size // 4) for size in shape.out)
    tile = 36 * channels * shape.dtype.itemsize
    tiles = BLOCK * torch.get_num_threads() // tile
    if shape.dtype == torch.float32 and shape.device == "cpu" and batches_by_mkl():
        tiles = max(BATCH_BLOCK * torch.get_num_threads() // tile, min(channels, MOST_TILES))
    return blocks(shape.images, down, tiles // across)


def _padded(pixels: Array, images: slice, tile_rows: slice, shape: ConvShape) -> Array:
    """What a block's tiles see of the images (N, H, W, C): (n, 4 down + 2, 4 across + 2, C) for n images with `down`
    rows of tiles each."""
    (ph, pw), across = shape.padding, -(-shape.out[1] // 4)
    rows = slice(4 * tile_rows.start - ph, 4 * tile_rows.stop - ph + 2)
    return zero_padded(pixels[images], rows, slice(-pw, 4 * across - pw + 2))


def _whole_tiles(cotangents: Array, images: slice, tile_rows: slice) -> Array:
    """A block's rows of the cotangents (N, H', W', O), with zeros beyond the last row and column:
    (n, 4 down, 4 across, O)."""
    rows, columns = slice(4 * tile_rows.start, 4 * tile_rows.stop), slice(0, 4 * -(-cotangents.shape[2] // 4))
    inside = cotangents[images, rows]
    if inside.shape[1:3] == (rows.stop - rows.start, columns.stop):
        return inside
    return zero_padded(cotangents[images], rows, columns)


WINOGRAD = Algorithm("winograd", _suits, forward, input_gradient, weight_gradient)
