"""Winograd's transforms: tiles of images to the points and back, and the adjoints (see `winograd.py` what for).

The transforms of one axis stand in `points.py`; those of both are here, each of them twice. As a matrix: the Kronecker
product of the one-dimensional transform with itself takes rows and columns in one step. That is n² multiply-adds a
number instead of 2 n, most of them with 0 or 1, and yet it is faster than plain additions, which would be dozens of
passes over memory: it is *one* large matrix product, where a core is at its best. And as plain additions, for the
compiler (`compiling.py`), which makes one pass of them, along the columns and then along the rows: for two images of
112×112 with 64 channels, two threads, half the time or less.

To the compiler each row of a one-axis matrix is a sum by itself. What rows have in common may be added up once instead,
as `points.py` has it. For the input of 3×3 kernels that is faster (1.3 to 1.8 ms for 1.8 to 2.3, on a busy machine),
for the output it isn't (1.5 to 1.6 for 1.3 to 1.8; 1.2 for 0.6 on a quiet one).

Source: Lavin & Gray, *Fast algorithms for convolutional neural networks* (2016).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from ...core import Array
from ...core.backend.compiling import Compilable, compiles_functions
from ...core.backend.gemm import product
from ...core.backend.workspace import scratch
from .points import F42, F43, Matrix, Numbers, Points, input_to_points

#: A transform of one axis: of some numbers, a list.
Step = Callable[[Numbers], list[Array]]


@functools.cache
def matrices(axis: Points, dtype: torch.dtype, device: torch.device) -> tuple[Array, Array, Array]:
    """G ⊗ G (n², r²), Bᵀ ⊗ Bᵀ (n², n²) and Aᵀ ⊗ Aᵀ (16, n²)."""
    with torch.inference_mode(False):  # they are kept, and serve outside of that mode, too
        g, bt, at = (torch.tensor(m, dtype=torch.float64) for m in (axis.g, axis.bt, axis.at))
        pairs = (torch.kron(m, m).to(device, dtype) for m in (g / axis.over, bt, at))
        return tuple(pairs)  # type: ignore[return-value]


class Tiles:
    """The transforms of F(4×4, r×r): from tiles of n×n pixels, n = 3 + r, one every four pixels, to n² points, and from
    there to tiles of 4×4 outputs. Images have their channels last, which may be several axes (*C).
    """

    def __init__(self, axis: Points, input_step: Step | None = None) -> None:
        """`input_step`: Bᵀ d of one axis for the compiler, if not row by row."""
        self.axis = axis
        self._input_step = input_step or _times(axis.bt)
        self.side = len(axis.bt)
        self.points = self.side**2
        self._compiled_input = Compilable(self._input_by_additions)
        self._compiled_input_adjoint = Compilable(self._input_adjoint_by_additions)
        self._compiled_output = Compilable(self._output_by_additions)
        self._compiled_output_adjoint = Compilable(self._output_adjoint_by_additions)

    def matrices(self, like: Array) -> tuple[Array, Array, Array]:
        """`matrices` of this array's dtype and device."""
        return matrices(self.axis, like.dtype, like.device)

    def input_to_points(self, images: Array) -> Array:
        """Bᵀ d B of all tiles d of images (N, 4 m + r − 1, 4 k + r − 1, *C): (n², N m k, *C)."""
        if _compiled(images):
            return self._compiled_input(images)
        windows = self._windows(images)
        tiles = scratch("tiles", (self.points, windows.shape[2:].numel()), images)
        tiles.view(windows.shape).copy_(windows)
        found = product(self.matrices(images)[1], tiles)
        return found.view(self.points, -1, *windows.shape[5:])

    def points_to_input(self, points: Numbers, images: Array) -> None:
        """The adjoint of `input_to_points`: B m Bᵀ of what stands at the points, (T, *C) each, added up in images
        (N, 4 m + r − 1, 4 k + r − 1, *C) where the tiles overlap."""
        windows, n = self._windows(images), self.side
        if _compiled(images):
            found = self._compiled_input_adjoint(points)
        else:
            together = _together(points)
            found = product(self.matrices(together)[1].T, together.view(self.points, -1))
        tiles = found.view(windows.shape)
        images[:, 4 * windows.shape[3] :], images[:, :, 4 * windows.shape[4] :] = 0, 0
        inner, beyond = slice(0, 4), slice(4, n)  # beyond lies what the next tile has, too
        windows[inner, inner] = tiles[inner, inner]
        for rows, columns in ((beyond, inner), (inner, beyond), (beyond, beyond)):
            windows[rows, columns] += tiles[rows, columns]

    def output_to_points(self, images: Array) -> Array:
        """A y Aᵀ of all tiles y, 4 × 4 pixels, of images (N, 4 m, 4 k, O): (n², N m k, O). The adjoint of
        `points_to_output`."""
        if _compiled(images):
            return self._compiled_output_adjoint(images)
        n, height, width, o = images.shape
        down, across = height // 4, width // 4
        tiles = scratch("output tiles", (16, n * down * across * o), images)
        tiles.view(4, 4, n, down, across, o).copy_(images.view(n, down, 4, across, 4, o).permute(2, 4, 0, 1, 3, 5))
        found = product(self.matrices(images)[2].T, tiles)
        return found.view(self.points, n * down * across, o)

    def points_to_output(self, points: Numbers) -> Array:
        """Aᵀ m A of what stands at the points, (T, O) each: the 4 × 4 outputs of T tiles, (16, T, O).

        The points may be one array (n², T, O), or n² of them: what is compiled reads these where they are.
        """
        if _compiled(points[0]):
            return self._compiled_output(points)
        together = _together(points)
        found = product(self.matrices(together)[2], together.view(self.points, -1))
        return found.view(16, *together.shape[1:])

    def _windows(self, images: Array) -> Array:
        """The tiles of images (N, H, W, *C), a view that overlaps: (n, n, N, m, k, *C)."""
        return images.unfold(1, self.side, 4).unfold(2, self.side, 4).movedim((-2, -1), (0, 1))

    def _input_by_additions(self, images: Array) -> Array:
        down, across = ((size - self.side) // 4 + 1 for size in images.shape[1:3])
        rows = [slice(i, i + 4 * down - 3, 4) for i in range(self.side)]
        columns = [slice(j, j + 4 * across - 3, 4) for j in range(self.side)]
        tile = [images[:, i, j] for i in rows for j in columns]
        return torch.stack(_both_axes(self._input_step, self.side, tile)).flatten(1, 3)

    def _input_adjoint_by_additions(self, points: Numbers) -> Array:
        return torch.stack(_both_axes(_times(_transposed(self.axis.bt)), self.side, points))

    def _output_by_additions(self, points: Numbers) -> Array:
        return torch.stack(_both_axes(_times(self.axis.at), self.side, points))

    def _output_adjoint_by_additions(self, images: Array) -> Array:
        tile = [images[:, i::4, j::4] for i in range(4) for j in range(4)]
        return torch.stack(_both_axes(_times(_transposed(self.axis.at)), 4, tile)).flatten(1, 3)


def _both_axes(step: Step, side: int, tile: Numbers) -> list[Array]:
    """A step down all columns of a tile of side × side numbers, row by row in a list, and then along all rows."""
    columns = [step([tile[side * i + j] for i in range(side)]) for j in range(side)]
    return [number for row in zip(*columns, strict=True) for number in step(row)]


def _times(matrix: Matrix) -> Step:
    """M v of a column v of numbers, each row of M by itself."""

    def step(numbers: Numbers) -> list[Array]:
        terms = ([n if m == 1 else m * n for m, n in zip(row, numbers, strict=True) if m] for row in matrix)
        return [functools.reduce(torch.add, row) for row in terms]

    return step


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _together(points: Numbers) -> Array:
    """What stands at the points in one array."""
    if isinstance(points, Array):
        return points
    return torch.stack(list(points), out=scratch("tiles", (len(points), *points[0].shape), points[0]))


def _compiled(like: Array) -> bool:
    """Whether to go the way of the compiler: it was measured on CPUs only."""
    return compiles_functions() and like.device.type == "cpu"


THREE_TAPS = Tiles(F43, input_to_points)
TWO_TAPS = Tiles(F42)
