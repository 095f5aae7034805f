"""Marks on a scan, candidates for damage: what stands out from its surroundings, and how each does so.

A mark is lighter than its surroundings; for dark ones the photo is negated. What stands out is the white top-hat, a
photo minus its opening by a square, which removes everything narrower than the square (Serra, *Image analysis and
mathematical morphology*, 1982). How much that means depends on the texture around: in a lawn, everything stands out. So
it is compared with what is common within some 64 pixels, and grown from where it is strong into where it is weak
(hysteresis; Canny 1986). Scratches are weak but long: they are found as ridges, lighter than both sides, that go on in
one of 16 directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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
#: Squared distances, pixels, between which the rings around a mark lie, the lower ones not included.
RINGS = ((2, 20), (20, 100))
#: Pixels: how far a ring reaches; and what tells two columns apart in a number that is mostly a squared distance.
FAR, COLUMNS = 10, 32
#: The standard deviation, pixels, of the derivative by which edges are sharp.
EDGE = 0.7


class Sides(NamedTuple):
    """A part of a photo, (H, W), seen from one side: as it is, for light marks, or its negative, for dark ones.

    Attributes:
        shades: of 255.
        slope: how steep the shades are, which is the same on both sides.
    """

    shades: Shades
    slope: NDArray[np.float32]


def both_sides(shades: Shades) -> tuple[Sides, Sides]:
    """A part of a photo as it is, and its negative."""
    slope = ndimage.gaussian_gradient_magnitude(shades.astype(np.float32), EDGE)
    return Sides(shades, slope), Sides(255 - shades, slope)


def white_tophat(shades: Shades, side: int) -> Shades:
    """What stands out of the opening by a square of an odd side, (H, W)."""
    return shades - extreme(np.maximum, extreme(np.minimum, shades, side), side)


def extreme(combine: Callable[..., Any], pixels: Numbers, side: int) -> Numbers:
    """The least or greatest number in the square of an odd side around each pixel (H, W), as far as the photo goes.

    Along one axis after the other, of twice as many pixels with each step. Van Herk's algorithm takes fewer operations,
    but each of these is one pass of a vectorised function.
    """
    for axis in (0, 1):
        pixels, done = np.pad(pixels, [(side // 2 * (each == axis),) * 2 for each in (0, 1)], mode="edge"), 1
        while done < side:
            step = min(done, side - done)
            first, second = slice(None, -step), slice(step, None)
            pixels = (
                combine(pixels[first], pixels[second]) if axis == 0 else combine(pixels[:, first], pixels[:, second])
            )
            done += step
    return pixels


def common(tophat: Shades) -> NDArray[np.float32]:
    """What is common around each pixel (H, W): a percentile of squares, interpolated between their centres."""
    height, width = tophat.shape
    down, across = -(-height // SQUARE), -(-width // SQUARE)
    padded = np.pad(tophat, ((0, down * SQUARE - height), (0, across * SQUARE - width)), mode="symmetric")
    squares = padded.reshape(down, SQUARE, across, SQUARE).swapaxes(1, 2).reshape(down, across, -1)
    levels = np.percentile(squares, COMMON, axis=2).astype(np.float32)
    return (_weights(height, down) @ levels @ _weights(width, across).T).astype(np.float32)


def _weights(side: int, squares: int) -> NDArray[np.float64]:
    """How much each square's level counts at each of `side` pixels, (side, squares)."""
    place = ((np.arange(side) + 0.5) / SQUARE - 0.5).clip(0, squares - 1)
    return (1 - abs(place[:, None] - np.arange(squares))).clip(0)


def spots(tophat: Shades, level: NDArray[np.float32]) -> tuple[NDArray[np.int32], int]:
    """Candidates for dust and hairs: their labels (H, W), 0 for none, and how many there are."""
    weak, strong = tophat >= np.maximum(WEAK, level), tophat >= np.maximum(STRONG, 2 * level)
    return _labels(weak, strong)


def scratches(shades: Shades, tophat: Shades, level: NDArray[np.float32]) -> tuple[NDArray[np.int32], int]:
    """Candidates for scratches; see `spots`."""
    least = np.maximum(np.float32(FAINT), level)
    smooth = ndimage.uniform_filter(shades, 3)
    standing, found = tophat >= least, np.zeros(shades.shape, np.bool_)
    needed = np.ceil(0.7 * least).astype(np.uint8)  # whole numbers, as what is compared with them
    for turn in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        down, right = np.sin(turn), np.cos(turn)
        aside = round(SIDE * right), round(-SIDE * down)
        one, two = _moved(smooth, *aside), _moved(smooth, -aside[0], -aside[1])
        lighter = np.maximum(one, two)
        above = np.maximum(shades, lighter) - lighter
        ridge = standing & (above >= needed) & (lighter - np.minimum(one, two) <= above)
        play = (slice(1, None), slice(None, -1))  # a line of pixels steps aside
        here, there = play if abs(right) > abs(down) else ((slice(None), part) for part in play)
        wide = ridge.copy()
        wide[here] |= ridge[there]
        wide[there] |= ridge[here]
        long = _along(np.add, wide.view(np.uint8), down, right) >= SHARE * LENGTH
        if long.any():
            found |= ridge & _along(np.logical_or, long, -down, -right)
    return _labels(found, found)


def describe(
    side: Sides, tophat: Shades, level: NDArray[np.float32], labels: NDArray[np.int32], n: int
) -> NDArray[np.float64]:
    """What tells damage from what was photographed: ten numbers of each of n marks, (n, 10).

    How large, long and full it is; how far it stands out from what is common, and what that is; how far from the rings
    up to 4 and 10 pixels around, as multiples of how uneven these are; how sharp its edge is; how far its lightest
    pixel is above the lightest of each ring.
    """
    shades, inside = side.shades, labels > 0
    mark = labels[inside]
    area = np.bincount(mark, minlength=n + 1)
    sides = np.array([[1, 1]] + [[side.stop - side.start for side in place] for place in ndimage.find_objects(labels)])
    peak = _greatest(shades[inside], mark, n)
    slope = _greatest(side.slope[inside], mark, n)
    stands = _greatest(tophat[inside] / np.maximum(level[inside], 3), mark, n)
    around: list[Numbers] = []
    for own, values in rings(labels, shades):
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


def rings(labels: NDArray[np.int32], shades: Shades) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float64]]]:
    """The pixels of each ring around the marks: the label of the nearest mark, and the shade, both (m,)."""
    near, down = nearest(labels > 0)
    for above, most in RINGS:
        rows, columns = np.nonzero((near >= (above + 1) * COLUMNS) & (near < (most + 1) * COLUMNS))
        aside = columns + near[rows, columns] % COLUMNS - FAR
        yield labels[rows + down[rows, aside], aside], shades[rows, columns].astype(np.float64)


def nearest(marks: Mask) -> tuple[NDArray[np.uint16], NDArray[np.int16]]:
    """For each pixel (H, W), how far the nearest of the marks is, if it is no farther than FAR along both axes.

    Of several the one in the leftmost column, and within a column the upper one.

    Returns:
        (dx² + dy²) · COLUMNS + dx + FAR, and for each pixel the dy of the nearest mark within its own column.
    """
    row = np.arange(len(marks), dtype=np.int16)[:, None]
    none = np.int16(len(marks) + FAR + 1)
    up = row - np.maximum.accumulate(np.where(marks, row, -none), axis=0)
    below = np.minimum.accumulate(np.where(marks, row, 2 * none)[::-1], axis=0)[::-1] - row
    down = np.where(below < up, below, -up)
    column = np.minimum(abs(down), FAR + 1).astype(np.uint16) ** 2 * COLUMNS
    column[abs(down) > FAR] = 2 * (FAR + 1) ** 2 * COLUMNS  # farther than any that is found
    near, width = np.full(marks.shape, np.iinfo(np.uint16).max, np.uint16), marks.shape[1]
    for dx in range(-min(FAR, width - 1), min(FAR, width - 1) + 1):
        here = near[:, max(-dx, 0) : width - max(dx, 0)]
        there = column[:, max(dx, 0) : width - max(-dx, 0)]
        np.minimum(here, there + np.uint16(dx**2 * COLUMNS + dx + FAR), out=here)
    return near, down


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
    return _with_moved(lambda own, other: other, pixels, down, right)


def _along(combine: Callable[..., Any], pixels: Numbers, down: float, right: float) -> Numbers:
    """LENGTH pixels combined from each on in a direction: twice as many with each step."""
    done = 1
    while done < LENGTH:
        step = min(done, LENGTH - done)
        pixels = _with_moved(combine, pixels, round(step * down), round(step * right))
        done += step
    return pixels


def _with_moved(combine: Callable[..., Any], pixels: Numbers, down: int, right: int) -> Numbers:
    """Each pixel combined with what is so far down and right of it; at the edge, with itself."""
    height, width = pixels.shape
    top, bottom = min(max(0, -down), height), max(min(height, height - down), 0)
    left, end = min(max(0, -right), width), max(min(width, width - right), 0)
    result = np.empty_like(pixels)
    if top < bottom and left < end:
        there = pixels[top + down : bottom + down, left + right : end + right]
        result[top:bottom, left:end] = combine(pixels[top:bottom, left:end], there)
    else:
        top = bottom = height
    for edge in (
        (slice(0, top), slice(None)),
        (slice(bottom, None), slice(None)),
        (slice(top, bottom), slice(0, left)),
        (slice(top, bottom), slice(end, None)),
    ):
        result[edge] = combine(pixels[edge], pixels[edge])
    return result
