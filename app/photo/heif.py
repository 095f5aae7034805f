"""HEIC, by pillow-heif, which the extra `heif` installs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...core import PhotomendError
from ...data.claims import require_modest
from .boxes import picture_from
from .metadata import EXIF_HEADER, metadata_of, upright_exif, upright_xmp
from .picture import Origin, Picture

#: Numbers above which a photo is compressed in the fastest way: a third of the time, and 9 % more room.
LARGE = 6_000_000


def pillow_heif() -> Any:
    """The library. Raises PhotomendError, which says how to install it, where it is missing."""
    try:
        import pillow_heif as library
    except ImportError as error:
        raise PhotomendError("HEIC needs pillow-heif: pip install 'photomend[heif]'") from error
    return library


def read_heif(path: Path) -> Picture:
    """The main picture of a HEIC file, which the decoder turns upright."""
    file = pillow_heif().open_heif(path, convert_hdr_to_8bit=False, bgr_mode=False)
    require_modest(str(path), *file.size)
    pixels, bits = np.array(file), int(file.info.get("bit_depth", 8))
    if pixels.dtype == np.uint16:
        pixels >>= 16 - bits  # the decoder spreads 10 and 12 bits over 16
    said = metadata_of(file)
    metadata = replace(said, exif=upright_exif(said.exif), xmp=upright_xmp(said.xmp))
    return picture_from(pixels, bits, metadata, Origin(path, "HEIF", pages=len(file)))


def write_heif(file: BinaryIO, picture: Picture, quality: int | None = None) -> None:
    """Write a picture of 8, 10 or 12 bits, 16 as 12, as HEIC, without loss unless a quality is given."""
    library, metadata, pixels = pillow_heif(), picture.metadata, picture.pixels
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    if pixels.dtype == np.uint16:
        pixels, mode = pixels << (16 - picture.bits), f"{mode};16" if channels > 1 else "I;16"
        library.options.SAVE_HDR_TO_12_BIT = picture.bits > 10
    height, width = picture.shape
    new = library.from_bytes(mode=mode, size=(width, height), data=np.ascontiguousarray(pixels).tobytes())
    options: dict[str, Any] = {"quality": -1 if quality is None else quality}
    if quality is None and channels > 2:
        options |= {"chroma": 444, "matrix_coefficients": 0}
    if pixels.size > LARGE:
        options["enc_params"] = {"preset": "ultrafast"}
    said = {"exif": EXIF_HEADER + metadata.exif if metadata.exif else None, "xmp": metadata.xmp or None}
    new.save(file, **options, **said, icc_profile=metadata.icc or None)
