"""Damage that was painted over in black, told from the blacks of the photo itself.

Paint is one flat black with a sharp edge. A photo's own black parts fade into what is dark around them, and have
lighter specks within.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...data.photos import Mask
from .marks import TOUCHING, Shades, extreme

#: Of 255: the lightest black of paint, also in a lossy format, and what is surely lighter than dark.
BLACK, LOSSY_BLACK, LIGHT = 0, 2, 48
#: Pixels: a brush is at least so wide, and its edge at most.
BRUSH, EDGE = 5, 3
#: The share of the pixels along the edge that are light.
SHARP = 0.6


def find_paint(shades: Shades, lossy: bool = False) -> Mask:
    """Where a photo, uint8 (H, W), is painted over in black: bool (H, W).

    From a `lossy` file, the blurred edge of the paint is part of it.
    """
    black = shades <= (LOSSY_BLACK if lossy else BLACK)
    brushed = extreme(np.minimum, black, BRUSH)
    if not brushed.any():
        return np.zeros_like(black)
    labels, n = ndimage.label(black, TOUCHING)
    wide = np.unique(labels[brushed])
    blurred = extreme(np.maximum, black, 2 * EDGE - 1) if lossy else black
    edge = extreme(np.maximum, labels, 2 * EDGE + 1) * ~blurred
    around = np.bincount(edge.ravel(), minlength=n + 1)
    light: NDArray[np.intp] = np.bincount(edge[shades >= LIGHT], minlength=n + 1)
    kept = np.zeros(n + 1, np.bool_)
    kept[wide] = (light >= SHARP * around)[wide] & (around > 0)[wide]
    kept[0] = False
    found: Mask = kept[labels]
    return extreme(np.maximum, found, 2 * EDGE + 1) if lossy else found
