"""Photos as a browser shows them: 8 bits, red, green and blue, no larger than a screen.

Of each photo the colours that a screen can show are kept in a file of raw pixels, which is mapped into memory. So any
part of it can be sent at once, at any size, and a photo of 100 megapixels takes no memory while somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from PIL import Image

from ...core import PhotomendError
from ...models.components import Positions
from ..photo.canvas import BYTE, Scale
from ..photo.picture import CHANNELS, Picture

#: The longest side, pixels, of what is sent at a time.
SIDE = 1600
#: Rows that are converted at a time.
STRIPE = 256
QUALITY = 90


class ViewError(PhotomendError):
    """A part of a photo that isn't there."""


class Part(NamedTuple):
    """A rectangle of a photo, pixels."""

    x: int
    y: int
    width: int
    height: int


def part_of(asked: Mapping[str, str]) -> Part | None:
    """The part that a request asks for by x, y, width and height; None without all of them. Raises ViewError."""
    sides = [asked.get(name) for name in Part._fields]
    if any(side is not None and not (side.isdecimal() and len(side) < 10) for side in sides):
        raise ViewError("view: x, y, width and height must be whole numbers of pixels")
    numbers = [int(side) for side in sides if side is not None]
    return Part(*numbers) if len(numbers) == len(sides) else None


def keep_colours(picture: Picture, path: Path) -> None:
    """Write the colours of a picture, uint8 (H, W, 3) or with alpha (H, W, 4), to a file that `view` reads."""
    height, width = picture.shape
    hidden = picture.hidden()
    canvas = picture.canvas(np.zeros(picture.shape, np.bool_) if hidden is None else hidden)
    pixels = open_memmap(path, "w+", np.uint8, (height, width, 3 if hidden is None else 4))
    plain = picture.colours == "RGB" and picture.pixels.dtype == np.uint8
    for top in range(0, height, STRIPE):
        rows = slice(top, min(top + STRIPE, height))
        pixels[rows, :, :3] = (
            picture.pixels[rows, :, :3] if plain else BYTE.from_unit(canvas.colours((rows, slice(0, width))).clip(0, 1))
        )
        if hidden is not None:
            pixels[rows, :, 3] = _alpha(picture, rows) if picture.alpha else np.where(hidden[rows], 0, 255)
    pixels.flush()


def _alpha(picture: Picture, rows: slice) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    alpha = picture.channel(CHANNELS[picture.colours])[rows]
    scale = Scale.of(alpha, np.ones(alpha.shape, np.bool_), picture.white)
    return BYTE.from_unit(np.nan_to_num(scale.to_unit(alpha)).clip(0, 1))


def profile_of(picture: Picture) -> bytes:
    """The colour profile by which a browser is to show these colours; none where it is for others than RGB."""
    icc = picture.metadata.icc
    return icc if icc[16:20] == b"RGB " and picture.colours in ("RGB", "palette") else b""


def view(path: Path, part: Part | None, profile: bytes = b"", side: int = SIDE) -> tuple[bytes, str]:
    """A part of a photo whose colours were kept in a file, or the whole, and its media type.

    Neither side of it has more pixels than `side`. JPEG, and WebP where there is alpha.

    Raises ViewError: the part is empty or leaves the photo.
    """
    pixels = np.load(path, mmap_mode="r")
    height, width = pixels.shape[:2]
    x, y, w, h = part or Part(0, 0, width, height)
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
        raise ViewError(f"view: {x},{y},{w},{h} is not inside a photo of {width}×{height} pixels")
    image = Image.fromarray(np.ascontiguousarray(pixels[y : y + h, x : x + w]))
    size = shown_size(w, h, side)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2)
    form, kind = ("JPEG", "image/jpeg") if image.mode == "RGB" else ("WEBP", "image/webp")
    file = BytesIO()
    image.save(file, form, quality=QUALITY, icc_profile=profile or None)
    return file.getvalue(), kind


def shown_size(width: int, height: int, side: int = SIDE) -> tuple[int, int]:
    """The size in which a photo is shown: its own, or smaller."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def marks(shape: tuple[int, int], places: list[tuple[Positions, Positions, float]]) -> bytes:
    """Numbers at some pixels of a photo (H, W), as a PNG at the size in which it is shown.

    Args:
        shape: of the photo.
        places: rows (n,), columns (n,) and the number of these n pixels, 0 to 255.

    Returns:
        The rounded numbers are its grey levels; pixels without one are transparent.
    """
    height, width = shape
    across, down = shown_size(width, height)
    pixels = np.zeros((down, across, 2), np.uint8)
    for rows, columns, number in places:
        at = rows * down // height, columns * across // width
        pixels[(*at, 0)] = round(min(max(number, 0), 255))
        pixels[(*at, 1)] = 255
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
