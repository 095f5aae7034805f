"""JPEG: only the blocks that a hole touches are encoded anew, with the file's own tables; all others stay.

A JPEG stores blocks of 8×8 pixels as quantised coefficients of the discrete cosine transform. Decoding and encoding the
whole photo would change every one of them a little, so Pillow encodes the repaired photo with the quantisation tables
and the subsampling of the file, and jpeglib exchanges the coefficients of the touched blocks alone. A photo that is to
be turned has its blocks turned, too: transposing one transposes its coefficients, and mirroring it changes the sign of
those with an odd frequency (Wallace 1992, "The JPEG still picture compression standard", §4, has the transform).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import jpeglib
import numpy as np
from PIL import Image, JpegImagePlugin

from .images import image_of, info_of
from .jpeg_blocks import (
    PILLOWS,
    TURBOS,
    WHOLE,
    by_component,
    can_turn,
    encoded,
    fits,
    names,
    sampled,
    sampling_when,
    sides,
    touched_blocks,
    turn,
    whole_blocks,
)
from .metadata import EXIF_HEADER, Metadata, upright_exif, upright_xmp
from .picture import Picture

#: The library behind jpeglib: its default, of 1998, can't read arithmetic coding.
LIBRARY = "turbo210"
#: How a new JPEG is written, where no file says how.
FRESH: dict[str, Any] = {"quality": 95, "subsampling": 0}
#: Reads coefficients, which takes no lock of Python's.
READER = ThreadPoolExecutor(1)
XMP_HEADER, IPTC_HEADER = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"


def write_jpeg(file: BinaryIO, picture: Picture, quality: int | None = None) -> list[str]:
    """Write a picture as JPEG, all of it anew where a quality is given; what there is to say about it.

    Raises OSError and ValueError: Pillow can't write it.
    """
    if quality is not None:
        options = {"quality": quality, "subsampling": sampling_of(picture)}
        image_of(picture).save(file, "JPEG", **options, **described(picture.metadata))
        return []
    if picture.origin is None or picture.origin.form != "JPEG" or picture.rebuilt is None:
        image_of(picture).save(file, "JPEG", **FRESH, **described(picture.metadata))
        return [f"JPEG, quality {FRESH['quality']}: known pixels change a little"]
    with TemporaryDirectory() as folder, jpeglib.version(LIBRARY):
        return _exchange(file, picture, Path(folder))


def read_ahead(picture: Picture) -> Picture:
    """The same picture; if it is from a JPEG, the coefficients that `write_jpeg` needs are read from now on, while the
    hole is rebuilt: in a photo of many megapixels that takes as long as a small hole does."""
    if picture.origin is None or picture.origin.form != "JPEG":
        return picture
    ahead = READER.submit(_coefficients, picture.origin.path)
    return replace(picture, origin=replace(picture.origin, coefficients=ahead))


def _coefficients(path: Path) -> Any:
    """A JPEG's coefficients, as jpeglib has them."""
    with jpeglib.version(LIBRARY):
        stored = jpeglib.read_dct(str(path))
        names(stored)  # only this reads them
    return stored


def sampling_of(picture: Picture) -> int:
    """The subsampling of the JPEG that a picture was read from, in Pillow's numbers; otherwise that of new files."""
    sampling = -1
    if picture.origin is not None and picture.origin.form == "JPEG":
        with Image.open(picture.origin.path) as old:
            assert isinstance(old, JpegImagePlugin.JpegImageFile)
            sampling = JpegImagePlugin.get_sampling(old) if len(old.getbands()) > 1 else 0
    return sampling if sampling >= 0 else int(FRESH["subsampling"])


def described(metadata: Metadata) -> dict[str, Any]:
    """Options of Pillow that write metadata into a JPEG."""
    options = info_of(metadata)
    if "exif" in options:
        options["exif"] = EXIF_HEADER + options["exif"]
    if metadata.text.get("Comment"):
        options["comment"] = metadata.text["Comment"]
    if metadata.iptc:
        # Photoshop's image resource, whose size is even, in a segment of its own
        resource = b"8BIM\x04\x04\0\0" + len(metadata.iptc).to_bytes(4, "big") + metadata.iptc
        segment = IPTC_HEADER + resource + b"\0" * (len(metadata.iptc) % 2)
        options["extra"] = b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment
    return options


def _exchange(file: BinaryIO, picture: Picture, folder: Path) -> list[str]:
    """Write the file that a picture was read from, with the blocks of rebuilt pixels exchanged."""
    assert picture.origin is not None
    turned = picture.origin.turned
    ahead = picture.origin.coefficients
    stored = _coefficients(picture.origin.path) if ahead is None else ahead.result()
    done = of = 0
    window = whole_blocks(picture, stored.samp_factor) if turned == 1 else WHOLE
    sampling = sampling_when(stored, turned)
    rare = stored.K is None and sampling not in PILLOWS
    new = (by_component if rare and turned == 1 else encoded)(picture, window, stored, folder)
    if turned == 1 and (rare or fits(stored, new, turned)):  # the blocks of the hole go into the file
        result = stored
        for name, side in zip(names(stored), sides(stored), strict=True):
            blocks, touched = getattr(stored, name), touched_blocks(picture, getattr(stored, name), side)
            part = tuple(slice(axis.start // n, -(-axis.stop // n)) for axis, n in zip(window, side, strict=True))
            blocks[part][touched[part]] = getattr(new, name)[touched[part]]
            done, of = done + int(touched.sum()), of + touched.size
    else:  # the file's blocks, turned, go around those of the hole
        if rare and sampling in TURBOS:
            result = sampled(picture, stored, TURBOS[sampling], folder)
        else:
            result = new if window == WHOLE else encoded(picture, WHOLE, stored, folder)
        exact = fits(stored, result, turned) and can_turn(picture.shape, result.samp_factor, turned)
        for name, side in zip(names(result), sides(result), strict=True):
            blocks = getattr(result, name)
            touched = touched_blocks(picture, blocks, side) if exact else np.ones(blocks.shape[:2], np.bool_)
            if exact:
                blocks[~touched] = turn(getattr(stored, name), turned)[~touched]
            done, of = done + int(touched.sum()), of + touched.size
    header = result.jpeg_color_space.name in ("JCS_YCbCr", "JCS_GRAYSCALE")
    result.markers = [upright_marker(marker, turned) for marker in stored.markers if kept(marker, header)]
    result.write_dct(str(folder / "out.jpg"))
    file.write((folder / "out.jpg").read_bytes())
    but = "" if turned == 1 or not rare or sampling in TURBOS else ", but without its subsampling"
    but += ", and no longer progressive" if stored.progressive_mode else ""  # jpeglib writes none that are
    return [f"{done} of {of} JPEG blocks encoded anew, with the file's own tables{but}"]


def kept(marker: Any, header: bool) -> bool:
    """Whether a marker segment goes along: not the header if the encoder writes one, nor a list of further pictures."""
    return not bytes(marker.content).startswith((b"Adobe", b"MPF\0", *((b"JFIF\0",) if header else ())))


def upright_marker(marker: Any, turned: int) -> Any:
    """A marker segment of a photo that has been turned."""
    content = bytes(marker.content)
    if turned != 1 and content.startswith(EXIF_HEADER):
        marker.content = EXIF_HEADER + upright_exif(content.removeprefix(EXIF_HEADER), turned)
    if turned != 1 and content.startswith(XMP_HEADER):
        marker.content = upright_xmp(content)
    return marker
