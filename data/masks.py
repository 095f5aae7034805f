"""Holes: the protocol's rectangle, random ones, strokes of a brush and scratches, and their masks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..core import PhotomendError
from .photos import Mask


class BoxError(PhotomendError):
    """A rectangle that is empty or leaves its photo."""


class Box(NamedTuple):
    """A rectangle of pixels: its first column and row, and how many columns and rows it covers."""

    x: int
    y: int
    width: int
    height: int


def protocol_box(seed: int, index: int, height: int = 224, width: int = 224) -> Box:
    """The hole of photo number `index` of the sorted evaluated list: the same for every model and machine.

    Its sides are those of `random_box` with its defaults, drawn from `numpy.random.SeedSequence((seed,
    index))`.

    >>> protocol_box(seed=0, index=0)
    Box(x=85, y=47, width=57, height=50)
    """
    return random_box(np.random.default_rng(np.random.SeedSequence((seed, index))), height, width)


def random_box(rng: np.random.Generator, height: int, width: int, low: int = 30, high: int = 60) -> Box:
    """A random hole in a photo of `height` × `width` pixels.

    w and h are uniform integers in low…high and the corner is uniform where the hole fits. Both edges belong
    to the hole, as in the protocol, so it covers w+1 by h+1 pixels: low=0, high=0 is a single pixel.

    Raises:
        PhotomendError: holes of `high` don't fit in the photo.
    """
    if not 0 <= low <= high:
        raise PhotomendError(f"hole: the range must be 0 <= low <= high, got low={low}, high={high}")
    if high + 1 > min(height, width):
        raise PhotomendError(f"hole: up to {high + 1} pixels don't fit into {width}x{height} (width x height)")
    hole_width, hole_height = (int(side) + 1 for side in rng.integers(low, high, size=2, endpoint=True))
    x = int(rng.integers(0, width - hole_width, endpoint=True))
    y = int(rng.integers(0, height - hole_height, endpoint=True))
    return Box(x, y, hole_width, hole_height)


def box_mask(box: Box, height: int, width: int) -> Mask:
    """The mask of a photo with one hole; see `boxes_mask`."""
    return boxes_mask([box], height, width)


def boxes_mask(boxes: Iterable[Box], height: int, width: int) -> Mask:
    """The mask of a photo of `height` × `width` pixels with the holes `boxes`: `bool (H, W)`, True = missing.

    Raises BoxError for a box that is empty or leaves the photo.
    """
    mask = np.zeros((height, width), dtype=np.bool_)
    for x, y, box_width, box_height in boxes:
        if box_width < 1 or box_height < 1:
            raise BoxError(f"box: {x},{y},{box_width},{box_height} (x,y,width,height) has no pixels")
        inside = x >= 0 and y >= 0 and x + box_width <= width and y + box_height <= height
        if not inside:
            raise BoxError(
                f"box: {x},{y},{box_width},{box_height} (x,y,width,height) is not inside a photo of {width}x{height} "
                "pixels"
            )
        mask[y : y + box_height, x : x + box_width] = True
    return mask


def stroke_mask(
    rng: np.random.Generator, height: int, width: int, strokes: tuple[int, int], thickness: tuple[int, int]
) -> Mask:
    """Some strokes of a brush over a photo of `height` × `width` pixels: `bool (H, W)`, True = missing.

    A stroke goes from a random place on in 3 to 6 straight pieces, each of a length up to a third of the photo's longer
    side, turning by up to 60° in between. Its thickness is even along its way. With thin strokes this is a scratch.

    Args:
        strokes, thickness: how many, and how many pixels thick; ranges, both ends included.

    Source: Yu et al., *Free-form image inpainting with gated convolution* (2019), algorithm 1.

    Raises:
        PhotomendError: a range that isn't 1 <= low <= high.
    """
    for name, (low, high) in (("strokes", strokes), ("thickness", thickness)):
        if not 1 <= low <= high:
            raise PhotomendError(f"{name} (={low}..{high}) must be a range from 1 on")
    from PIL import ImageDraw  # here, because only training draws

    canvas = Image.new("L", (width, height))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(*strokes, endpoint=True))):
        thick = int(rng.integers(*thickness, endpoint=True))
        place, angle = rng.uniform((0, 0), (width, height)), rng.uniform(0, 2 * np.pi)
        path = [place]
        for _ in range(int(rng.integers(3, 6, endpoint=True))):
            angle += rng.uniform(-np.pi / 3, np.pi / 3)
            length = rng.uniform(0.05, 1 / 3) * max(height, width)
            path.append(path[-1] + length * np.array((np.cos(angle), np.sin(angle))))
        pen.line([tuple(point) for point in path], fill=1, width=thick, joint="curve")
        if thick > 2:  # round ends
            for x, y in (path[0], path[-1]):
                pen.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=1)
    return np.array(canvas, dtype=np.bool_)
