"""PNG at 8 and 16 bits, chunk by chunk: what one says about the photo goes from the old file to the new one.

Pillow and imagecodecs encode the pixels, pypng takes files apart and puts them together.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import png
from PIL import Image, PngImagePlugin

from .canvas import Pixels
from .images import image_of, info_of, picture_of
from .metadata import (
    RAW_EXIF,
    SIDEWAYS,
    Metadata,
    metadata_of,
    orientation_of,
    stand_upright,
    upright_exif,
    upright_xmp,
)
from .picture import Origin, Picture

Chunk = tuple[bytes, bytes]

#: The keyword of the text that holds XMP.
XMP = "XML:com.adobe.xmp"
#: Chunks that hold pixels or say how they are stored.
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
#: Chunks of text, and all that have a place of their own in Metadata.
TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
PLACED = {*TEXTS, b"eXIf", b"iCCP", b"sRGB"}
#: The chunks that say what numbers mean as colours, and the gamma of sRGB, which photos have that say nothing.
MEANING, SRGB_GAMMA = {b"gAMA", b"cHRM"}, (45455).to_bytes(4, "big")
#: Chunks of an animation.
FRAMES = {b"acTL", b"fcTL", b"fdAT"}
#: Numbers above which a photo is compressed in the way that is fastest: runs of what is left by the pixel before. It
#: takes an eighth of the time, and for photos about the same room.
LARGE, FAST = 6_000_000, {"level": 1, "strategy": 3, "filter": 16}
#: The colours that PNG's types mean, and whether alpha follows.
TYPES = {0: ("grey", False), 2: ("RGB", False), 4: ("grey", True), 6: ("RGB", True)}


def read_png(path: Path) -> Picture:
    """The picture in a PNG file, of an animation the first frame, upright.

    Raises whatever Pillow and imagecodecs raise on a damaged file.
    """
    data = path.read_bytes()
    every = list(chunks(data))
    found = dict(every)
    header = found[b"IHDR"]
    depth, kind = header[8], header[9]
    with Image.open(path) as image:
        image.load()
        turned, metadata = orientation_of(image), replace(metadata_of(image), other=(*other(found), *repeated(every)))
        origin = Origin(path, "PNG", turned, getattr(image, "n_frames", 1))
        if depth < 16:
            picture = picture_of(image, metadata, origin)
        else:
            pixels = decode_deep(data, interlaced=bool(header[12]))
            picture = Picture(pixels, *TYPES[kind], metadata=metadata, origin=origin)
    if depth == 16 and (key := found.get(b"tRNS")):
        colours = picture.pixels[..., : len(key) // 2]  # the decoder has made alpha of the transparent colour
        colours = colours[..., 0] if len(key) == 2 else colours
        picture = picture.copy(pixels=colours.copy(), key=struct.unpack(f">{len(key) // 2}H", key))
    pixels, metadata = stand_upright(picture.pixels, metadata, turned)
    return picture.copy(pixels=pixels, metadata=metadata)


def other(found: dict[bytes, bytes]) -> tuple[str, ...]:
    """Names of the chunks that have no place in another format."""
    names = set(found) - PIXELS - FRAMES - PLACED
    if b"sRGB" in found or b"iCCP" in found or (b"cHRM" not in found and found.get(b"gAMA") == SRGB_GAMMA):
        names -= MEANING
    if found.get(b"pHYs", b"")[8:] == b"\1":  # pixels a metre; otherwise it is the shape of a pixel
        names.remove(b"pHYs")
    return tuple(f"the chunk {name.decode('latin-1')}" for name in found if name in names)


def repeated(every: Iterable[Chunk]) -> tuple[str, ...]:
    """Names of texts that share their keyword with another, of which Metadata has the last alone."""
    texts = dict.fromkeys(chunk for chunk in every if chunk[0] in TEXTS)  # the same twice says nothing more
    keywords = Counter(data.partition(b"\0")[0] for _, data in texts)
    return tuple(f"repeated text ({word.decode('latin-1')})" for word, times in keywords.items() if times > 1)


def decode_deep(data: bytes, interlaced: bool) -> Pixels:
    """The pixels of a PNG file of 16 bits; those that come in passes by libvips, as imagecodecs complains of them."""
    if not interlaced:
        import imagecodecs  # here, as below, because it takes a moment and most photos have 8 bits

        return imagecodecs.png_decode(data)
    import pyvips

    pixels = pyvips.Image.new_from_buffer(data, "").numpy()
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a PNG file: types and contents."""
    yield from png.Reader(bytes=data).chunks()


def write_png(file: BinaryIO, picture: Picture) -> None:
    """Write a picture as PNG, with the chunks of the PNG file that it was read from, or else with its metadata."""
    new = list(chunks(encode(picture)))
    origin = picture.origin
    if origin is not None and origin.form == "PNG":
        png.write_chunks(file, merged(new, list(chunks(origin.path.read_bytes())), origin.turned, picture.metadata))
    else:
        png.write_chunks(file, described(new, picture))


def encode(picture: Picture) -> bytes:
    """The pixels of a picture as a PNG file that says nothing else."""
    large = picture.pixels.size > LARGE and picture.pixels.dtype == np.uint8 and picture.palette is None
    if picture.pixels.dtype == np.uint16 or large:
        import imagecodecs

        return bytes(imagecodecs.png_encode(picture.pixels, **(FAST if picture.pixels.size > LARGE else {"level": 6})))
    image, target = image_of(picture), BytesIO()
    transparency = image.info.get("transparency")
    image.info.clear()
    image.save(target, "PNG", **({} if transparency is None else {"transparency": transparency}))
    return target.getvalue()


def merged(new: list[Chunk], old: list[Chunk], turned: int, metadata: Metadata) -> Iterator[Chunk]:
    """The chunks of an old file with the pixels of a new one, of the same kind and palette.

    Where the photo was turned, its orientation becomes 1. An animation's other frames stay, unless it was turned.
    """
    header, *pixels = (chunk for chunk in new if chunk[0] in (b"IHDR", b"IDAT"))
    for kind, data in old:
        if kind == b"IHDR":
            yield header
        elif kind == b"IDAT":
            yield from pixels
            pixels = []
        elif turned != 1 and data.startswith(RAW_EXIF.encode()):
            yield b"eXIf", metadata.exif
        elif turned == 1 or kind not in FRAMES:
            yield kind, upright_chunk(kind, data, turned)


def upright_chunk(kind: bytes, data: bytes, turned: int) -> bytes:
    """A chunk of a photo that has been turned."""
    if turned == 1:
        return data
    if kind == b"eXIf":
        return upright_exif(data, turned)
    if kind == b"iTXt" and data.startswith(XMP.encode()):
        return upright_xmp(data)
    if kind == b"pHYs" and turned in SIDEWAYS:
        return data[4:8] + data[:4] + data[8:]
    return data


def described(new: Iterable[Chunk], picture: Picture) -> Iterator[Chunk]:
    """The chunks of a new file with those of a picture's metadata, which Pillow writes into a PNG of one pixel."""
    text, metadata, target = PngImagePlugin.PngInfo(), picture.metadata, BytesIO()
    for key, value in metadata.text.items():
        text.add_text(key, value)
    if metadata.xmp:
        text.add_itxt(XMP, metadata.xmp.decode("utf-8", "replace"))
    info = {name: value for name, value in info_of(metadata).items() if name != "xmp"}
    Image.new("L", (1, 1)).save(target, "PNG", pnginfo=text, **info)
    said = [chunk for chunk in chunks(target.getvalue()) if chunk[0] not in PIXELS]
    for number, chunk in enumerate(new):
        yield chunk
        if number == 0:  # the header
            yield from said
