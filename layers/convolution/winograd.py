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
times `blocks.BLOCK` for each thread, or as many tiles as `blocks.MOST_TILES` if they take more. Rounding: about 10⁻⁵ of
the largest output in float32, a few times that of a plain sum of products.

Sources: Winograd, *Arithmetic complexity of computations* (1980); Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016), whose points these are.
"""

from __future__ import annotations

import torch

from ...core import Array
from ...core.backend.gemm import batch_product, product
from ...core.backend.workspace import output
from .blocks import put_tiles, seen_by_tiles, tile_blocks, whole_tiles, zero_padded
from .shape import Algorithm, ConvShape
from .tiles import THREE_TAPS


def _suits(shape: ConvShape) -> bool:
    return (
        shape.plain
        and shape.kernel == (3, 3)
        and max(shape.padding) <= 2
        and shape.dtype in (torch.float32, torch.float64)
    )


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    return _convolve(x, _kernel_at_points(THREE_TAPS.matrices(x)[0], w).mT, b, shape)


def _kernel_at_points(to_kernel_points: Array, w: Array) -> Array:
    """U, (36, O, C); the weights are read as they lie."""
    return product(to_kernel_points, w.reshape(-1, 9).mT).view(THREE_TAPS.points, *w.shape[:2])


def _convolve(x: Array, u: Array, b: Array | None, shape: ConvShape) -> Array:
    """x convolved with the kernel whose values at the points are u (36, C, O)."""
    c, o = u.shape[1:]
    pixels = x.permute(0, 2, 3, 1).contiguous()
    y = output((shape.images, *shape.out, o), x)
    for images, tile_rows in tile_blocks(shape, THREE_TAPS.points * max(c, o)):
        v = THREE_TAPS.input_to_points(zero_padded(pixels[images], *seen_by_tiles(tile_rows, shape)))
        put_tiles(y, images, tile_rows, THREE_TAPS.points_to_output(batch_product(v, u)), b)
    return y.permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    """With the kernel turned by half a turn, which is its nine weights from the last to the first."""
    u = _kernel_at_points(THREE_TAPS.matrices(ȳ)[0].flip(1), w)
    return _convolve(ȳ, u, None, shape.adjoint())


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    c, o = shape.channels, shape.out_channels
    pixels, cotangents = x.permute(0, 2, 3, 1).contiguous(), ȳ.permute(0, 2, 3, 1).contiguous()
    ū = x.new_zeros(THREE_TAPS.points, o, c)
    for images, tile_rows in tile_blocks(shape, THREE_TAPS.points * max(c, o)):
        v = THREE_TAPS.input_to_points(zero_padded(pixels[images], *seen_by_tiles(tile_rows, shape)))
        ȳ_points = THREE_TAPS.output_to_points(whole_tiles(cotangents, images, tile_rows))
        ū.baddbmm_(ȳ_points.mT, v)
    # Turned after the product, not before: with 36 columns in the first matrix it took 3.9 ms for 1.1 (256 channels).
    w̄ = product(THREE_TAPS.matrices(x)[0].mT, ū.view(THREE_TAPS.points, o * c))
    return w̄.view(3, 3, o, c).permute(2, 3, 0, 1).contiguous()


WINOGRAD = Algorithm("winograd", _suits, forward, input_gradient, weight_gradient)
