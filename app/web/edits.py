"""What a person has marked, as the page sends it: strokes and boxes in pixels of the upright photo, one after another.

The page shows a photo at the size of the screen. What is marked there is sent as numbers, not as a picture, so that it
is as exact as the hand was, and is drawn here at the photo's own size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...core import PhotomendError
from ...data.photos import Mask

Places: TypeAlias = NDArray[np.intp]
Sides: TypeAlias = NDArray[np.float64]

#: The most that one mask may consist of.
EDITS, POINTS = 10_000, 200_000


class EditError(PhotomendError):
    """A list of marks that no page of ours has sent."""


def draw(
    edits: object,
    height: int,
    width: int,
    found: Mask | None = None,
    given: Callable[[int], Mask | None] = lambda number: None,
) -> Mask:
    """The mask (H, W) of a photo in which all `edits` have been made, in their order.

    Each is a dict: `{"kind": "stroke", "points": [[x, y], …], "radius": r}` is what a round brush covers, `{"kind":
    "box", "x": …, "y": …, "width": …, "height": …}` a rectangle, `{"kind": "found"}` what is damaged in `found` (H, W),
    `{"kind": "mask", "number": n}` what the mask (H, W) says that `given` has under this number.
    With `"erase": true` these pixels are known again.
    Coordinates are pixels; the photo goes from 0 to its width and height, and what lies outside is cut off.

    Raises EditError for anything else.
    """
    if not isinstance(edits, Sequence) or isinstance(edits, str) or len(edits) > EDITS:
        raise EditError(f"edits must be a list of at most {EDITS} marks")
    mask, points = np.zeros((height, width), np.bool_), 0
    for edit in edits:
        if not isinstance(edit, Mapping):
            raise EditError(f"edits: {edit!r:.80} is no mark")
        missing = edit.get("erase") is not True
        if edit.get("kind") == "stroke":
            places = _places(edit.get("points"))
            points += len(places)
            if points > POINTS:
                raise EditError(f"edits: more than {POINTS} points")
            _stroke(mask, places, _number(edit, "radius"), missing)
        elif edit.get("kind") == "box":
            x, y, across, down = (_number(edit, side) for side in ("x", "y", "width", "height"))
            _box(mask, (x, y, x + across, y + down), missing)
        elif edit.get("kind") == "found":
            if found is None:
                raise EditError("edits: no damage has been found on this photo yet")
            mask[found] = missing
        elif edit.get("kind") == "mask":
            number = edit.get("number")
            own = given(number) if isinstance(number, int) else None
            if own is None:
                raise EditError(f"edits: no mask {number!r:.80} has been sent for this photo")
            mask[own] = missing
        else:
            raise EditError(f"edits: kind (={edit.get('kind')!r:.80}) must be stroke, box, found or mask")
    return mask


def _stroke(mask: Mask, places: list[tuple[float, float]], radius: float, missing: bool) -> None:
    """All pixels whose centres are within `radius` of a path; at least half a pixel, so that nothing slips through."""
    height, width = mask.shape
    radius = max(radius, 0.5)
    x, y = np.array(places).T
    top, bottom = (int(np.clip(side, 0, height)) for side in (np.floor(y.min() - radius), np.ceil(y.max() + radius)))
    left, right = (int(np.clip(side, 0, width)) for side in (np.floor(x.min() - radius), np.ceil(x.max() + radius)))
    if top >= bottom or left >= right:
        return
    # How many more pieces of the path cover a pixel than the one to its left.
    steps = np.zeros((bottom - top, right - left + 1), np.int32)
    for a, b in pairwise([places[0], *places] if len(places) == 1 else places):
        rows, start, end = _rows(a, b, radius, top, bottom)
        first = np.clip(np.ceil(start - 0.5).astype(np.intp), left, right) - left
        beyond = np.clip(np.floor(end - 0.5).astype(np.intp) + 1, left, right) - left
        beyond = np.maximum(first, beyond)
        steps[rows - top, first] += 1
        steps[rows - top, beyond] -= 1
    mask[top:bottom, left:right][steps.cumsum(axis=1)[:, :-1] > 0] = missing


def _rows(
    a: tuple[float, float], b: tuple[float, float], radius: float, top: int, bottom: int
) -> tuple[Places, Sides, Sides]:
    """The rows between `top` and `bottom` that a disc crosses on its way from `a` to `b`, and from where to where.

    What it covers is convex: along a row it reaches from the leftmost to the rightmost point of the disc at its two
    ends and of the rectangle in between.
    """
    (ax, ay), (bx, by) = a, b
    first = max(top, math.floor(min(ay, by) - radius))
    rows = np.arange(first, max(first, min(bottom, math.ceil(max(ay, by) + radius))))
    y: Sides = rows + np.float64(0.5)
    starts, ends = [], []
    for centre_x, centre_y in (a, b):
        half = np.sqrt(np.maximum(radius**2 - (y - centre_y) ** 2, 0))
        hit = abs(y - centre_y) <= radius
        starts.append(np.where(hit, centre_x - half, np.inf))
        ends.append(np.where(hit, centre_x + half, -np.inf))
    length = math.hypot(bx - ax, by - ay)
    if length:
        u, v = (bx - ax) / length, (by - ay) / length
        # Along the way between 0 and its length, and no more than the radius to either side of it.
        along, aside = _between(u, v * (y - ay), 0, length), _between(-v, u * (y - ay), -radius, radius)
        start, end = np.maximum(along[0], aside[0]) + ax, np.minimum(along[1], aside[1]) + ax
        starts.append(np.where(start <= end, start, np.inf))
        ends.append(np.where(start <= end, end, -np.inf))
    start, end = np.min(starts, axis=0), np.max(ends, axis=0)
    crossed = start <= end
    return rows[crossed], start[crossed], end[crossed]


def _between(slope: float, offset: Sides, low: float, high: float) -> tuple[Sides, Sides]:
    """From where to where `low ≤ slope · x + offset ≤ high`."""
    if abs(slope) < 1e-12:
        inside = (offset >= low) & (offset <= high)
        return np.where(inside, -np.inf, np.inf), np.where(inside, np.inf, -np.inf)
    one, other = (low - offset) / slope, (high - offset) / slope
    return np.minimum(one, other), np.maximum(one, other)


def _box(mask: Mask, sides: tuple[float, float, float, float], missing: bool) -> None:
    """All pixels whose centres a rectangle covers, given by its left, upper, right and lower side."""
    left, top, right, bottom = (max(0, math.ceil(side - 0.5)) for side in sides)
    mask[top:bottom, left:right] = missing


def _places(points: object) -> list[tuple[float, float]]:
    if not isinstance(points, Sequence) or isinstance(points, str) or not points:
        raise EditError("edits: points must be a list of [x, y]")
    places = []
    for point in points:
        if not isinstance(point, Sequence) or isinstance(point, str) or len(point) != 2:
            raise EditError(f"edits: {point!r:.80} is no point [x, y]")
        places.append((_finite(point[0]), _finite(point[1])))
    return places


def _number(edit: Mapping[str, Any], name: str) -> float:
    number = _finite(edit.get(name))
    if number < 0 and name not in "xy":
        raise EditError(f"edits: {name} (={number}) must not be negative")
    return number


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise EditError(f"edits: {value!r:.80} is no number of pixels")
    return float(value)
