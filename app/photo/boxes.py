"""AVIF, HEIC and JPEG 2000: photos in boxes, read and written without loss at 8 to 16 bits.

No library does all of it: imagecodecs decodes AVIF and JPEG 2000 at any depth, and encodes JPEG 2000; libvips (pyvips)
encodes AVIF without loss and with what belongs to the photo; glymur reads and adds the boxes of JPEG 2000; pillow-heif,
the extra `heif`, has HEIC.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import glymur
import imagecodecs
import numpy as np
import pyvips
from glymur.jp2box import ColourSpecificationBox, Jp2kBox
from PIL import ExifTags, Image
from pyvips.enums import ForeignKeep

from ...data.claims import require_modest
from .canvas import Pixels
from .images import image_of, info_of
from .metadata import (
    EXIF_HEADER,
    UNREADABLE,
    Metadata,
    metadata_of,
    orientation_of,
    stand_upright,
    tags_of,
    upright_exif,
    upright_xmp,
)
from .picture import Origin, Picture

#: Pixels per millimetre where EXIF has no resolution and libvips enters one: EXIF's own word for unknown is 72 dpi.
UNKNOWN = {"xres": 72 / 25.4, "yres": 72 / 25.4}
#: The boxes of JPEG 2000 that hold EXIF and XMP.
JP2_EXIF = b"JpgTiffExif->JP2"
JP2_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
PLACED = (JP2_EXIF, JP2_XMP)
#: The enumerated colour spaces that are what they seem: sRGB and grey.
PLAIN = (16, 17)
KINDS = {1: ("grey", False), 2: ("grey", True), 3: ("RGB", False), 4: ("RGB", True)}


def picture_from(pixels: Pixels, bits: int, metadata: Metadata, origin: Origin) -> Picture:
    """A picture of decoded pixels (H, W) or (H, W, C), of `bits` a channel, upright."""
    colours, alpha = KINDS[1 if pixels.ndim == 2 else pixels.shape[2]]
    white = 2**bits - 1 if bits not in (8, 16) else None
    pixels, metadata = stand_upright(pixels, metadata, origin.turned)
    return Picture(pixels, colours, alpha, white, metadata=metadata, origin=origin)


def read_avif(path: Path) -> Picture:
    """The picture in an AVIF file, of a sequence the first frame, upright."""
    data = path.read_bytes()
    with Image.open(path) as image:
        metadata, pages = metadata_of(image), getattr(image, "n_frames", 1)
        require_modest(str(path), image.width, image.height * pages)
        turned = orientation_of(image)
    pixels = imagecodecs.avif_decode(data)  # all frames: asking for one breaks memory in imagecodecs 2026.3
    pixels = pixels[0] if pages > 1 else pixels
    bits = 8 if pixels.dtype == np.uint8 else pyvips.Image.new_from_buffer(data, "").get("bits-per-sample")
    return picture_from(pixels, bits, metadata, Origin(path, "AVIF", turned, pages))


def write_avif(file: BinaryIO, picture: Picture, quality: int | None = None) -> list[str]:
    """Write a picture of 8, 10, 12 or 16 bits, the last as 12, as AVIF, without loss unless a quality is given.

    Returns what there is to say about it.
    """
    metadata = picture.metadata
    if picture.colours == "grey" and picture.bits == 8 and not picture.alpha:  # libvips knows AVIF in colour only
        image_of(picture).save(file, "AVIF", quality=quality or 100, **with_header(info_of(metadata)))
        return []
    pixels, deep = picture.pixels, picture.pixels.dtype == np.uint16
    if deep:  # libvips takes all numbers as if they had 16 bits
        pixels = pixels << (16 - picture.bits)
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="rgb16" if deep else "srgb", **UNKNOWN)
    exif = EXIF_HEADER + metadata.exif if tags_of(metadata.exif) else b""
    for name, data in (("exif", exif), ("xmp", metadata.xmp), ("icc-profile", metadata.icc)):
        if data:
            image.set_type(pyvips.GValue.blob_type, f"{name}-data", data)
    loss: dict[str, Any] = {"lossless": True} if quality is None else {"Q": quality}
    keep = ForeignKeep.XMP | ForeignKeep.ICC | (ForeignKeep.EXIF if exif else 0)  # libvips makes one where none is
    written = image.heifsave_buffer(**loss, compression="av1", effort=0, bitdepth=min(picture.bits, 12), keep=keep)
    file.write(written)
    said = ["the camera maker's own notes in its EXIF are ordered anew"] if has_maker_notes(metadata.exif) else []
    return said + lost_tags(metadata.exif, written)


def has_maker_notes(exif: bytes) -> bool:
    """Whether EXIF has a camera maker's own notes."""
    return ExifTags.Base.MakerNote in tags_of(exif).get_ifd(ExifTags.IFD.Exif)


def lost_tags(exif: bytes, written: bytes) -> list[str]:
    """What there is to say about EXIF that libvips, which knows the tags of the standard, has put into an AVIF file."""
    before = tags_of(exif)
    if exif and not before:
        return [UNREADABLE]
    with Image.open(BytesIO(written)) as image:
        after = image.getexif()
    gone = sorted(tag for tag in before if tag not in after)
    names = ", ".join(ExifTags.TAGS.get(tag, f"tag {tag}") for tag in gone)
    return [f"{names} of its EXIF left out"] if gone else []


def with_header(info: dict[str, Any]) -> dict[str, Any]:
    """Pillow's names for metadata, with the header that some formats want before EXIF; resolution has no place."""
    options = {name: data for name, data in info.items() if name != "dpi"}
    return options | ({"exif": EXIF_HEADER + options["exif"]} if "exif" in options else {})


def read_jp2(path: Path) -> Picture | None:
    """The picture in a JPEG 2000 file or codestream; None where its colours are left to Pillow."""
    data = path.read_bytes()
    file = opened(path, data)
    raw = raw_boxes(file, data)
    boxes = {box.box_id: box for box in file.box}
    header = {box.box_id: box for box in boxes["jp2h"].box} if "jp2h" in boxes else {}
    colour = header.get("colr")
    if "pclr" in header or (colour is not None and colour.colorspace not in (None, *PLAIN)):
        return None
    if "jp2c" in boxes:  # the codestream alone: the decoder would convert colours by the profile around it
        stream = boxes["jp2c"]
        data = data[stream.offset + 8 : stream.offset + stream.length]
    require_modest(str(path), *size_of_codestream(data))  # which may be another than the boxes say
    pixels = imagecodecs.jpeg2k_decode(data)
    if pixels.dtype.kind != "u" or (pixels.ndim == 3 and pixels.shape[2] not in KINDS):
        return None
    found = {box.name: box.contents[16:] for box in raw if box.kind == b"uuid"}
    metadata = Metadata(
        exif=upright_exif(found.get(JP2_EXIF, b"").removeprefix(EXIF_HEADER)),  # nobody turns by it
        xmp=upright_xmp(found.get(JP2_XMP, b"")),
        icc=(colour.icc_profile or b"") if colour is not None else b"",
        other=tuple(f"the box {box.box_id.strip()}" for box in further(raw)),
    )
    bits = header["ihdr"].bits_per_component if header else 8 * pixels.dtype.itemsize
    return picture_from(pixels, bits, metadata, Origin(path, "JPEG2000"))


def size_of_codestream(data: bytes) -> tuple[int, int]:
    """Width and height by the first marker segment of a JPEG 2000 codestream (ISO/IEC 15444-1, A.5.1).

    Raises ValueError where it isn't the one that gives them.
    """
    if data[:4] != b"\xff\x4f\xff\x51" or len(data) < 24:
        raise ValueError("its codestream is damaged")
    right, bottom, left, top = struct.unpack_from(">4I", data, 8)
    return right - left, bottom - top


class RawBox(Jp2kBox):
    """A box whose contents stay bytes: glymur would parse EXIF, XMP and XML, and refuse what is ill-formed."""

    def __init__(self, kind: bytes, contents: bytes) -> None:
        super().__init__()
        self.box_id, self.kind, self.contents = kind.decode(), kind, contents

    @property
    def name(self) -> bytes:
        """The first 16 bytes, which say what is in a box of the kind uuid."""
        return self.contents[:16]

    def write(self, file: BinaryIO) -> None:
        file.write((8 + len(self.contents)).to_bytes(4, "big") + self.kind + self.contents)


def opened(path: Path, data: bytes) -> glymur.Jp2k:
    """A JPEG 2000 file or codestream with these bytes, without glymur's opinion of what is in boxes with text and data.

    Raises ValueError for boxes among which glymur would go on without end.
    """
    if data[4:8] == b"jP  ":
        require_lengths(data, 0, len(data))
    with warnings.catch_warnings():
        for said in ("Unrecognized UUID box", ".*while parsing an? .*(UUIDBox|XML)", "A UUID that identified"):
            warnings.filterwarnings("ignore", said)
        return glymur.Jp2k(path)


#: Boxes that hold boxes.
SUPERBOXES = (b"jp2h", b"res ", b"asoc", b"uinf", b"ftbl", b"jpch", b"jplh", b"cgrp")


def require_lengths(data: bytes, start: int, end: int) -> None:
    """Raise ValueError for a box whose length is less than that of its own head; boxes within boxes, too."""
    while start + 8 <= end:
        length, head = int.from_bytes(data[start : start + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif length == 0:
            length = end - start  # to the end
        if length < head:
            raise ValueError(f"a box of it has a length of {length} bytes")
        if data[start + 4 : start + 8] in SUPERBOXES:
            require_lengths(data, start + head, min(start + length, end))
        start += length


def raw_boxes(file: glymur.Jp2k, data: bytes) -> list[RawBox]:
    """The boxes with text and data of a file whose bytes are `data`."""
    found = []
    for box in file.box:
        kind = data[box.offset + 4 : box.offset + 8]
        start = box.offset + (16 if data[box.offset : box.offset + 4] == b"\0\0\0\1" else 8)  # a length of 8 bytes
        if kind in (b"uuid", b"xml "):
            found.append(RawBox(kind, data[start : box.offset + box.length]))
    return found


def further(boxes: Sequence[RawBox]) -> list[RawBox]:
    """Those that have no place in other formats."""
    return [box for box in boxes if box.kind != b"uuid" or box.name not in PLACED]


def write_jp2(draft: Path, picture: Picture, quality: int | None = None) -> None:
    """Write a picture as JPEG 2000, without loss or with so many decibels of signal over noise.

    EXIF, XMP and the profile stand in boxes around the codestream.
    """
    metadata = picture.metadata
    options: dict[str, Any] = {"codecformat": "jp2", "reversible": quality is None, "level": quality or 0}
    options["bitspersample"] = picture.bits
    plain = draft.with_suffix(".jp2")
    try:
        plain.write_bytes(imagecodecs.jpeg2k_encode(picture.pixels, **options))
        file = glymur.Jp2k(plain)
        boxes = list(file.box)
        header = next(box for box in boxes if box.box_id == "jp2h")
        if metadata.icc:
            profile = ColourSpecificationBox(method=2, icc_profile=metadata.icc)
            header.box = [profile if box.box_id == "colr" else box for box in header.box]
        own = ((JP2_EXIF, metadata.exif), (JP2_XMP, metadata.xmp))
        boxes += [RawBox(b"uuid", name + data) for name, data in own if data]
        if picture.origin is not None and picture.origin.form == "JPEG2000":
            path = picture.origin.path
            data = path.read_bytes()
            boxes += further(raw_boxes(opened(path, data), data))
        file.wrap(draft, boxes)
    finally:
        plain.unlink(missing_ok=True)
