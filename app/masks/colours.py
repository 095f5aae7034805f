"""What is missing by its colour: damage painted over, and what is transparent."""

from __future__ import annotations

import numpy as np
from PIL import ImageColor

from ...core import PhotomendError
from ...data.photos import Mask
from ..photo.canvas import Pixels
from ..photo.picture import Picture
from .reading import is_lossy, opacity_of

Colour = tuple[int, int, int]
#: How far a colour may be off in a photo of a lossy format, of 255 in each channel.
LOSSY_TOLERANCE = 32
#: Rows that are compared with a colour at once: it bounds memory.
ROWS = 256


def colour_of(text: str) -> Colour:
    """The colour that a text means: a name of CSS, #rrggbb, or r,g,b from 0 to 255.

    Raises PhotomendError for any other text.

    >>> colour_of("black"), colour_of("#ff00ff"), colour_of("255, 0, 255")
    ((0, 0, 0), (255, 0, 255), (255, 0, 255))
    """
    try:
        red, green, blue = ImageColor.getrgb(f"rgb({text})" if text[:1].isdigit() else text)[:3]
        if max(red, green, blue) > 255:
            raise ValueError
    except ValueError as error:
        raise PhotomendError(f"colour {text!r} is no name, #rrggbb or r,g,b") from error
    return red, green, blue


def find_colour(picture: Picture, colour: Colour, tolerance: int | None = None) -> Mask:
    """The pixels of one colour: bool (H, W). Transparent ones have none.

    Args:
        picture: of any kind and depth.
        colour: red, green and blue from 0 to 255, which stands for white at every depth.
        tolerance: how far each of them may be off; without one 0, or 32 in a photo of a lossy format.

    Raises PhotomendError: the tolerance is negative.
    """
    if tolerance is None:
        tolerance = LOSSY_TOLERANCE if is_lossy(picture) else 0
    if tolerance < 0:
        raise PhotomendError(f"tolerance (={tolerance}) must be 0 or more")
    found = np.zeros(picture.shape, np.bool_)
    canvas, hidden, (height, width) = picture.canvas(found), picture.hidden(), picture.shape
    for top in range(0, height, ROWS):
        window = slice(top, min(top + ROWS, height)), slice(0, width)
        off = np.abs(canvas.colours(window) * 255 - np.array(colour, np.float32)).max(axis=2)
        found[window] = off <= tolerance + 0.5  # of 16 bits, what 8 would round to it
    return found if hidden is None else found & ~hidden


def find_transparent(picture: Picture, threshold: int | None = None) -> Mask:
    """The transparent pixels: bool (H, W).

    Those of which nothing is seen, and what is half transparent beside them: the soft edge of an eraser.

    Args:
        picture: of any kind; nothing is transparent of one without alpha.
        threshold: instead, all that are less opaque than this, from 1 to 255.
    """
    opacity = opacity_of(picture)
    if opacity is None:
        return np.zeros(picture.shape, np.bool_)
    if threshold is not None:
        return opacity * 255 < threshold
    missing: Mask = opacity == 0
    soft = opacity < 1
    if missing.any() and (soft != missing).any():
        from scipy import ndimage  # here, because most masks come from files

        missing = ndimage.binary_propagation(missing, np.ones((3, 3), np.bool_), soft)
    return missing


def make_opaque(picture: Picture, missing: Mask) -> None:
    """Make the pixels that were transparent, and have been rebuilt, opaque, in place."""
    if picture.alpha:
        alpha: Pixels = picture.channel(picture.extra[0])
        full = 1 if alpha.dtype.kind in "fb" else picture.white or np.iinfo(alpha.dtype).max
        alpha[missing] = full
