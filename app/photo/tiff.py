"""TIFF, read at any depth and written anew: tifffile has the pixels, Pillow the tables of tags that EXIF keeps apart.

What tifffile cannot decode (CCITT, old JPEG, LAB) is left to Pillow. Files that are only to be changed where a hole was
are `tiff_patch.py`'s.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, TiffImagePlugin
from tifffile import COMPRESSION, DATATYPE, EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage, imwrite

from ...data.claims import BoundedFile, require_modest
from .canvas import Pixels
from .metadata import TURNS, UNREADABLE, Metadata, dpi_in, exif_of_tags, stand_upright, tags_of
from .picture import CHANNELS, Origin, Picture

#: The photometric interpretations that tifffile gives as they are, and their colours here.
COLOURS: dict[int, str] = {
    PHOTOMETRIC.MINISWHITE: "grey",
    PHOTOMETRIC.MINISBLACK: "grey",
    PHOTOMETRIC.RGB: "RGB",
    PHOTOMETRIC.PALETTE: "palette",
    PHOTOMETRIC.SEPARATED: "CMYK",
}
PHOTOMETRICS = {"grey": "minisblack", "RGB": "rgb", "palette": "palette", "CMYK": "separated"}
XMP, IPTC, ICC = 700, 33723, 34675
#: Tags about how pixels are stored rather than about the photo, beside what has a place of its own in Metadata.
STRUCTURE = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 317, 318,
    319, *range(320, 326), 330, 332, 334, 336, 338, 339, 340, 341, 342, 347, *range(512, 522), 529, 530, 531, 532,
    XMP, IPTC, 34377, ICC,
}  # fmt: skip
#: Tags that only TIFF can hold, and what they are.
OTHER = {330: "pages within its page", 34377: "Photoshop's settings"}
#: Where tables of tags are said to be until they have been written: some place in the file.
PLACEHOLDER = 8
RESOLUTION = {ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit}
#: The tags that point at tables, and what tifffile calls them.
POINTERS = {int(ExifTags.IFD.Exif): "ExifTag", int(ExifTags.IFD.GPSInfo): "GPSTag"}


def read_tiff(path: Path) -> Picture | None:
    """The first page of a TIFF file, upright; None where tifffile can't decode it.

    Raises OSError, or whatever tifffile raises on a damaged file.
    """
    with BoundedFile(path) as bounded, TiffFile(bounded, name=path.name) as file:
        page = file.pages.first
        colours = COLOURS.get(page.photometric)
        if page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG:
            colours = "RGB"  # as the JPEG decoder gives it
        samples = page.samplesperpixel
        require_modest(str(path), page.imagewidth, page.imagelength, samples, len(file.pages))
        require_modest(str(path), page.tilewidth, page.tilelength)  # each of which is decoded as a whole
        if (
            colours is None
            or page.dtype is None
            or samples < CHANNELS[colours]
            or page.compression == COMPRESSION.OJPEG
            or page.ndim > 3
        ):
            return None
        try:
            pixels = page.asarray()
        except (ValueError, NotImplementedError, ImportError):
            return None
        turned = _orientation(page)
        metadata = _metadata(path, page)
        origin = Origin(path, "TIFF", turned, len(file.pages))
        palette = None
        if colours == "palette":
            palette = _palette(page, pixels)
    if pixels.ndim == 3 and page.planarconfig == 2:  # one channel behind the other
        pixels = np.moveaxis(pixels, 0, -1).copy()
    pixels = as_shown(page, pixels)
    if palette is not None:
        pixels = pixels.astype(np.promote_types(pixels.dtype, np.uint8))  # numbers of colours, of one bit, too
    pixels, metadata = stand_upright(pixels, metadata, turned)
    extra = page.extrasamples if samples > CHANNELS[colours] else ()  # one may be named that isn't there
    alpha = bool(extra) and extra[0] in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
    bits = page.bitspersample
    full = palette is None and pixels.dtype.kind == "u" and bits < 8 * pixels.dtype.itemsize
    white, multiplied = 2**bits - 1 if full else None, alpha and extra[0] == EXTRASAMPLE.ASSOCALPHA
    return Picture(pixels, colours, alpha, white, multiplied, palette, metadata=metadata, origin=origin)


def _palette(page: TiffPage, pixels: Pixels) -> Pixels:
    """The colours, uint8 (N, 4), that the pixels are numbers of. Raises ValueError where it doesn't say them all."""
    if page.samplesperpixel > 1:
        raise ValueError("its pixels are numbers of colours with further channels, which aren't read here")
    tag = page.tags.get("ColorMap")
    numbers = np.asarray(() if tag is None else tag.value).ravel()
    numbers = numbers if numbers.dtype.kind in "ui" else np.zeros(0, np.int64)
    count = numbers.size // 3
    if numbers.size % 3 or pixels.dtype.kind not in "bu" or pixels.max(initial=0) >= count:
        raise ValueError("its pixels are numbers of colours, and its palette, the tag ColorMap, doesn't have them all")
    # Some programs write 8 bits of a colour where there should be 16: libtiff tells them so, too.
    numbers = numbers if numbers.max() < 256 else numbers >> 8
    palette = np.full((count, 4), 255, np.uint8)
    palette[:, :3] = numbers.reshape(3, count).T
    return palette


def as_shown(page: TiffPage, pixels: Pixels) -> Pixels:
    """A page's pixels (H, W) or (H, W, C) in the machine's byte order, 0 for black; or those back as the page has them.

    Both ways are the same: what is inverted is inverted again.
    """
    if page.bitspersample == 1:
        pixels = pixels.astype(np.bool_)
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        if pixels.dtype.kind == "u":
            return (2**page.bitspersample - 1 - pixels).astype(pixels.dtype)
        return -pixels if pixels.dtype.kind == "f" else ~pixels
    return pixels


def _orientation(page: TiffPage) -> int:
    tag = page.tags.get("Orientation")
    return int(tag.value) if tag is not None and tag.value in TURNS else 1


def _metadata(path: Path, page: TiffPage) -> Metadata:
    raw: dict[int, bytes] = {}
    for code in (XMP, IPTC, ICC):
        tag = page.tags.get(code)
        if tag is not None:
            page.parent.filehandle.seek(tag.valueoffset)
            raw[code] = page.parent.filehandle.read(tag.valuebytecount)
    across, down = page.get_resolution("INCH")
    return Metadata(
        exif=exif_of_tiff(path),
        xmp=raw.get(XMP, b""),
        icc=raw.get(ICC, b""),
        iptc=raw.get(IPTC, b""),
        dpi=(across, down) if "XResolution" in page.tags and min(across, down) > 1 else None,
        other=tuple(name for code, name in OTHER.items() if code in page.tags),
    )


def exif_of_tiff(path: Path) -> bytes:
    """The tags of a TIFF file that say something about its photo, as EXIF for other formats."""
    tags: dict[int, Any] = {}
    with path.open("rb") as file:
        head = file.read(16)  # of which a classic file's header has 8
        if head[:4] == b"MM\0+":  # Pillow 13 can't read this kind's tables
            return b""
        head = head if 43 in head[2:4] else head[:8]
        directory = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(directory.next)
        directory.load(file)
        for tag in directory:
            if tag in POINTERS:
                table = TiffImagePlugin.ImageFileDirectory_v2(head, group=tag)
                file.seek(directory[tag])
                table.load(file)
                tags[tag] = dict(table)
            elif tag not in STRUCTURE:
                tags[tag] = directory[tag]
    if tags.get(ExifTags.Base.ResolutionUnit) == 1:  # of no unit: how much longer than wide a pixel is
        tags = {tag: value for tag, value in tags.items() if tag not in RESOLUTION}
    return exif_of_tags(tags) if set(tags) - RESOLUTION else b""


def write_tiff(file: BinaryIO, picture: Picture) -> list[str]:
    """Write a picture as a new TIFF file of one page, not compressed; what there is to say about it."""
    metadata, palette = picture.metadata, picture.palette
    colormap = None
    if palette is not None:
        colormap = np.zeros((3, 256), np.uint16)
        colormap[:, : len(palette)] = palette[:, :3].T.astype(np.uint16) * 257
    exif = tags_of(metadata.exif)
    tables = {tag: exif.get_ifd(tag) for tag in POINTERS if tag in exif}
    tags: list[tuple[int | str, Any, int, Any, bool]] = [(POINTERS[tag], "I", 1, PLACEHOLDER, True) for tag in tables]
    tags += [(tag, "B", len(raw), raw, True) for tag, raw in ((XMP, metadata.xmp), (IPTC, metadata.iptc)) if raw]
    tags += further_tags(metadata.exif) if exif else []
    extra, alpha = len(picture.extra), "assocalpha" if picture.premultiplied else "unassalpha"
    dpi = metadata.dpi or dpi_in(metadata.exif)
    imwrite(
        file,
        picture.pixels,
        photometric=PHOTOMETRICS[picture.colours],
        extrasamples=[alpha] * picture.alpha + ["unspecified"] * (extra - picture.alpha) or None,
        planarconfig="contig" if picture.pixels.ndim == 3 else None,
        colormap=colormap,
        iccprofile=metadata.icc or None,
        resolution=dpi,
        resolutionunit="INCH" if dpi else None,
        extratags=tags,
        metadata=None,
        software=False,
    )
    if tables:
        _append_tables(file, tables)
    return [UNREADABLE] if metadata.exif and not exif else []


def further_tags(exif: bytes) -> list[tuple[int | str, Any, int, Any, bool]]:
    """The tags of EXIF's first table that stand in a TIFF's own, as tifffile takes them: text, numbers, and bytes."""
    table = TiffImagePlugin.ImageFileDirectory_v2(exif[:8])
    file = BytesIO(exif)
    file.seek(table.next)
    table.load(file)
    found: list[tuple[int | str, Any, int, Any, bool]] = []
    for tag in table:
        kind, value = table.tagtype[tag], table[tag]
        if tag in STRUCTURE or tag in POINTERS or tag in RESOLUTION:
            continue
        values = value if isinstance(value, tuple) else (value,)
        if kind in (DATATYPE.RATIONAL, DATATYPE.SRATIONAL):
            pairs = [(each.numerator, each.denominator) for each in values]
            found.append((tag, kind, len(pairs), [number for pair in pairs for number in pair], True))
        elif isinstance(value, str | bytes):
            found.append((tag, kind, 0 if isinstance(value, str) else len(value), value, True))
        else:
            found.append((tag, kind, len(values), values, True))
    return found


def _append_tables(file: BinaryIO, tables: dict[int, dict[int, Any]]) -> None:
    """Put EXIF's own tables behind a TIFF file, and let its tags point at them."""
    file.seek(0)
    with TiffFile(file, mode="r+") as tiff:
        for tag, table in tables.items():
            directory = TiffImagePlugin.ImageFileDirectory_v2(
                prefix=b"II" if tiff.byteorder == "<" else b"MM", group=tag
            )
            directory.update(table)
            file.seek(0, 2)
            place = file.tell()
            file.write(directory.tobytes(place))
            tiff.pages.first.tags[tag].overwrite(place)
