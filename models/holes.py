"""Holes: how they are found in a mask, where they lie, how deep they are, and what is seen around them.

A mask that a user gives is a bool array (H, W), True = missing; what a reconstructor is given is a float array
(N, 1, H, W), 1 = missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core import Array
from .components import Mask, Positions, components

Window = tuple[slice, slice]  # rows and columns

#: Pixels: small holes whose centres share a cell of this side are rebuilt together.
CELL = 64
#: Pixels: a hole is a scratch if its pixels are less than this far from a known one, on average. In straight lines of
#: 3 pixels it is at most 1.39, of 4 pixels at least 1.43.
SCRATCH = 1.41
#: Pixels: thickness is measured in squares of this side, and no pixel counts as farther than that from a known one.
SQUARE, FARTHEST = 256, 16
#: Small holes whose thickness is measured at a time.
TOGETHER = 256


class Hole(NamedTuple):
    """Missing pixels that are rebuilt together: their rows and columns in the photo, in reading order.

    A scratch may span a whole photo and have hardly one in a thousand of its pixels: so a hole is a list of pixels.
    """

    rows: Positions
    columns: Positions

    @property
    def window(self) -> Window:
        """The smallest window that holds all of its pixels."""
        rows = slice(int(self.rows[0]), int(self.rows[-1]) + 1)
        return rows, slice(int(self.columns.min()), int(self.columns.max()) + 1)

    def inside(self, window: Window) -> Positions:
        """Which of its pixels lie in a window of the photo, by their numbers."""
        rows, columns = window
        first, end = np.searchsorted(self.rows, (rows.start, rows.stop))
        across = self.columns[first:end]
        return first + np.flatnonzero((across >= columns.start) & (across < columns.stop))

    def mask(self, window: Window) -> Mask:
        """Which pixels (h, w) of a window of the photo are its own."""
        rows, columns = window
        own, mask = self.inside(window), np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.bool_)
        mask[self.rows[own] - rows.start, self.columns[own] - columns.start] = True
        return mask

    def squares(self, side: int, overlap: int = 0) -> list[Window]:
        """The squares of a grid that hold its pixels. Neighbours overlap by so many pixels, at most half a side."""
        corner = top, left = [span.start for span in self.window]
        step = side - overlap
        across = int(self.columns.max() - left) // step + 1
        found = []
        for before in itertools.product(range(2 if overlap else 1), repeat=2):  # the pixel's last square, or one before
            offsets = [positions - start for positions, start in zip(self, corner, strict=True)]
            y, x = (offset // step - less for offset, less in zip(offsets, before, strict=True))
            held = (y >= 0) & (offsets[0] < y * step + side) & (x >= 0) & (offsets[1] < x * step + side)
            found.append(y[held] * across + x[held])
        places = (divmod(int(number), across) for number in np.flatnonzero(np.bincount(np.concatenate(found))))
        corners = ((top + y * step, left + x * step) for y, x in places)
        return [(slice(y, y + side), slice(x, x + side)) for y, x in corners]


def find_holes(mask: Mask, trained: int | None = None) -> list[Hole]:
    """The holes of a photo: the components of its mask (H, W), pixels that touch at a corner included.

    Small holes whose centres lie in the same cell of a grid come together, so that a photo full of dust is not
    thousands of crops. With holes no larger than a cell, such a group spans less than two cells, which is no more than
    what a model that was `trained` on holes up to some side, pixels, has seen.
    """
    found = components(mask, corners=True)
    if not len(found.starts):
        return []
    cell = CELL if trained is None else min(CELL, trained // 2)
    small = np.all([stop - start <= cell for start, stop in found.spans()], axis=0)
    down, across = ((start + stop) // 2 // cell for start, stop in found.spans())
    cells = [-(-size // cell) for size in mask.shape]
    together = np.where(small, down * cells[1] + across, cells[0] * cells[1] + np.arange(len(small)))
    group = np.repeat(np.unique(together, return_inverse=True)[1], found.sizes)
    order = np.lexsort((found.columns, found.rows, group))
    ends = np.cumsum(np.bincount(group))[:-1]
    pixels = (np.split(positions[order], ends) for positions in (found.rows, found.columns))
    return [Hole(*each) for each in zip(*pixels, strict=True)]


def are_scratches(holes: Sequence[Hole]) -> list[bool]:
    """Of each hole, whether it is thin all over, but perhaps for places where scratches cross each other.

    Small ones come in thousands: they are measured together.
    """
    windows = [hole.window for hole in holes]
    small = [i for i, window in enumerate(windows) if max(side.stop - side.start for side in window) <= FARTHEST]
    found = dict[int, bool]()
    for start in range(0, len(small), TOGETHER):
        numbers = small[start : start + TOGETHER]
        sizes = [len(holes[i].rows) for i in numbers]
        missing = np.zeros((len(numbers), FARTHEST, FARTHEST), np.bool_)
        rows, columns = (
            np.concatenate([holes[i][axis] for i in numbers])
            - np.repeat([windows[i][axis].start for i in numbers], sizes)
            for axis in (0, 1)
        )
        missing[np.repeat(np.arange(len(numbers)), sizes), rows, columns] = True
        means = _distance(missing).sum(axis=(1, 2)) / sizes
        found |= zip(numbers, (means < SCRATCH).tolist(), strict=True)
    return [found[i] if i in found else _is_scratch(hole) for i, hole in enumerate(holes)]


def _is_scratch(hole: Hole) -> bool:
    """The same of one hole."""
    total, whole = 0.0, hole.window
    for square in hole.squares(SQUARE):
        around = _grown(square, FARTHEST, whole)
        total += _distance(hole.mask(around))[inside(_grown(square, 0, whole), around)].sum()
    return bool(total < SCRATCH * len(hole.rows))


def _distance(missing: Mask) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far each pixel (…, h, w) is from a known one, up to FARTHEST; what lies outside counts as known.

    First the nearest known pixel of its own row, then the nearest of these over the rows (Felzenszwalb & Huttenlocher,
    *Distance transforms of sampled functions*, 2012, with the rows one by one: a scratch needs two or three).
    """
    known = np.pad(~missing, [(0, 0)] * (missing.ndim - 2) + [(1, 1)] * 2, constant_values=True)
    place = np.arange(known.shape[-1])
    before = place - np.maximum.accumulate(np.where(known, place, 0), axis=-1)
    behind = np.minimum.accumulate(np.where(known, place, len(place))[..., ::-1], axis=-1)[..., ::-1] - place
    in_row = np.minimum(np.minimum(before, behind), FARTHEST) ** 2
    squared = in_row.copy()
    for k in range(1, FARTHEST):
        if k**2 >= squared.max():
            break
        np.minimum(squared[..., k:, :], in_row[..., :-k, :] + k**2, out=squared[..., k:, :])
        np.minimum(squared[..., :-k, :], in_row[..., k:, :] + k**2, out=squared[..., :-k, :])
    return np.sqrt(squared[..., 1:-1, 1:-1])


def near(mask: Array, reach: int) -> Array:
    """Which pixels of bool (…, H, W) are set, or at most `reach` away from one along rows, columns and diagonals.

    What has grown by k pixels grows by as much as k + 1 more when it is moved by that much, in a step for all of them.
    """
    for axis in (-2, -1):
        size, grown = mask.shape[axis], 0
        most = min(reach, size - 1)
        while grown < most:
            wide, step = mask.clone(), min(grown + 1, most - grown)
            wide.narrow(axis, 0, size - step).logical_or_(mask.narrow(axis, step, size - step))
            wide.narrow(axis, step, size - step).logical_or_(mask.narrow(axis, 0, size - step))
            mask, grown = wide, grown + step
    return mask


def _grown(window: Window, margin: int, within: Window) -> Window:
    """The window with so many pixels on each side, as far as `within` goes."""
    rows, columns = (
        slice(max(side.start - margin, most.start), min(side.stop + margin, most.stop))
        for side, most in zip(window, within, strict=True)
    )
    return rows, columns


def window_around(hole: Window, height: int, width: int, shape: tuple[int, ...]) -> Window:
    """The window of height × width pixels with the hole in its middle, or as near to it as the photo's edges allow;
    of a photo smaller than that, all of it. `shape` is the photo's, (H, W).
    """

    def around(side: slice, length: int, size: int) -> slice:
        length = min(length, size)
        start = min(max((side.start + side.stop - length) // 2, 0), size - length)
        return slice(start, start + length)

    return around(hole[0], height, shape[0]), around(hole[1], width, shape[1])


def inside(window: Window, outer: Window) -> Window:
    """A window of the photo as a window of the crop `outer` that contains it."""
    (rows, columns), (y, x) = window, (outer[0].start, outer[1].start)
    return slice(rows.start - y, rows.stop - y), slice(columns.start - x, columns.stop - x)


def union(a: Window, b: Window) -> Window:
    """The smallest window that holds two others."""
    rows, columns = (slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(a, b, strict=True))
    return rows, columns


class Bounds(NamedTuple):
    """The smallest rectangle around a hole: rows top…bottom − 1 and columns left…right − 1."""

    top: int
    left: int
    bottom: int
    right: int

    def window(self, margin: int, shape: tuple[int, ...]) -> Window:
        """The rectangle with so many pixels on each side, as far as a photo of this shape (H, W) goes."""
        rows = slice(max(self.top - margin, 0), min(self.bottom + margin, shape[0]))
        return rows, slice(max(self.left - margin, 0), min(self.right + margin, shape[1]))


def hole_bounds(mask: Array) -> list[Bounds]:
    """The bounds of all that is missing in each mask of (N, 1, H, W); every mask has a missing pixel."""
    return [Bounds(*bounds) for bounds in hole_edges(mask).mT.tolist()]


def hole_edges(mask: Array) -> Array:
    """The same as an array (4, N) of whole numbers on the mask's device: tops, lefts, bottoms and rights."""
    missing = mask[:, 0] > 0.5
    edges = []
    for axis, size in ((2, mask.shape[2]), (1, mask.shape[3])):
        occupied = missing.any(dim=axis).to(torch.uint8)
        edges.append((occupied.argmax(dim=1), size - occupied.flip(1).argmax(dim=1)))
    (tops, bottoms), (lefts, rights) = edges
    return torch.stack((tops, lefts, bottoms, rights))


def distance_to_known(mask: Array) -> Array:
    """For each pixel of (N, 1, H, W), how many steps along rows and columns lead to a known pixel (0 outside the hole),
    in the mask's dtype. The largest is the hole's depth.

    The city-block distance transform: one pass along the rows finds the nearest known pixel in each row, a second one
    along the columns the nearest over all rows; each pass is a running minimum of d(i) − i and of d(i) + i.
    Source: Rosenfeld & Pfaltz, *Sequential operations in digital picture processing* (1966).
    """
    beyond = float(mask.shape[2] + mask.shape[3])
    distance = torch.where(mask > 0.5, beyond, 0.0)  # float32: bfloat16 can't count beyond 256
    for axis in (3, 2):
        position = torch.arange(mask.shape[axis], dtype=distance.dtype, device=mask.device)
        position = position.reshape([-1 if a == axis else 1 for a in range(4)])
        from_before = torch.cummin(distance - position, dim=axis).values + position
        from_behind = torch.cummin((distance + position).flip(axis), dim=axis).values.flip(axis) - position
        distance = torch.minimum(from_before, from_behind)
    return distance.to(mask.dtype)
