"""Netpbm: bitmaps, grey and colours of up to 16 bits, and floats (PFM, written in grey only)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from netpbmfile import NetpbmFile, imwrite

from ...data.claims import PhotoError, require_modest
from .boxes import KINDS
from .images import image_of
from .metadata import Metadata
from .picture import Origin, Picture

#: The magic numbers of PBM, in which 1 is black.
BITMAPS = ("P1", "P4")
#: What stands between two words of a header: blanks, and comments on lines of their own.
_GAP = rb"\s{1,99}(?:(?:#[^\r\n]{0,999}\r?\n){1,99}\s{0,99})?"
_NUMBER, _SCALE = rb"\d{1,10}", rb"[-+]?\d{0,20}\.?\d{1,20}(?:[eE][-+]?\d{1,3})?"
#: The headers that are read. netpbmfile's own patterns take time that grows exponentially with line ends.
HEADERS = (
    re.compile(rb"P[14]" + 2 * (_GAP + _NUMBER) + rb"\s"),
    re.compile(rb"P[2356]" + 3 * (_GAP + _NUMBER) + rb"\s"),
    re.compile(rb"P[Ff]4?" + 2 * (_GAP + _NUMBER) + _GAP + _SCALE + rb"[ \t]{0,99}[\r\n]"),
    re.compile(
        rb"P7\r?\n(?:(?:#[^\r\n]{0,999}|(?:HEIGHT|WIDTH|DEPTH|MAXVAL)[ \t]{1,99}\d{1,10} {0,99}"
        rb"|TUPLTYPE[ \t]{1,99}\w{1,99})?\r?\n){1,99}ENDHDR[\r\n]"
    ),
)
#: Bytes in which netpbmfile looks for it.
MOST_HEADER = 4096


def read_netpbm(path: Path) -> Picture:
    """The first picture in a PBM, PGM, PPM, PAM or PFM file."""
    with path.open("rb") as start:
        head = start.read(MOST_HEADER)
    if not any(header.match(head) for header in HEADERS):
        raise PhotoError(f"{path}: can't be read as a photo (its header is damaged)")
    with NetpbmFile(path) as file:
        require_modest(str(path), file.width, file.height, file.depth)
        pixels, most, images = file.asarray(), file.maxval, file.frames
        magic, kind, samples = file.magicnumber, file.tupltype, file.depth
    if images > 1:
        pixels = pixels[0]
    if magic in ("Pf", "PF"):  # stored from the bottom row upwards
        pixels = pixels[::-1]
    if pixels.ndim == 3 and samples == 1:
        pixels = pixels[..., 0]
    if "BLACKANDWHITE" in kind and samples == 1:
        pixels = pixels == (0 if magic in BITMAPS else 1)
    colours, alpha = KINDS[samples]
    pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    white = most if pixels.dtype.kind == "u" and most != np.iinfo(pixels.dtype).max else None
    origin = Origin(path, "PPM", pages=images)
    return Picture(pixels, colours, alpha, white, metadata=Metadata(), origin=origin)


def write_netpbm(draft: Path, picture: Picture, pam: bool = False) -> None:
    """Write a picture in the format of its kind: PBM, PGM, PPM, PAM (with alpha, or asked for), PFM for floats."""
    if picture.pixels.dtype.kind == "f":
        image_of(picture).save(draft, "PPM")
        return
    plain = {1: "P4"}.get(picture.bits, {"grey": "P5", "RGB": "P6"}[picture.colours])
    magic: Any = "P7" if picture.alpha or pam else plain
    pixels = ~picture.pixels if magic in BITMAPS else picture.pixels
    most = picture.white or (1 if picture.bits == 1 else np.iinfo(picture.pixels.dtype).max)
    imwrite(draft, pixels, magicnumber=magic, maxval=int(most))
