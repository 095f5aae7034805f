"""What a file says about its photo, out of what Pillow has read, and upright once the pixels have been turned."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from math import inf
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from .canvas import Pixels

#: What JPEG puts before EXIF, and other formats sometimes copy.
EXIF_HEADER = b"Exif\0\0"
#: The keyword of PNG's text that held EXIF before there was a chunk for it.
RAW_EXIF = "Raw profile type exif"
#: Text that is one of the other metadata.
KNOWN_TEXT = (RAW_EXIF, "XML:com.adobe.xmp")
#: The image resource of Photoshop that holds IPTC records.
IPTC_RESOURCE = 0x0404
#: How pixels (H, W, …) are stood upright, by their EXIF orientation.
TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels.swapaxes(0, 1)[::-1, ::-1],
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}
#: Those that swap rows and columns.
SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True)
class Metadata:
    """What a file says about its photo, each in the bytes of its own standard; empty where it says nothing.

    Attributes:
        exif: a TIFF structure, without the header that JPEG puts before it.
        xmp: an XML packet.
        icc: a colour profile.
        iptc: IPTC-IIM records.
        text: what PNG calls text, by its keywords, and the comment of a JPEG or GIF.
        dpi: pixels an inch, across and down.
        other: names of what else the file says, which stays in a file of its own format and has no place in others.
    """

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    iptc: bytes = b""
    text: dict[str, str] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None
    other: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """What is there, in words."""
        words = {"exif": "EXIF", "xmp": "XMP", "icc": "the colour profile", "iptc": "IPTC"}
        found = [word for name, word in words.items() if getattr(self, name)]
        found += [f"text ({', '.join(self.text)})"] if self.text else []
        return [*found, *self.other] + ([] if self.dpi is None else [f"{self.dpi[0]:.0f} dpi"])

    def without(self, *names: str) -> Metadata:
        """The same with some attributes empty."""
        empty = Metadata()
        return replace(self, **{name: getattr(empty, name) for name in names})


def metadata_of(image: Image.Image) -> Metadata:
    """What Pillow knows about an image that it has loaded."""
    info = image.info
    xmp = info.get("xmp") or b""
    text = {
        key: str(value)
        for key, value in getattr(image, "text", {}).items()
        if key not in ("XML:com.adobe.xmp", RAW_EXIF)
    }
    if comment := info.get("comment"):
        text["Comment"] = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    exif = info.get("exif") or (image.getexif().tobytes() if RAW_EXIF in info else b"")
    photoshop = info.get("photoshop")
    iptc = photoshop.get(IPTC_RESOURCE, b"") if isinstance(photoshop, dict) else b""
    dpi = info.get("dpi")
    if getattr(image, "format", "") in ("JPEG", "MPO") and not info.get("jfif_unit") and dpi_in(exif) is None:
        dpi = None  # Pillow says 72 where the EXIF of a JPEG has none
    return Metadata(
        exif=exif.removeprefix(EXIF_HEADER),
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        icc=info.get("icc_profile") or b"",
        iptc=iptc if isinstance(iptc, bytes) else b"",
        text=text,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
        other=_segments(image),
    )


#: What a JPEG's segments begin with that have a place of their own in Metadata, or say how the pixels are stored.
PLACED = (b"JFIF\0", b"JFXX\0", EXIF_HEADER, b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Adobe", b"MPF\0")
#: Photoshop's resources without what is known otherwise: resolution, IPTC and its checksum.
PHOTOSHOP, KNOWN_RESOURCES = b"Photoshop 3.0\0", {0x03ED, IPTC_RESOURCE, 0x0425}


def _segments(image: Image.Image) -> tuple[str, ...]:
    """Names of a JPEG's segments that only a JPEG can hold."""
    names, comments = [], set[bytes]()
    for kind, data in getattr(image, "applist", ()):
        if data.startswith(PHOTOSHOP):
            resources = image.info.get("photoshop")
            names += ["Photoshop's settings"] if set(resources or ()) - KNOWN_RESOURCES else []
        elif data.startswith(b"http://ns.adobe.com/xmp/extension/\0"):
            names.append("extended XMP")
        elif kind == "COM":
            comments.add(data)
        elif not data.startswith(PLACED):
            names.append(f"the segment {kind}")
    names += ["further comments"] if len(comments) > 1 else []
    return tuple(dict.fromkeys(names))


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none that EXIF knows."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, struct.error):  # no EXIF, whatever its place says
        return 1
    return found if found in TURNS else 1


def tags_of(exif: bytes) -> Image.Exif:
    """EXIF's tags; none where it can't be read."""
    tags = Image.Exif()
    with suppress(SyntaxError, ValueError, struct.error):
        tags.load(exif)
    return tags


def dpi_in(exif: bytes) -> tuple[float, float] | None:
    """The resolution that EXIF gives, pixels an inch, across and down; None if it gives none."""
    try:
        with warnings.catch_warnings(action="ignore"):  # reading the photo passes them on
            tags = tags_of(exif)
        across, down = (float(tags.get(tag, 0)) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution))
        inches = {1: 0.0, 3: 2.54}.get(tags.get(ExifTags.Base.ResolutionUnit, 2), 1.0)  # 1: no unit, 3: per centimetre
    except (SyntaxError, TypeError, ValueError, ZeroDivisionError, struct.error):  # tags of another type, or damaged
        return None
    found = inches * across, inches * (down or across)
    return found if all(0 < value < inf for value in found) else None


#: What is said of EXIF without a tag in a format whose writer puts tags one by one.
UNREADABLE = "its EXIF, which can't be read, is left out"


def stand_upright(pixels: Pixels, metadata: Metadata, turned: int) -> tuple[Pixels, Metadata]:
    """Pixels (H, W, …) and metadata whose EXIF orientation is `turned`, as a photo that needs no turning."""
    if turned == 1:
        return pixels, metadata
    dpi = metadata.dpi[::-1] if metadata.dpi and turned in SIDEWAYS else metadata.dpi
    exif, xmp = upright_exif(metadata.exif, turned), upright_xmp(metadata.xmp)
    return np.ascontiguousarray(TURNS[turned](pixels)), replace(metadata, exif=exif, xmp=xmp, dpi=dpi)


def upright_exif(exif: bytes, turned: int = 1) -> bytes:
    """EXIF with orientation 1, and its resolution turned with the photo; every other byte stays, so that a maker's own
    notes keep the offsets they count on.
    """
    from tifffile import TiffFile  # here, because most photos stand upright

    if not exif:
        return exif
    buffer = BytesIO(exif)
    try:
        with TiffFile(buffer, mode="r+") as file:
            tags = file.pages.first.tags
            if "Orientation" in tags:
                tags["Orientation"].overwrite(1)
            if turned in SIDEWAYS and "XResolution" in tags and "YResolution" in tags:
                across, down = tags["XResolution"].value, tags["YResolution"].value
                tags["XResolution"].overwrite(down)
                tags["YResolution"].overwrite(across)
    except Exception:  # no table of tags, so nothing in it says how the photo stands; it goes along as it is
        return exif
    return buffer.getvalue()


def upright_xmp(xmp: bytes) -> bytes:
    """XMP with orientation 1, written as an attribute or as an element."""
    return re.sub(rb'(tiff:Orientation(?:="|>))[2-8](?=["<])', rb"\g<1>1", xmp)


def exif_of_tags(tags: dict[int, Any]) -> bytes:
    """EXIF made of TIFF tags, by their numbers."""
    exif = Image.Exif()
    exif.update(tags)
    return exif.tobytes().removeprefix(EXIF_HEADER) if tags else b""
