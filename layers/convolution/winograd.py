"""Winograd's convolution F(4×4, 3×3): a quarter of the multiplications, for 3×3 kernels.

`transforms.py` has the idea: along one axis, four neighbouring outputs y of a kernel g of 3 taps come from 6 inputs d
by six multiplications in place of 12,

    y  =  Aᵀ [(G g) ⊙ (Bᵀ d)].

For images this is done along rows and columns one after the other: tiles of 6×6 inputs give 4×4 outputs with 36
multiplications in place of 144. The tiles overlap by two pixels. With channels, a multiplication at a point becomes a
sum over the input channels, and for all tiles together it is a matrix product at each of the 36 points:

    U = (G ⊗ G) w          36 matrices (C, O), the kernel at the points
    V = (Bᵀ ⊗ Bᵀ) tiles    36 matrices (T, C), the T tiles of the input at the points
    Y = (Aᵀ ⊗ Aᵀ) (V · U)  16 outputs of each tile.

⊗ is the Kronecker product: rows and columns in one step. That is more multiplications than one axis after the other,
and yet faster, because it is *one* large matrix product instead of dozens of passes over memory.

The adjoint in w is the same steps transposed, in reverse:

    Ū = Σ over tiles  Vᵀ · (A ⊗ A) Ȳ,   w̄ = (Gᵀ ⊗ Gᵀ) Ū.

The adjoint in x is a convolution itself, of ȳ with the rotated kernel, so that the steps of the forward pass serve.

Images are worked on in blocks of tiles small enough to stay in the cache. Memory beside input, output and U: a few
times `BLOCK` for each thread, or as many tiles as `FEWEST_TILES` if they take more. Rounding: about 10⁻⁵ of the largest
output in float32, a few times that of a plain sum of products; `transforms.py` has what that means beside a single huge
pixel, and why a result with a NaN or an infinity is computed once more, by im2col.

Sources: Winograd, *Arithmetic complexity of computations* (1980); Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016).
"""

from __future__ import annotations

import torch

from ...core import Array
from ...core.backend.gemm import batch_product, product
from . import im2col
from .blocks import blocks, zero_padded
from .problem import Problem
from .transforms import all_finite, tile_matrices

#: Bytes of a block of tiles at the points, for each thread. Input, products and output need about as much each.
BLOCK = 2 * 2**20
#: A block has at least as many tiles as there are channels, up to this number: every block goes through all of U.
FEWEST_TILES = 512


def suits(problem: Problem) -> bool:
    return (
        problem.plain
        and problem.kernel == (3, 3)
        and max(problem.padding) <= 2
        and problem.dtype in (torch.float32, torch.float64)
    )


def forward(x: Array, w: Array, b: Array | None, problem: Problem) -> Array:
    to_points, _, _ = tile_matrices(w.dtype, w.device)
    y = _convolve(x, _kernel_at_points(to_points, w).mT, b, problem)
    return im2col.forward(x, w, b, problem) if y is None else y


def input_gradient(ȳ: Array, w: Array, problem: Problem) -> Array:
    """With the kernel rotated by half a turn, which is its nine weights from the last to the first."""
    to_points, _, _ = tile_matrices(w.dtype, w.device)
    x̄ = _convolve(ȳ, _kernel_at_points(to_points.flip(1), w), None, problem.adjoint())
    return im2col.input_gradient(ȳ, w, problem) if x̄ is None else x̄


def weight_gradient(x: Array, ȳ: Array, problem: Problem) -> Array:
    c, o = problem.channels, problem.out_channels
    to_points, _, _ = tile_matrices(x.dtype, x.device)
    ū = x.new_zeros(36, o, c)
    for images, tile_rows in _blocks(problem):
        v = _input_at_points(x[images], tile_rows, problem)
        ū.baddbmm_(_cotangent_at_points(ȳ[images], tile_rows).mT, v)
    w̄ = product(to_points.mT, ū.view(36, o * c)).view(3, 3, o, c).permute(2, 3, 0, 1).contiguous()
    return w̄ if all_finite(w̄) else im2col.weight_gradient(x, ȳ, problem)


def _convolve(x: Array, u: Array, b: Array | None, problem: Problem) -> Array | None:
    """x convolved with the kernel whose values at the points are u (36, C, O); None if the result isn't finite."""
    _, _, to_output = tile_matrices(x.dtype, x.device)
    y = x.new_empty(problem.images, *problem.out, problem.out_channels)
    for images, tile_rows in _blocks(problem):
        at_points = batch_product(_input_at_points(x[images], tile_rows, problem), u)
        tiles = product(to_output, at_points.view(36, -1))
        if not all_finite(tiles[::15]):  # a NaN in a tile is in all of its outputs; the last has the largest factors
            return None
        _put(y[images, 4 * tile_rows.start : 4 * tile_rows.stop], tiles, b)
    return y


def _kernel_at_points(to_points: Array, w: Array) -> Array:
    """U, (36, O, C); the weights are read as they lie."""
    return product(to_points, w.reshape(-1, 9).mT).view(36, *w.shape[:2])


def _input_at_points(images: Array, tile_rows: slice, problem: Problem) -> Array:
    """V of these rows of tiles, (36, T, C), for images (n, H, W, C)."""
    rows, columns = slice(4 * tile_rows.start, 4 * tile_rows.stop), slice(0, 4 * _tiles(problem.out[1]))
    down, across = (
        slice(outputs.start - p, outputs.stop - p + 2)
        for outputs, p in zip((rows, columns), problem.padding, strict=True)
    )
    windows = zero_padded(images, down, across).unfold(1, 6, 4).unfold(2, 6, 4).permute(4, 5, 0, 1, 2, 3)
    _, to_points, _ = tile_matrices(images.dtype, images.device)
    return product(to_points, windows.reshape(36, -1)).view(36, -1, problem.channels)


def _cotangent_at_points(ȳ: Array, tile_rows: slice) -> Array:
    """(A ⊗ A) Ȳ of these rows of tiles, (36, T, O), with zeros beyond the last row and column of ȳ (n, H', W', O)."""
    rows, columns = slice(4 * tile_rows.start, 4 * tile_rows.stop), slice(0, 4 * _tiles(ȳ.shape[2]))
    pixels = zero_padded(ȳ, rows, columns).unflatten(2, (-1, 4)).unflatten(1, (-1, 4)).permute(2, 4, 0, 1, 3, 5)
    _, _, to_output = tile_matrices(ȳ.dtype, ȳ.device)
    return product(to_output.mT, pixels.reshape(16, -1)).view(36, -1, ȳ.shape[3])


def _put(y: Array, tiles: Array, b: Array | None) -> None:
    """Write tiles of outputs (16, T · O), plus `b`, into y (n, rows, W', O), beyond which some of them may reach."""
    n, rows, columns, o = y.shape
    pixels = tiles.view(4, 4, n, _tiles(rows), _tiles(columns), o).permute(2, 3, 0, 4, 1, 5)
    if rows % 4 == columns % 4 == 0:
        y = y.view(pixels.shape)
    else:
        pixels = pixels.reshape(n, 4 * _tiles(rows), -1, o)[:, :rows, :columns]
    y.copy_(pixels) if b is None else torch.add(pixels, b, out=y)


def _tiles(size: int) -> int:
    """How many tiles of four outputs cover so many rows or columns."""
    return -(-size // 4)


def _blocks(problem: Problem) -> list[tuple[slice, slice]]:
    """Images and rows of tiles, in blocks that fit the cache: several whole images, or some rows of one."""
    channels = max(problem.channels, problem.out_channels)
    tile = 36 * channels * problem.dtype.itemsize
    fitting = max(BLOCK * torch.get_num_threads() // tile, min(channels, FEWEST_TILES))
    return blocks(problem.images, _tiles(problem.out[0]), fitting // _tiles(problem.out[1]))
