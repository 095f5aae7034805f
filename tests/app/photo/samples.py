"""Small photos of every kind, made of numbers: pixels, metadata, and files that other libraries have written."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from photomend.app.photo.files import Written, read, write
from photomend.app.photo.mend import mend
from photomend.app.photo.metadata import Metadata
from photomend.app.photo.picture import Picture
from photomend.app.repair import Repairer
from photomend.models import HarmonicFill
from PIL import ExifTags, Image, ImageCms

HEIGHT, WIDTH = 24, 32
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/">'
    b'<a tiff:Orientation="1">title</a></x:xmpmeta>'
)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
#: The white that profiles relate to, D50: X, Y and Z with 16 binary places.
D50 = struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
#: One record, 2:120: the caption.
IPTC = b"\x1c\x02\x78\x00\x07caption"


def exif(orientation: int = 1) -> bytes:
    """Tags of a camera, one of them in a table of its own."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "TestCam"
    tags[ExifTags.Base.Orientation] = orientation
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] = 400
    return tags.tobytes().removeprefix(b"Exif\0\0")


def grey_profile(gamma: float) -> bytes:
    """A colour profile for grey with a gamma (ICC.1:2001-04, with the four tags that a monochrome profile needs)."""
    name = b"grey\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + D50,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)),
    }
    table, data = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    kind = bytes(4) + b"\2\x40\0\0" + b"mntrGRAYXYZ " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header = struct.pack(">I", 128 + len(table) + len(data)) + kind + D50
    return header.ljust(128, b"\0") + table + data


def everything(orientation: int = 1) -> Metadata:
    return Metadata(exif(orientation), XMP, ICC, IPTC, {"Title": "a title", "Comment": "scanned"}, (600.0, 600.0))


def noise(channels: int, dtype: str, white: int | None = None) -> np.ndarray:
    """Smooth shades with a little noise, (H, W) or (H, W, channels)."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    bands = np.stack([0.5 + 0.35 * np.sin(x / 9 + k) * np.cos(y / 7 - k) for k in range(channels)], axis=-1)
    bands = (bands + np.random.default_rng(0).normal(0, 0.02, bands.shape)).clip(0.02, 0.98)
    bands = bands[..., 0] if channels == 1 else bands
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return bands.astype(kind)
    if kind.kind == "b":
        return bands > 0.5
    return np.rint(bands * (white or np.iinfo(kind).max)).astype(kind)


def palette() -> np.ndarray:
    colours = np.random.default_rng(1).integers(0, 256, (60, 4), dtype=np.uint8)
    colours[:, 3] = 255
    return colours


#: A picture of every kind of pixels, by its name in the documentation.
KINDS: dict[str, Picture] = {
    "1": Picture(noise(1, "bool"), "grey"),
    "L": Picture(noise(1, "uint8"), "grey"),
    "LA": Picture(noise(2, "uint8"), "grey", alpha=True),
    "P": Picture(noise(1, "uint8") % 60, "palette", palette=palette()),
    "RGB": Picture(noise(3, "uint8"), "RGB"),
    "RGBA": Picture(noise(4, "uint8"), "RGB", alpha=True),
    "CMYK": Picture(noise(4, "uint8"), "CMYK"),
    "I;16": Picture(noise(1, "uint16"), "grey"),
    "LA;16": Picture(noise(2, "uint16"), "grey", alpha=True),
    "RGB;16": Picture(noise(3, "uint16"), "RGB"),
    "RGBA;16": Picture(noise(4, "uint16"), "RGB", alpha=True),
    "F": Picture(noise(1, "float32"), "grey"),
    "RGB;F": Picture(noise(3, "float32"), "RGB"),
}


def hole() -> np.ndarray:
    """What is missing: a rectangle, away from the edges."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[8:14, 10:18] = True
    return mask


def mended(source: Path, target: Path) -> tuple[Picture, Written]:
    """A file repaired and written to another: the picture, and what there was to say."""
    return (repaired := mend(read(source), hole(), Repairer(HarmonicFill()))), write(target, repaired)


def opened(path: Path) -> Any:
    return Image.open(path)
