"""Rectangular holes: the protocol's, random ones, and their masks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core import PhotomendError
from .photos import Mask


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
    """The mask of a photo of `height` × `width` pixels with the hole `box`: `bool (H, W)`, True = missing.

    Raises:
        PhotomendError: the box is empty or leaves the photo.
    """
    x, y, box_width, box_height = box
    inside = x >= 0 and y >= 0 and x + box_width <= width and y + box_height <= height
    if box_width < 1 or box_height < 1 or not inside:
        raise PhotomendError(
            f"box: {x},{y},{box_width},{box_height} (x,y,width,height) is not inside a photo of {width}x{height} pixels"
        )
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[y : y + box_height, x : x + box_width] = True
    return mask
