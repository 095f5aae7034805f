"""Marks on a scan, candidates for damage: what stands out from its surroundings, and how each does so.

A mark is lighter than its surroundings; for dark ones the photo is negated. What stands out is the white top-hat, a
photo minus its opening by a square, which removes everything narrower than the square (Serra, *Image analysis and
mathematical morphology*, 1982). How much that means depends on the texture around: in a lawn, everything stands out. So
it is compared with what is common within some 64 pixels, and grown from where it is strong into where it is weak
(hysteresis; Canny 1986). Scratches are weak but long: they are found as ridges, lighter than both sides, that go on in
one of 16 directions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...data.photos import Mask

Shades = NDArray[np.uint8]
Numbers = NDArray[Any]

#: Pixels: what is narrower can be a spot, and a scratch.
SPOT, SCRATCH = 11, 5
#: Pixels: the side of the squares in which it is measured what is common, and the percentile that is.
SQUARE, COMMON = 64, 95
#: A scratch is set for this share of this many pixels in one of so many directions; its sides are so far off.
SHARE, LENGTH, DIRECTIONS, SIDE = 0.7, 41, 16, 4
#: The least top-hats, of 255, of a spot's pixels, of its strongest, and of a scratch's.
WEAK, STRONG, FAINT = 10, 24, 8
TOUCHING = np.ones((3, 3), np.bool_)


def common(tophat: Shades) -> NDArray[np.float32]:
    """What is common around each pixel (H, W): a percentile of squares, interpolated between their centres."""
    height, width = tophat.shape
    down, across = -(-height // SQUARE), -(-width // SQUARE)
    padded = np.pad(tophat, ((0, down * SQUARE - height), (0, across * SQUARE - width)), mode="symmetric")
    squares = padded.reshape(down, SQUARE, across, SQUARE).swapaxes(1, 2).reshape(down, across, -1)
    levels = np.percentile(squares, COMMON, axis=2).astype(np.float32)
    places = ((np.arange(side) + 0.5) / SQUARE - 0.5 for side in tophat.shape)
    return ndimage.map_coordinates(levels, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")


def spots(tophat: Shades, level: NDArray[np.float32]) -> tuple[NDArray[np.int32], int]:
    """Candidates for dust and hairs: their labels (H, W), 0 for none, and how many there are."""
    weak, strong = tophat >= np.maximum(WEAK, level), tophat >= np.maximum(STRONG, 2 * level)
    return _labels(weak, strong)


def scratches(shades: Shades, tophat: Shades, level: NDArray[np.float32]) -> tuple[NDArray[np.int32], int]:
    """Candidates for scratches; see `spots`."""
    least = np.maximum(np.float32(FAINT), level)
    smooth = ndimage.uniform_filter(shades, 3)
    standing, found = tophat >= least, np.zeros(shades.shape, np.bool_)
    for turn in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        down, right = np.sin(turn), np.cos(turn)
        aside = round(SIDE * right), round(-SIDE * down)
        one, two = _moved(smooth, *aside), _moved(smooth, -aside[0], -aside[1])
        above = shades.astype(np.int16) - np.maximum(one, two)
        ridge = standing & (above >= 0.7 * least) & (np.maximum(one, two) - np.minimum(one, two) <= above)
        play = (1, 0) if abs(right) > abs(down) else (0, 1)  # a line of pixels steps aside
        wide = ridge | _moved(ridge, *play) | _moved(ridge, -play[0], -play[1])
        count = _along(np.add, wide.astype(np.uint8), down, right)
        found |= ridge & (_along(np.maximum, count, -down, -right) >= SHARE * LENGTH)
    return _labels(found, found)


def describe(
    shades: Shades, tophat: Shades, level: NDArray[np.float32], labels: NDArray[np.int32], n: int
) -> NDArray[np.float64]:
    """What tells damage from what was photographed: ten numbers of each of n marks, (n, 10).

    How large, long and full it is; how far it stands out from what is common, and what that is; how far from the rings
    up to 4 and 10 pixels around, as multiples of how uneven these are; how sharp its edge is; how far its lightest
    pixel is above the lightest of each ring.
    """
    inside = labels > 0
    mark = labels[inside]
    area = np.bincount(mark, minlength=n + 1)
    sides = np.array([[1, 1]] + [[side.stop - side.start for side in place] for place in ndimage.find_objects(labels)])
    far, nearest = ndimage.distance_transform_edt(~inside, return_indices=True)
    peak = _greatest(shades[inside], mark, n)
    slope = _greatest(ndimage.gaussian_gradient_magnitude(shades.astype(np.float32), 0.7)[inside], mark, n)
    stands = _greatest(tophat[inside] / np.maximum(level[inside], 3), mark, n)
    around: list[Numbers] = []
    for low, high in ((1.5, 4.5), (4.5, 10)):
        ring = (far > low) & (far <= high)
        own, values = labels[nearest[0][ring], nearest[1][ring]], shades[ring].astype(np.float64)
        count = np.maximum(np.bincount(own, minlength=n + 1), 1)
        mean = np.bincount(own, values, n + 1) / count
        uneven = np.sqrt(np.maximum(np.bincount(own, values**2, n + 1) / count - mean**2, 0))
        lightest = _greatest(values, own, n)
        if not around:
            contrast = np.maximum(peak - mean, 1)
        around += [np.log(contrast / (uneven + 3)), ((peak - lightest) / (contrast + 5)).clip(-1, 1)]
    usual = np.bincount(mark, level[inside], n + 1) / np.maximum(area, 1)
    table = [
        np.log(area + 1),
        np.log(sides.max(axis=1)),
        area / sides.prod(axis=1),
        np.log(stands + 0.1),
        np.log(usual + 3),
        slope / (contrast + 5),
        *around,
    ]
    return np.stack(table, axis=1)[1:]


def _greatest(values: Numbers, labels: NDArray[np.int32], n: int) -> NDArray[np.float64]:
    """The greatest of the values (m,) that have each of the labels (m,) up to n; 0 for a label that none has."""
    greatest = np.zeros(n + 1)
    np.maximum.at(greatest, labels, values)
    return greatest


def _labels(weak: Mask, strong: Mask) -> tuple[NDArray[np.int32], int]:
    """The components of `weak` in which something is `strong`, numbered from 1."""
    labels, n = ndimage.label(weak, TOUCHING)
    kept = np.zeros(n + 1, np.bool_)
    kept[labels[weak & strong]] = True
    return (np.cumsum(kept, dtype=np.int32) * kept)[labels], int(kept.sum())


def _moved(pixels: Numbers, down: int, right: int) -> Numbers:
    """What is so far down and right of each pixel; at the edge, the pixel itself."""
    height, width = pixels.shape
    moved = pixels.copy()
    here = slice(max(0, -down), min(height, height - down)), slice(max(0, -right), min(width, width - right))
    there = slice(max(0, down), min(height, height + down)), slice(max(0, right), min(width, width + right))
    moved[here] = pixels[there]
    return moved


def _along(combine: Callable[[Numbers, Numbers], Numbers], pixels: Numbers, down: float, right: float) -> Numbers:
    """LENGTH pixels combined from each on in a direction: twice as many with each step."""
    done = 1
    while done < LENGTH:
        step = min(done, LENGTH - done)
        pixels = combine(pixels, _moved(pixels, round(step * down), round(step * right)))
        done += step
    return pixels
