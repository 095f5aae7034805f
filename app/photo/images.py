"""Pictures and Pillow's images, one made of the other; both ways without loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core import PhotomendError
from .canvas import Pixels
from .metadata import Metadata, metadata_of
from .picture import Origin, Picture

#: The colours of Pillow's modes, and whether alpha follows.
MODES: dict[str, tuple[str, bool]] = {
    "1": ("grey", False),
    "L": ("grey", False),
    "LA": ("grey", True),
    "P": ("palette", False),
    "RGB": ("RGB", False),
    "RGBA": ("RGB", True),
    "CMYK": ("CMYK", False),
    "I;16": ("grey", False),
    "I": ("grey", False),
    "F": ("grey", False),
}
#: Modes that hold the same as another.
SAME_AS = {"I;16B": "I;16", "I;16L": "I;16", "I;16N": "I;16", "RGBX": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}


def picture_of(image: Image.Image, metadata: Metadata | None = None, origin: Origin | None = None) -> Picture:
    """The picture in an image, whose pixels stay where they are.

    Raises PhotomendError: colours that no model can be shown, such as LAB.
    """
    mode = SAME_AS.get(image.mode, image.mode)
    if mode not in MODES:
        raise PhotomendError(f"colours of mode {image.mode} can't be repaired; convert the photo to RGB first")
    if mode != image.mode and not image.mode.startswith("I;16"):
        image = image.convert(mode)
    colours, alpha = MODES[mode]
    pixels = np.array(image)
    if mode == "I;16":
        pixels = pixels.astype(np.uint16)
    transparency = image.info.get("transparency")
    key = None
    if transparency is not None and not alpha and colours != "palette":
        key = transparency if isinstance(transparency, tuple) else (int(transparency),)
    palette = palette_of(image, transparency) if colours == "palette" else None
    metadata = metadata_of(image) if metadata is None else metadata
    return Picture(pixels, colours, alpha, palette=palette, key=key, metadata=metadata, origin=origin)


def palette_of(image: Image.Image, transparency: bytes | int | None) -> NDArray[np.uint8]:
    """The palette of an image of mode P, uint8 (N, 4), as long as the indices of its pixels ask for."""
    mode = image.palette.mode if image.palette is not None else "RGB"
    flat = image.getpalette("RGBA" if mode == "RGBA" else "RGB") or []
    colours = np.array(flat, np.uint8).reshape(-1, 4 if mode == "RGBA" else 3)
    palette = np.full((max(len(colours), int(np.asarray(image).max()) + 1), 4), (0, 0, 0, 255), np.uint8)
    palette[: len(colours), : colours.shape[1]] = colours
    if isinstance(transparency, bytes):
        alpha = np.frombuffer(transparency, np.uint8)[: len(palette)]
        palette[: len(alpha), 3] = alpha
    elif transparency is not None and transparency < len(palette):
        palette[transparency, 3] = 0
    return palette


def mode_of(picture: Picture) -> str | None:
    """The mode of Pillow that holds a picture; None where there is none, as for colours of 16 bits."""
    kind, channels = picture.pixels.dtype, len(picture.extra)
    if picture.white is not None or channels > picture.alpha:
        return None
    if picture.colours == "grey" and not channels:
        return {"bool": "1", "uint8": "L", "uint16": "I;16", "int32": "I", "float32": "F"}.get(kind.name)
    if kind != np.uint8:
        return None
    return next(
        (mode for mode, held in MODES.items() if held == (picture.colours, picture.alpha) and mode != "1"), None
    )


def image_of(picture: Picture) -> Image.Image:
    """A picture as an image of Pillow, with its metadata where Pillow keeps them.

    Raises PhotomendError: no mode of Pillow holds it.
    """
    picture = picture.straight()
    mode = mode_of(picture)
    if mode is None:
        raise PhotomendError(f"Pillow has no images for {picture.kind}")
    height, width = picture.shape
    if mode == "CMYK":  # which four channels would not be taken for
        image = Image.frombytes(mode, (width, height), np.ascontiguousarray(picture.pixels).tobytes())
    else:
        image = Image.fromarray(picture.pixels)
    if picture.palette is not None:
        image.putpalette(picture.palette[:, :3].tobytes())
    if picture.palette is not None and picture.transparent_palette:
        image.info["transparency"] = picture.palette[:, 3].tobytes()
    if picture.key is not None:
        image.info["transparency"] = picture.key if len(picture.key) > 1 else picture.key[0]
    image.info.update(info_of(picture.metadata))
    return image


def info_of(metadata: Metadata) -> dict[str, Any]:
    """Metadata by the names that Pillow has for them."""
    info: dict[str, Any] = {"icc_profile": metadata.icc, "exif": metadata.exif, "xmp": metadata.xmp}
    return {name: value for name, value in info.items() if value} | ({"dpi": metadata.dpi} if metadata.dpi else {})


#: What the channels of an array are: colours, and whether alpha follows.
CHANNELS = {1: ("grey", False), 2: ("grey", True), 3: ("RGB", False), 4: ("RGB", True)}


def picture_of_array(pixels: Pixels) -> Picture:
    """The picture in an array (H, W) or (H, W, 1 to 4), in a copy.

    Raises PhotomendError: an array of another shape, or of numbers that no photo has.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2] if pixels.ndim == 3 else 0
    known = pixels.dtype.kind in "bf" or (pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2)
    if channels not in CHANNELS or not known or 0 in pixels.shape:
        raise PhotomendError(
            "the photo must be bool, uint8, uint16 or float, (H, W) or (H, W, 1 to 4), "
            f"not {pixels.dtype} {pixels.shape}"
        )
    own = np.array(pixels, pixels.dtype.newbyteorder("="), order="C")
    return Picture(own.reshape(own.shape[:2]) if channels == 1 else own, *CHANNELS[channels])
