"""TIFF written into a copy of its own file, of which only the strips or tiles that a hole touches change.

So other pages, thumbnails, tags that nobody knows and the order of everything stay as they were. tifffile encodes.
"""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage, imwrite

from ...core import PhotomendError
from ...models.holes import Window
from .metadata import SIDEWAYS
from .picture import Picture
from .tiff import as_shown


def can_patch(picture: Picture) -> bool:
    """Whether a picture fits the TIFF file that it was read from."""
    return picture.origin is not None and picture.origin.form == "TIFF"


def patch_tiff(draft: Path, picture: Picture) -> list[str]:
    """Write a picture that was read from a TIFF file into `draft`, a copy of that file; what there is to say about it.

    All pages, tags and bytes of the file stay, but for the strips or tiles that the rebuilt pixels touch. They are
    encoded anew and take their old place where they fit, or else stand at the end.
    """
    assert picture.origin is not None
    shutil.copyfile(picture.origin.path, draft)
    with TiffFile(draft, mode="r+") as file:
        page = file.pages.first
        parts = touched_segments(page, picture)
        if parts is not None:
            part = picture.copy(pixels=picture.pixels[parts.window])
            if _put(page, part, parts) is not None:
                return [JPEG_SAID] if page.compression == COMPRESSION.JPEG else []
        return _put(page, picture, None) or []


class Segments(NamedTuple):
    """Some segments of a page, strips or tiles: what window of the page they are, their numbers, and which of them
    rebuilt pixels touch, both in the order in which a page of this window has them.
    """

    window: Window
    numbers: NDArray[np.intp]
    touched: NDArray[np.bool_]


def touched_segments(page: TiffPage, picture: Picture) -> Segments | None:
    """The segments around all rebuilt pixels; None where the whole page is to be encoded anew."""
    assert picture.origin is not None
    rebuilt = picture.rebuilt
    if rebuilt is None or picture.origin.turned != 1 or rebuilt.shape != (page.imagelength, page.imagewidth):
        return None
    height, width = rebuilt.shape
    strip = min(page.rowsperstrip, height), width
    sides = (page.tilelength, page.tilewidth) if page.is_tiled else strip
    held = rebuilt
    for axis, (length, side) in enumerate(zip(rebuilt.shape, sides, strict=True)):
        held = np.logical_or.reduceat(held, np.arange(0, length, side), axis=axis)
    numbers = np.arange(len(page.dataoffsets))
    if len(numbers) % held.size:
        return None
    numbers = numbers.reshape(-1, *held.shape)  # first the channels, where each has segments of its own
    rows, columns = (
        slice(int(found[0]), int(found[-1]) + 1) for found in (np.flatnonzero(held.any(axis=k)) for k in (1, 0))
    )
    touched = np.broadcast_to(held, numbers.shape)[:, rows, columns]
    down, across = sides
    window = slice(rows.start * down, rows.stop * down), slice(columns.start * across, columns.stop * across)
    return Segments(window, numbers[:, rows, columns].ravel(), touched.ravel())


def _put(page: TiffPage, picture: Picture, parts: Segments | None) -> list[str] | None:
    """Encode a picture, of the whole page or of some segments, and put it into the page's file; what there is to say.

    None, and nothing done, where segments come out otherwise than they are stored.
    """
    encoded = BytesIO()
    said = _encode(encoded, page, picture)
    encoded.seek(0)
    everything = bool(said) and page.compression != COMPRESSION.JPEG
    with TiffFile(encoded) as new:
        if parts is not None and (everything or len(new.pages.first.dataoffsets) != len(parts.numbers)):
            return None
        _replace_pixels(page, new.pages.first, picture, everything, parts)
    return said


#: What is said of JPEG within TIFF.
JPEG_SAID = "strips or tiles that the hole touches are encoded anew as JPEG, quality 95"


def _encode(target: BytesIO, page: TiffPage, picture: Picture) -> list[str]:
    """A picture's pixels, stored as `page` is; where that can't be written, with Deflate, or without compression."""
    turned = picture.origin is not None and picture.origin.turned in SIDEWAYS
    # As grey, numbers of colours may have fewer than 8 bits. Of what is written only strips or tiles are taken.
    plain = {int(PHOTOMETRIC.YCBCR): PHOTOMETRIC.RGB, int(PHOTOMETRIC.PALETTE): PHOTOMETRIC.MINISBLACK}
    options: dict[str, Any] = {
        "photometric": plain.get(page.photometric, page.photometric),
        "planarconfig": page.planarconfig if picture.pixels.ndim == 3 else None,
        "extrasamples": page.extrasamples or None,
        "tile": ((page.tilewidth, page.tilelength) if turned else (page.tilelength, page.tilewidth))
        if page.is_tiled
        else None,
        "rowsperstrip": None if page.is_tiled or turned else min(page.rowsperstrip, picture.shape[0]),
        "subsampling": page.subsampling if page.photometric == PHOTOMETRIC.YCBCR else None,
        "metadata": None,
        "software": False,
    }
    pixels = as_shown(page, picture.pixels)
    if pixels.ndim == 3 and page.planarconfig == 2:
        pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    packed = pixels.dtype.kind == "u" and page.bitspersample < 8 * pixels.dtype.itemsize
    byteorder = page.parent.byteorder
    stored: dict[str, Any] = {
        "compression": page.compression,
        "predictor": page.predictor if page.predictor > 1 else None,
    }
    if packed:
        stored["bitspersample"] = page.bitspersample
    lossy = page.compression == COMPRESSION.JPEG
    if lossy:
        stored["compressionargs"] = {"level": 95}
    try:
        imwrite(target, pixels, byteorder=byteorder, **options, **stored)
        return [JPEG_SAID] if lossy else []
    except (ValueError, NotImplementedError, KeyError, ImportError, RuntimeError) as error:
        target.seek(0)
        target.truncate()
        name = COMPRESSION(page.compression).name
        if page.predictor > 1 or (packed and page.compression == COMPRESSION.NONE):
            raise PhotomendError(f"its {name} compression can't be written ({error})") from error
        if packed:
            bits = page.bitspersample
            imwrite(target, pixels, byteorder=byteorder, bitspersample=bits, **options)
            return [f"its first page isn't compressed any more, {name} of {bits} bits can't be written"]
        imwrite(target, pixels, byteorder=byteorder, compression="zlib", **options)
        return [f"its first page is compressed by Deflate, {name} can't be written"]


def _replace_pixels(page: TiffPage, new: TiffPage, picture: Picture, everything: bool, parts: Segments | None) -> None:
    """Put the segments of a page (strips or tiles) in the place of those that `page` has in its file."""
    assert picture.origin is not None
    turned = picture.origin.turned
    amount = len(new.dataoffsets)
    numbers, touched = range(amount), [True] * amount
    if parts is not None:
        numbers, touched, amount = parts.numbers.tolist(), parts.touched.tolist(), len(page.dataoffsets)
    offsets, counts = list(page.dataoffsets[:amount]), list(page.databytecounts[:amount])
    file = page.parent.filehandle
    for number, changed, offset, count in zip(numbers, touched, new.dataoffsets, new.databytecounts, strict=True):
        if not changed:
            continue
        new.parent.filehandle.seek(offset)
        data = new.parent.filehandle.read(count)
        if number == len(offsets):
            offsets.append(0)
            counts.append(0)
        if count > counts[number]:
            file.seek(0, 2)
            offsets[number] = file.tell() + file.tell() % 2
        counts[number] = count
        file.seek(offsets[number])
        file.write(data)
    kind = "Tile" if page.is_tiled else "Strip"
    values: dict[str, Any] = {f"{kind}Offsets": offsets, f"{kind}ByteCounts": counts}
    if everything:
        values["Compression"] = int(new.compression)
    if turned != 1:
        values |= {"Orientation": 1, "ImageWidth": new.imagewidth, "ImageLength": new.imagelength}
        values |= {"TileWidth": new.tilewidth, "TileLength": new.tilelength} if page.is_tiled else {}
        values |= {"RowsPerStrip": new.rowsperstrip} if "RowsPerStrip" in page.tags else {}
        if turned in SIDEWAYS and "XResolution" in page.tags and "YResolution" in page.tags:
            values |= {"XResolution": page.tags["YResolution"].value, "YResolution": page.tags["XResolution"].value}
    for name, value in values.items():
        large = name.endswith(("Offsets", "ByteCounts", "PerStrip", "Width", "Length"))
        dtype = {True: 16, False: 4}[page.parent.is_bigtiff] if large else None
        page.tags[name].overwrite(value if not isinstance(value, list) else tuple(value), dtype=dtype)
