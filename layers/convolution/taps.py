"""Convolution tap by tap: a matrix product for each tap of the kernel. Works for every shape.

A convolution slides a kernel over an image. Read the other way round: each *tap* (i, j) of the kernel takes the
whole image, shifted by (i, j), through one small matrix, and the taps' results are added up,

    y[n, :, r, c] = Σ over (i, j) of  w[:, :, i, j] · x[n, :, r + i, c + j].

With the pixels of the padded input as the rows of a matrix X (a pixel's channels side by side), P of them in each row
of the image, shifting the image by (i, j) is the same as starting i · P + j rows further down, or d (i · P + j) with
dilation d. So a tap is one matrix product on a slice of X, without any copy; with L the number of rows from the first
output to the last, and W[i, j] = w[:, :, i, j]ᵀ,

    Y  +=  X[offset : offset + L] · W[i, j]            forward
    X̄[offset : offset + L]  +=  Ȳ · W[i, j]ᵀ          its adjoint in x
    W̄[i, j]  =  X[offset : offset + L]ᵀ · Ȳ           its adjoint in w

At the end of each image row the slice runs on into the next row, where the windows don't exist: those rows of Y are
computed and not used, and in Ȳ they are 0. With a stride s, the image rows are first sorted into s planes of every
s-th row, and s neighbouring pixels of a row are taken for one, with s times the channels; then a tap is a shift again,
and it looks at its own pixel's channels. Taps that look at one such pixel are neighbours in memory and go through one
product together. Groups are a batch of smaller products.

Memory beside input and output: one padded copy of each. In bfloat16 the sum is rounded after each tap; with 9 taps of
64 channels the error came to about twice that of rounding the result alone.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ...core import Array
from ...core.backend.workspace import output, scratch
from ..windows import Pair
from .products import product_over_rows
from .shape import Algorithm, ConvShape


class _Tap(NamedTuple):
    """Taps of the kernel that are multiplied together, and where they find their pixels."""

    i: int
    columns: slice  # of the kernel
    plane: int
    rows: slice  # of that plane
    channels: slice  # of its rows


@dataclass(frozen=True)
class _Grid:
    """How the pixels of a padded input lie as rows of matrices: `stride[0]` planes with `rows` rows each, and in each
    row the channels of `stride[1]` pixels."""

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

    def taps(self) -> list[_Tap]:
        shape, c, found = self.shape, self.shape.channels, []
        together = shape.groups == 1 and shape.dilation[1] == 1
        for i in range(shape.kernel[0]):
            down, plane = divmod(i * shape.dilation[0], shape.stride[0])
            for _, same in itertools.groupby(range(shape.kernel[1]), lambda j: j // shape.stride[1] if together else j):
                first, *more = same
                right, pixel = divmod(first * shape.dilation[1], shape.stride[1])
                offset, count = down * self.plane[1] + right, 1 + len(more)
                found.append(
                    _Tap(
                        i,
                        slice(first, first + count),
                        plane,
                        slice(offset, offset + self.length),
                        slice(pixel * c, (pixel + count) * c),
                    )
                )
        return found

    def weight_taps(self, w: Array) -> Array:
        """(kernel rows, kernel columns, groups, C / groups, O / groups): each tap's matrices, ready to multiply."""
        o, c_group = w.shape[:2]
        groups = self.shape.groups
        return w.reshape(groups, o // groups, c_group, *self.shape.kernel).permute(3, 4, 0, 2, 1).contiguous()

    def matrices(self, w_taps: Array, tap: _Tap) -> Array:
        """The weights of taps that are multiplied together, (groups, channels of all of them, O / groups): a view."""
        these = w_taps[tap.i, tap.columns]
        return these.reshape(self.shape.groups, -1, these.shape[3])

    def grouped(self, rows: Array) -> Array:
        """(rows, channels) → (groups, rows, channels / groups): a view."""
        return rows.view(len(rows), self.shape.groups, rows.shape[1] // self.shape.groups).transpose(0, 1)

    def to_rows(self, x: Array) -> Array:
        """(N, C, H, W) → (planes, rows, pixels · C), zero-padded: a view, or in scratch."""
        (h, w), pw, (sh, sw) = self.shape.size, self.shape.padding[1], self.shape.stride
        pixels, wide, c = x.permute(0, 2, 3, 1), self.plane[1] * sw, self.shape.channels
        if sh == 1 and (self.plane[0], wide) == (h, w) and pixels.is_contiguous():
            return pixels.view(1, self.rows, sw * c)
        planes = scratch("planes", (sh, self.shape.images, self.plane[0], wide, c), x)
        planes[..., :pw, :] = 0
        planes[..., pw + w :, :] = 0
        for plane, inside in self._image_rows():
            planes[plane, :, : inside.start] = 0
            planes[plane, :, inside.stop :] = 0
            planes[plane, :, inside, pw : pw + w] = pixels[:, self._first(plane) :: sh]
        return planes.view(sh, self.rows, sw * c)

    def from_rows(self, x_rows: Array) -> Array:
        """The adjoint of `to_rows`."""
        (h, w), (ph, pw), (sh, sw) = self.shape.size, self.shape.padding, self.shape.stride
        n, c = self.shape.images, self.shape.channels
        planes = x_rows.view(sh, n, self.plane[0], self.plane[1] * sw, c)[..., pw : pw + w, :]
        if sh == 1:
            return planes[0, :, ph : ph + h].permute(0, 3, 1, 2)
        pixels = output((n, h, w, c), x_rows)
        for plane, inside in self._image_rows():
            pixels[:, self._first(plane) :: sh] = planes[plane, :, inside]
        return pixels.permute(0, 3, 1, 2)

    def _first(self, plane: int) -> int:
        """The first image row of a plane."""
        return (plane - self.shape.padding[0]) % self.shape.stride[0]

    def _image_rows(self) -> list[tuple[int, slice]]:
        """Each plane, and which rows of it are rows of the image and not padding."""
        found = []
        for plane in range(self.shape.stride[0]):
            first = self._first(plane)
            top = (first + self.shape.padding[0]) // self.shape.stride[0]
            found.append((plane, slice(top, top + len(range(first, self.shape.size[0], self.shape.stride[0])))))
        return found

    def output_from_rows(self, y_rows: Array) -> Array:
        """(rows, O) → (N, O, *out): a view."""
        y = y_rows.view(self.shape.images, *self.plane, self.shape.out_channels)
        return y[:, : self.shape.out[0], : self.shape.out[1]].permute(0, 3, 1, 2)

    def output_to_rows(self, ȳ: Array) -> Array:
        """The adjoint of `output_from_rows`, in scratch: zeros stand in the rows where no window exists."""
        rows, columns = self.shape.out
        padded = scratch("output rows", (len(ȳ), *self.plane, ȳ.shape[1]), ȳ)
        padded[:, rows:] = 0
        padded[:, :rows, columns:] = 0
        padded[:, :rows, :columns] = ȳ.permute(0, 2, 3, 1)
        return padded.view(self.rows, ȳ.shape[1])[: self.length]


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    grid = _Grid(shape)
    w_taps, x_rows = grid.weight_taps(w), grid.to_rows(x)
    y_rows = output((grid.rows, shape.out_channels), x)
    y = grid.grouped(y_rows[: grid.length])
    if b is not None:
        y.copy_(b.view(shape.groups, 1, -1))
    for number, tap in enumerate(grid.taps()):
        x_tap = grid.grouped(x_rows[tap.plane][tap.rows, tap.channels])
        _accumulate(y, x_tap, grid.matrices(w_taps, tap), first=number == 0 and b is None)
    return grid.output_from_rows(y_rows)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    grid = _Grid(shape)
    w_taps, ȳ_rows = grid.weight_taps(w), grid.grouped(grid.output_to_rows(ȳ))
    planes = (shape.stride[0], grid.rows, shape.stride[1] * shape.channels)
    x̄_rows = output(planes, ȳ).zero_()
    for tap in grid.taps():
        x̄ = grid.grouped(x̄_rows[tap.plane][tap.rows, tap.channels])
        _accumulate(x̄, ȳ_rows, grid.matrices(w_taps, tap).mT)
    return grid.from_rows(x̄_rows)


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    grid = _Grid(shape)
    x_rows, ȳ_rows = grid.to_rows(x), grid.grouped(grid.output_to_rows(ȳ))
    c_group, o_group = shape.channels // shape.groups, ȳ_rows.shape[2]
    w̄_taps = x.new_empty(*shape.kernel, shape.groups, c_group, o_group)
    for tap in grid.taps():
        x_tap = grid.grouped(x_rows[tap.plane][tap.rows, tap.channels])
        w̄ = grid.matrices(w̄_taps, tap)
        if shape.groups == 1:
            w̄[0] = product_over_rows(x_tap[0], ȳ_rows[0])
        elif c_group == o_group == 1:
            w̄.copy_((x_tap * ȳ_rows).sum(dim=1, keepdim=True))
        else:
            torch.bmm(x_tap.mT, ȳ_rows, out=w̄)
    return w̄_taps.permute(2, 4, 3, 0, 1).reshape(shape.out_channels, c_group, *shape.kernel).contiguous()


def _accumulate(total: Array, a: Array, b: Array, *, first: bool = False) -> None:
    """total += a · b for batches of matrices (``=`` if it is the first), in place."""
    if a.shape[2] == 1:  # one channel of its own for each group: every product is a single number
        torch.mul(a, b, out=total) if first else total.addcmul_(a, b)
    elif len(total) == 1:  # one group: the plain product, which has less overhead than a batch of one
        total[0].addmm_(a[0], b[0], beta=not first)
    else:
        total.baddbmm_(a, b, beta=not first)


TAPS = Algorithm("taps", lambda shape: True, forward, input_gradient, weight_gradient)
