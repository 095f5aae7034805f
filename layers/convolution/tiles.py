"""Winograd's transforms: tiles of images to the 36 points and back, and the adjoint (see `winograd.py` for what for).

Each transform is there twice. As a matrix: the Kronecker product of the one-dimensional transform with itself takes
rows and columns in one step. That is 36 multiply-adds a number instead of 2 · 6, most of them with 0 or 1, and yet it
is faster than plain additions, which would be dozens of passes over memory: it is *one* large matrix product, where a
core is at its best. And as plain additions, for the compiler (`core.compiling`), which makes one pass of them: measured
on two threads at 64 channels, 0.65 ms for the input of two images of 112×112 instead of 1.65, 0.27 for the output
instead of 0.91.

Source: Lavin & Gray, *Fast algorithms for convolutional neural networks* (2016), whose matrices these are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from ...core import Array
from ...core.compiling import Compilable, compiles_functions
from ...core.products import product
from ...core.workspace import scratch

_G = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # all over 24
_BT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_AT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


@functools.cache
def matrices(dtype: torch.dtype, device: torch.device) -> tuple[Array, Array, Array]:
    """G ⊗ G (36, 9), Bᵀ ⊗ Bᵀ (36, 36) and Aᵀ ⊗ Aᵀ (16, 36)."""
    with torch.inference_mode(False):  # they are kept, and serve outside of that mode, too
        g, bt, at = (torch.tensor(rows, dtype=torch.float64) for rows in (_G, _BT, _AT))
        g = g / 24
        return tuple(torch.kron(m, m).to(device, dtype) for m in (g, bt, at))  # type: ignore[return-value]


def input_to_points(images: Array) -> Array:
    """Bᵀ d B of all tiles d, 6 × 6 pixels every 4, of images (N, 4 m + 2, 4 k + 2, C): (36, N m k, C)."""
    n, height, width, c = images.shape
    down, across = height // 4, width // 4
    if _compiled(images):
        return _input_to_points(images)
    image, row, column, channel = images.stride()
    tiles = scratch("tiles", (36, n * down * across * c), images)
    tiles.view(6, 6, n, down, across, c).copy_(
        images.as_strided((6, 6, n, down, across, c), (row, column, image, 4 * row, 4 * column, channel))
    )
    return product(matrices(images.dtype, images.device)[1], tiles).view(36, n * down * across, c)


def output_to_points(images: Array) -> Array:
    """A y Aᵀ of all tiles y, 4 × 4 pixels, of images (N, 4 m, 4 k, O): (36, N m k, O). The adjoint of `from_points`."""
    n, height, width, o = images.shape
    down, across = height // 4, width // 4
    if _compiled(images):
        return _output_to_points(images)
    tiles = scratch("output tiles", (16, n * down * across * o), images)
    tiles.view(4, 4, n, down, across, o).copy_(images.view(n, down, 4, across, 4, o).permute(2, 4, 0, 1, 3, 5))
    return product(matrices(images.dtype, images.device)[2].T, tiles).view(36, n * down * across, o)


def from_points(points: Sequence[Array] | Array) -> Array:
    """Aᵀ m A of what stands at the 36 points, (T, O) each: the 4 × 4 outputs of T tiles, (16, T, O).

    The points may be one array (36, T, O), or 36 of them: what is compiled reads these where they are.
    """
    if _compiled(points[0]):
        return _from_points(list(points))
    if isinstance(points, Array):
        together = points
    else:
        together = torch.stack(list(points), out=scratch("tiles", (36, *points[0].shape), points[0]))
    found = product(matrices(together.dtype, together.device)[2], together.view(36, -1))
    return found.view(16, *together.shape[1:])


def _compiled(like: Array) -> bool:
    """Whether to go the way of the compiler: it was measured on CPUs only."""
    return compiles_functions() and like.device.type == "cpu"


#: Of an axis of a tile, or of the points: arrays that stand for single numbers.
_Numbers = list[Array]


def _bt(d: _Numbers) -> _Numbers:
    """Bᵀ d for six numbers, by the fewest additions."""
    even, odd = d[4] - 4 * d[2], d[3] - 4 * d[1]
    outer, twice = d[4] - d[2], 2 * (d[3] - d[1])
    first, last = 4 * d[0] - 5 * d[2] + d[4], 4 * d[1] - 5 * d[3] + d[5]
    return [first, even + odd, even - odd, outer + twice, outer - twice, last]


def _at(m: _Numbers) -> _Numbers:
    """Aᵀ m for six numbers."""
    near, far = m[1] + m[2], m[3] + m[4]
    near_slope, far_slope = m[1] - m[2], m[3] - m[4]
    return [m[0] + near + far, near_slope + 2 * far_slope, near + 4 * far, near_slope + 8 * far_slope + m[5]]


def _a(y: _Numbers) -> _Numbers:
    """A y for four numbers."""
    even, odd = y[0] + y[2], y[1] + y[3]
    far_even, far_odd = y[0] + 4 * y[2], 2 * y[1] + 8 * y[3]
    return [y[0], even + odd, even - odd, far_even + far_odd, far_even - far_odd, y[3]]


@Compilable
def _input_to_points(images: Array) -> Array:
    down, across = images.shape[1] // 4, images.shape[2] // 4
    tile = [[images[:, i : i + 4 * down - 3 : 4, j : j + 4 * across - 3 : 4] for j in range(6)] for i in range(6)]
    columns = [_bt([tile[i][j] for i in range(6)]) for j in range(6)]
    rows = [_bt([columns[j][i] for j in range(6)]) for i in range(6)]
    return torch.stack([number for row in rows for number in row]).flatten(1, 3)


@Compilable
def _output_to_points(images: Array) -> Array:
    tile = [[images[:, i::4, j::4] for j in range(4)] for i in range(4)]
    columns = [_a([tile[i][j] for i in range(4)]) for j in range(4)]
    rows = [_a([columns[j][i] for j in range(4)]) for i in range(6)]
    return torch.stack([number for row in rows for number in row]).flatten(1, 3)


@Compilable
def _from_points(points: _Numbers) -> Array:
    columns = [_at([points[6 * i + j] for i in range(6)]) for j in range(6)]
    rows = [_at([columns[j][i] for j in range(6)]) for i in range(4)]
    return torch.stack([number for row in rows for number in row])
