"""Masks turned around and grown; and the ring around one in which a repair is blended into the photo."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core import PhotomendError
from ...data.photos import Mask
from ..photo.canvas import Places

#: Pixels: distances are measured in squares of this side, and only in those that a mask is near.
SQUARE = 512


class Ring(NamedTuple):
    """Known pixels near a mask: their rows, columns, and how far each is from the nearest missing one, in pixels."""

    rows: Places
    columns: Places
    distances: NDArray[np.float32]


def shape(mask: Mask, *, invert: bool = False, grow: int = 0) -> Mask:
    """A mask, bool (H, W), turned around if `invert`, then grown by all pixels within `grow` pixels of it.

    Distances are Euclidean, from pixel to pixel: growing by 1 adds those that share a side.

    Raises PhotomendError: `grow` is negative.

    >>> import numpy as np
    >>> mask = np.zeros((5, 5), bool)
    >>> mask[2, 2] = True
    >>> print(shape(mask, grow=2).astype(int))
    [[0 0 1 0 0]
     [0 1 1 1 0]
     [1 1 1 1 1]
     [0 1 1 1 0]
     [0 0 1 0 0]]
    """
    shaped = ~mask if invert else mask.copy()
    near = ring(shaped, grow, "grow")
    shaped[near.rows, near.columns] = True
    return shaped


def ring(mask: Mask, reach: int, name: str = "reach") -> Ring:
    """The known pixels within `reach` pixels of a mask, bool (H, W). Raises PhotomendError: `reach` is negative."""
    if reach < 0:
        raise PhotomendError(f"{name} (={reach}) must be 0 or more pixels")
    none = np.empty(0, np.intp)
    found = [Ring(none, none, np.empty(0, np.float32))]
    height, width = mask.shape
    for top in range(0, height if reach else 0, SQUARE):
        for left in range(0, width, SQUARE):
            first, start = max(0, top - reach), max(0, left - reach)
            around = mask[first : top + SQUARE + reach, start : left + SQUARE + reach]
            if around.any():
                from scipy import ndimage  # here, because most masks are taken as they are

                far = ndimage.distance_transform_edt(~around)
                own = far[top - first :, left - start :][:SQUARE, :SQUARE]
                rows, columns = np.nonzero((own > 0) & (own <= reach))
                found.append(Ring(rows + top, columns + left, own[rows, columns].astype(np.float32)))
    return Ring(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
