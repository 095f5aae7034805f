"""Masks read from files and images of any kind: white, or any other colour, is missing, and black is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...core import PhotomendError
from ...data.photos import Mask, PhotoError
from ..photo.canvas import Pixels, Scale
from ..photo.files import read
from ..photo.images import picture_of
from ..photo.metadata import SIDEWAYS, TURNS, orientation_of, stand_upright
from ..photo.picture import CHANNELS, Picture

#: Formats that blur the edges of a mask, by Pillow's names; and the compressions within TIFF that do.
LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "HEIF", "JPEG2000")
LOSSY_TIFF = (
    "OJPEG",
    "JPEG",
    "JPEG_2000_LOSSY",
    "APERIO_JP2000_RGB",
    "APERIO_JP2000_YCBC",
    "JPEG2000",
    "WEBP",
    "JPEGXR",
)
#: What such a mask has to reach, of 255, to be missing.
HALFWAY = 128
#: Less than the step between two numbers of 16 bits, more than the rounding of a float32.
ROUNDING = 1e-3


def read_mask(source: Path | Image.Image, threshold: int | None = None) -> Mask:
    """The mask in a file, or in an image that Pillow has read: bool (H, W), True where the photo is missing.

    Missing is what isn't black. A pixel counts by its lightest channel; palettes count by their colours, ink by the
    light that it leaves. What is transparent is known, whatever its colour. Lossy formats, whose edges ring, have a
    threshold of 128. The EXIF orientation is applied, and of several pages the first one counts.

    Args:
        source: of any mode and depth.
        threshold: what a pixel's lightest channel, times its opacity, has to reach to be missing, from 1 to 255, which
            stands for white at every depth.

    Raises:
        PhotoError: the file is missing, no image, or truncated.
        PhotomendError: colours such as LAB, of which black isn't known.
    """
    if isinstance(source, Image.Image):
        source.load()
        picture, lossy = picture_of(source), source.format in LOSSY
        pixels, _ = stand_upright(picture.pixels, picture.metadata, orientation_of(source))
        picture = picture.copy(pixels=pixels)
    else:
        picture = _read(source)
        lossy = is_lossy(picture)
    return mask_of(picture, HALFWAY if lossy and threshold is None else threshold)


def _read(path: Path) -> Picture:
    try:
        return read(path)
    except PhotoError as error:
        raise PhotoError(str(error).replace("can't be read as a photo", "can't be read as a mask")) from error


def is_painted_black(source: Path | Image.Image) -> bool:
    """Whether a mask of which nothing is missing has black on a transparent ground."""
    picture = picture_of(source) if isinstance(source, Image.Image) else _read(source)
    opacity = opacity_of(picture)
    return opacity is not None and bool(0 < np.count_nonzero(opacity) < opacity.size)


def mask_of(picture: Picture, threshold: int | None = None) -> Mask:
    """The mask that a picture shows; see `read_mask`. Without a threshold, all that isn't black is missing.

    Raises PhotomendError: the threshold isn't one of 1 to 255.
    """
    if threshold is not None and not 1 <= threshold <= 255:
        raise PhotomendError(f"threshold (={threshold}) must be from 1 to 255")
    values, opacity = lightest(picture), opacity_of(picture)
    if threshold is None:
        missing: Mask = values != 0
        return missing if opacity is None else missing & (opacity > 0)
    unit = Scale.of(values, np.ones_like(values, np.bool_), picture.white).to_unit(values)
    if opacity is not None:
        unit *= opacity
    return ~(255 * unit < threshold - ROUNDING)  # what is no number is missing


def lightest(picture: Picture) -> Pixels:
    """The lightest channel (H, W) of each pixel, in the picture's numbers; of ink, what it leaves of the light."""
    if picture.palette is not None:
        return picture.palette[:, :3].max(axis=1)[picture.pixels]
    if picture.colours == "grey":
        return picture.channel(0)
    colours = picture.pixels[..., : CHANNELS[picture.colours]]
    if picture.colours == "CMYK":
        light = 1 - picture.scale(np.ones(picture.shape, np.bool_)).to_unit(colours)
        return light[..., :3].max(axis=2) * light[..., 3]
    return colours.max(axis=2)


def opacity_of(picture: Picture) -> Pixels | None:
    """How opaque each pixel (H, W) is, from 0 to 1; None where all are."""
    if picture.palette is not None:
        return (picture.palette[:, 3] / np.float32(255))[picture.pixels] if picture.transparent_palette else None
    if picture.key is not None:
        return (~picture.is_key()).astype(np.float32)
    if not picture.alpha:
        return None
    alpha = picture.channel(picture.extra[0])
    return Scale.of(alpha, np.ones(picture.shape, np.bool_), picture.white).to_unit(alpha)


def turn_like(missing: Mask, shape: tuple[int, ...], turned: int) -> Mask:
    """A mask that fits the photo as it is stored, turned as the photo was, to this shape (H, W); another as it is.

    Some programs ignore EXIF's orientation: a mask painted there lies on its side. Only sizes tell, so a square photo's
    mask, and one of a photo that stood on its head, is taken as upright.
    """
    if turned in SIDEWAYS and missing.shape != shape and missing.shape == shape[::-1]:
        return np.ascontiguousarray(TURNS[turned](missing))
    return missing


def is_lossy(picture: Picture) -> bool:
    origin = picture.origin
    if origin is None or origin.form != "TIFF":
        return origin is not None and origin.form in LOSSY
    from tifffile import TiffFile  # here, because most masks are none

    with TiffFile(origin.path) as file:
        compression: Any = file.pages.first.compression  # typed as a number, which an unknown one is
        return getattr(compression, "name", "") in LOSSY_TIFF
