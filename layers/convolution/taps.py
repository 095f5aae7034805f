"""Convolution tap by tap: a matrix product for each tap of the kernel. Works for every shape.

A convolution slides a kernel over an image. Read the other way round: each *tap* (i, j) of the kernel takes the
whole image, shifted by (i, j), through one small matrix, and the taps' results are added up,

    y[n, :, r, c] = Σ over (i, j) of  w[:, :, i, j] · x[n, :, r + i, c + j].

With the pixels as the rows of a matrix X (a pixel's channels side by side), shifting the image by (i, j) is the same
as starting i · W + j rows further down, so a tap is one matrix product on a slice of X, without any copy:

    Y  +=  X[offset : offset + L] · W[i, j]            forward
    X̄[offset : offset + L]  +=  Ȳ · W[i, j]ᵀ          its adjoint in x
    W̄[i, j]  =  X[offset : offset + L]ᵀ · Ȳ           its adjoint in w

At the end of each image row the slice runs on into the next row, where the windows don't exist: those rows of Y are
computed and not used, and in Ȳ they are 0. A stride s first sorts the pixels into s · s planes of every s-th pixel;
within a plane a tap is a shift again. Groups are a batch of smaller products.

Memory beside input and output: one padded copy of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...core import Array
from ..windows import Pair
from .shape import Algorithm, ConvShape


@dataclass(frozen=True)
class _Grid:
    """How the pixels of a padded input lie as rows: `phases` planes of N · plane[0] · plane[1] rows each."""

    shape: ConvShape

    @property
    def plane(self) -> Pair:
        """Rows and columns of one plane: the padded input, every stride-th pixel."""
        (h, w), (ph, pw), (sh, sw) = self.shape.size, self.shape.padding, self.shape.stride
        return math.ceil((h + 2 * ph) / sh), math.ceil((w + 2 * pw) / sw)

    @property
    def length(self) -> int:
        """How many rows of Y are computed: up to the last output pixel of the last image.

        Without images it isn't above 0, and no rows are there to take a part of.
        """
        rows, columns = self.plane
        return (self.shape.images - 1) * rows * columns + (self.shape.out[0] - 1) * columns + self.shape.out[1]

    @property
    def rows(self) -> int:
        """How many rows one plane of all images has."""
        return self.shape.images * self.plane[0] * self.plane[1]

    def taps(self) -> list[tuple[int, int, int, slice]]:
        """(i, j, phase, rows) of every tap: in which plane it finds its pixels, and in which rows of it."""
        shape, found = self.shape, []
        for i in range(shape.kernel[0]):
            for j in range(shape.kernel[1]):
                down, phase_row = divmod(i * shape.dilation[0], shape.stride[0])
                right, phase_column = divmod(j * shape.dilation[1], shape.stride[1])
                offset = down * self.plane[1] + right
                phase = phase_row * shape.stride[1] + phase_column
                found.append((i, j, phase, slice(offset, offset + self.length)))
        return found

    def weight_taps(self, w: Array) -> Array:
        """(kernel rows, kernel columns, groups, C / groups, O / groups): each tap's matrices, ready to multiply."""
        o, c_group = w.shape[:2]
        groups = self.shape.groups
        return w.reshape(groups, o // groups, c_group, *self.shape.kernel).permute(3, 4, 0, 2, 1).contiguous()

    def to_rows(self, x: Array) -> Array:
        """(N, C, H, W) → (phases, groups, rows, C / groups), zero-padded."""
        n, c = x.shape[:2]
        (h, w), (ph, pw), (sh, sw) = self.shape.size, self.shape.padding, self.shape.stride
        (rows, columns), groups = self.plane, self.shape.groups
        pixels = x.permute(0, 2, 3, 1)
        if (rows * sh, columns * sw) != (h, w):
            padded = x.new_zeros(n, rows * sh, columns * sw, c)
            padded[:, ph : ph + h, pw : pw + w] = pixels
            pixels = padded
        sorted_ = pixels.reshape(n, rows, sh, columns, sw, groups, c // groups)
        return sorted_.permute(2, 4, 5, 0, 1, 3, 6).reshape(sh * sw, groups, self.rows, c // groups)

    def from_rows(self, x_rows: Array) -> Array:
        """The adjoint of `to_rows`."""
        (h, w), (ph, pw), (sh, sw) = self.shape.size, self.shape.padding, self.shape.stride
        n, groups, (rows, columns), c_group = self.shape.images, self.shape.groups, self.plane, x_rows.shape[3]
        sorted_ = x_rows.reshape(sh, sw, groups, n, rows, columns, c_group)
        pixels = sorted_.permute(3, 4, 0, 5, 1, 2, 6).reshape(n, rows * sh, columns * sw, groups * c_group)
        return pixels[:, ph : ph + h, pw : pw + w].permute(0, 3, 1, 2)

    def output_from_rows(self, y_rows: Array) -> Array:
        """(groups, rows, O / groups) → (N, O, *out): a view where there is one group."""
        y = y_rows.permute(1, 0, 2).reshape(self.shape.images, *self.plane, self.shape.out_channels)
        return y[:, : self.shape.out[0], : self.shape.out[1]].permute(0, 3, 1, 2)

    def output_to_rows(self, ȳ: Array) -> Array:
        """The adjoint of `output_from_rows`: zeros stand in the rows where no window exists."""
        n, o = ȳ.shape[:2]
        groups, (rows, columns) = self.shape.groups, self.shape.out
        padded = ȳ.new_zeros(n, *self.plane, o)
        padded[:, :rows, :columns] = ȳ.permute(0, 2, 3, 1)
        return padded.reshape(self.rows, groups, o // groups).permute(1, 0, 2)[:, : self.length]


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    grid = _Grid(shape)
    w_taps, x_rows = grid.weight_taps(w), grid.to_rows(x)
    y_rows = x.new_empty(shape.groups, grid.rows, shape.out_channels // shape.groups)
    used = y_rows[:, : grid.length]
    for number, (i, j, phase, rows) in enumerate(grid.taps()):
        _accumulate(used, x_rows[phase][:, rows], w_taps[i, j], first=number == 0)
    y = grid.output_from_rows(y_rows)
    return y if b is None else y + b[:, None, None]


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    grid = _Grid(shape)
    w_taps, ȳ_rows = grid.weight_taps(w), grid.output_to_rows(ȳ)
    phases = shape.stride[0] * shape.stride[1]
    x̄_rows = ȳ.new_zeros(phases, shape.groups, grid.rows, shape.channels // shape.groups)
    for i, j, phase, rows in grid.taps():
        _accumulate(x̄_rows[phase][:, rows], ȳ_rows, w_taps[i, j].mT)
    return grid.from_rows(x̄_rows)


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    grid = _Grid(shape)
    x_rows, ȳ_rows = grid.to_rows(x), grid.output_to_rows(ȳ)
    c_group, o_group = x_rows.shape[3], ȳ_rows.shape[2]
    w̄_taps = x.new_empty(*shape.kernel, shape.groups, c_group, o_group)
    for i, j, phase, rows in grid.taps():
        torch.bmm(x_rows[phase][:, rows].mT, ȳ_rows, out=w̄_taps[i, j])
    return w̄_taps.permute(2, 4, 3, 0, 1).reshape(shape.out_channels, c_group, *shape.kernel)


def _accumulate(total: Array, a: Array, b: Array, *, first: bool = False) -> None:
    """total += a · b for batches of matrices (``=`` if it is the first), in place."""
    if len(total) == 1:  # one group: the plain product, which has less overhead than a batch of one
        total, a, b = total[0], a[0], b[0]
        torch.mm(a, b, out=total) if first else total.addmm_(a, b)
    elif first:
        torch.bmm(a, b, out=total)
    else:
        total.baddbmm_(a, b)


TAPS = Algorithm("taps", lambda shape: True, forward, input_gradient, weight_gradient)
