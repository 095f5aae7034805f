"""Holes: how they are found in a mask, where they lie, how deep they are, and what is seen around them.

A mask that a user gives is a bool array (H, W), True = missing; what a reconstructor is given is a float array
(N, 1, H, W), 1 = missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage

from ..core import Array

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Window = tuple[slice, slice]  # rows and columns

#: Pixels: small holes whose centres share a cell of this side are rebuilt together.
CELL = 64
#: Pixels: a hole is a scratch if its pixels are less than this far from a known one, on average. In straight lines of
#: 3 pixels it is at most 1.39, of 4 pixels at least 1.43.
SCRATCH = 1.41


def find_holes(mask: Mask, trained: int | None = None) -> Iterator[tuple[Window, Mask]]:
    """The holes of a photo: the 8-connected components of its mask (H, W).

    Yields for each the window of its bounds, and which of the window's pixels belong to it.

    Small holes whose centres lie in the same cell of a grid come together, so that a photo full of dust is not
    thousands of crops. With holes no larger than a cell, such a group spans less than two cells, which is no more than
    what a model that was `trained` on holes up to some side, pixels, has seen.
    """
    cell = CELL if trained is None else min(CELL, trained // 2)
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    groups: defaultdict[tuple[int, ...], list[tuple[int, Window]]] = defaultdict(list)
    for label, window in enumerate(ndimage.find_objects(labels), start=1):
        small = max(side.stop - side.start for side in window) <= cell
        centre = tuple((side.start + side.stop) // 2 // cell for side in window)
        groups[centre if small else (-label,)].append((label, window))
    for group in groups.values():
        rows, columns = (
            slice(min(side.start for side in sides), max(side.stop for side in sides))
            for sides in zip(*(window for _, window in group), strict=True)
        )
        yield (rows, columns), np.isin(labels[rows, columns], [label for label, _ in group])


def is_scratch(missing: Mask) -> bool:
    """Whether a hole (h, w) is thin all over, but perhaps for places where scratches cross each other."""
    distance = ndimage.distance_transform_edt(np.pad(missing, 1))
    return bool(distance.sum() < SCRATCH * missing.sum())


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
