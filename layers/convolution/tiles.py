"""Winograd's transforms: tiles of images to the 36 points and back, and the adjoint (see `winograd.py` for what for).

The transforms of one axis stand in `points.py`; those of both are here, each of them twice. As a matrix: the Kronecker
product of the one-dimensional transform with itself takes rows and columns in one step. That is 36 multiply-adds a
number instead of 2 · 6, most of them with 0 or 1, and yet it is faster than plain additions, which would be dozens of
passes over memory: it is *one* large matrix product, where a core is at its best. And as plain additions, for the
compiler (`core.compiling`), which makes one pass of them: measured on two threads at 64 channels, 0.65 ms for the input
of two images of 112×112 instead of 1.65, 0.27 for the output instead of 0.91.

Source: Lavin & Gray, *Fast algorithms for convolutional neural networks* (2016).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from ...core import Array
from ...core.compiling import Compilable, compiles_functions
from ...core.products import product
from ...core.workspace import scratch
from . import points as one_axis


@functools.cache
def matrices(dtype: torch.dtype, device: torch.device) -> tuple[Array, Array, Array]:
    """G ⊗ G (36, 9), Bᵀ ⊗ Bᵀ (36, 36) and Aᵀ ⊗ Aᵀ (16, 36)."""
    with torch.inference_mode(False):  # they are kept, and serve outside of that mode, too
        to_kernel, to_input, to_output = (
            torch.tensor(rows, dtype=torch.float64) for rows in (one_axis.G, one_axis.BT, one_axis.AT)
        )
        pairs = (torch.kron(m, m).to(device, dtype) for m in (to_kernel / 24, to_input, to_output))
        return tuple(pairs)  # type: ignore[return-value]


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
        return _from_points(points)
    if isinstance(points, Array):
        together = points
    else:
        together = torch.stack(list(points), out=scratch("tiles", (36, *points[0].shape), points[0]))
    found = product(matrices(together.dtype, together.device)[2], together.view(36, -1))
    return found.view(16, *together.shape[1:])


def _compiled(like: Array) -> bool:
    """Whether to go the way of the compiler: it was measured on CPUs only."""
    return compiles_functions() and like.device.type == "cpu"


@Compilable
def _input_to_points(images: Array) -> Array:
    down, across = images.shape[1] // 4, images.shape[2] // 4
    tile = [[images[:, i : i + 4 * down - 3 : 4, j : j + 4 * across - 3 : 4] for j in range(6)] for i in range(6)]
    columns = [one_axis.input_to_points([tile[i][j] for i in range(6)]) for j in range(6)]
    rows = [one_axis.input_to_points([columns[j][i] for j in range(6)]) for i in range(6)]
    return torch.stack([number for row in rows for number in row]).flatten(1, 3)


@Compilable
def _output_to_points(images: Array) -> Array:
    tile = [[images[:, i::4, j::4] for j in range(4)] for i in range(4)]
    columns = [one_axis.output_to_points([tile[i][j] for i in range(4)]) for j in range(4)]
    rows = [one_axis.output_to_points([columns[j][i] for j in range(4)]) for i in range(6)]
    return torch.stack([number for row in rows for number in row]).flatten(1, 3)


@Compilable
def _from_points(points: one_axis.Numbers | Array) -> Array:
    columns = [one_axis.points_to_output([points[6 * i + j] for i in range(6)]) for j in range(6)]
    rows = [one_axis.points_to_output([columns[j][i] for j in range(6)]) for i in range(4)]
    return torch.stack([number for row in rows for number in row])
