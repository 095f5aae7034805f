"""JPEG: only the blocks that a hole touches are encoded anew, with the file's own tables; all others stay.

A JPEG stores blocks of 8×8 pixels as quantised coefficients of the discrete cosine transform. Decoding and encoding the
whole photo would change every one of them a little, so Pillow encodes the repaired photo with the quantisation tables
and the subsampling of the file, and jpeglib exchanges the coefficients of the touched blocks alone. A photo that is to
be turned has its blocks turned, too: transposing one transposes its coefficients, and mirroring it changes the sign of
those with an odd frequency (Wallace 1992, "The JPEG still picture compression standard", §4, has the transform).
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, BinaryIO

import jpeglib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from ...data.photos import Mask
from ...models.holes import Window
from .images import image_of, info_of
from .metadata import EXIF_HEADER, SIDEWAYS, TURNS, Metadata, upright_exif, upright_xmp
from .picture import Picture

Blocks = NDArray[np.int16]  # (rows, columns, 8, 8) coefficients
WHOLE: Window = (slice(None), slice(None))

#: Pixels of a block's side.
BLOCK = 8
#: The library behind jpeglib: its default, of 1998, can't read arithmetic coding.
LIBRARY = "turbo210"
#: How a new JPEG is written, where no file says how.
FRESH: dict[str, Any] = {"quality": 95, "subsampling": 0}
#: The orientations that mirror the rows of the upright photo, and its columns.
MIRRORED_ROWS, MIRRORED_COLUMNS = (3, 4, 7, 8), (2, 3, 6, 7)
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
    stored = jpeglib.read_dct(str(picture.origin.path))
    done = of = 0
    window = whole_blocks(picture, stored.samp_factor) if turned == 1 else WHOLE
    rare = stored.K is None and not can_sample(picture)
    new = (by_component if rare and turned == 1 else encoded)(picture, window, stored, folder)
    if turned == 1 and (rare or fits(stored, new, turned)):  # the blocks of the hole go into the file
        result = stored
        for name, side in zip(names(stored), sides(stored), strict=True):
            blocks, touched = getattr(stored, name), touched_blocks(picture, getattr(stored, name), side)
            part = tuple(slice(axis.start // n, -(-axis.stop // n)) for axis, n in zip(window, side, strict=True))
            blocks[part][touched[part]] = getattr(new, name)[touched[part]]
            done, of = done + int(touched.sum()), of + touched.size
    else:  # the file's blocks, turned, go around those of the hole
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
    result.write_dct(str(folder / "out.jpg"), flags=["+PROGRESSIVE_MODE"] if stored.progressive_mode else [])
    file.write((folder / "out.jpg").read_bytes())
    but = ", but without its subsampling" if rare and turned != 1 else ""
    return [f"{done} of {of} JPEG blocks encoded anew, with the file's own tables{but}"]


def encoded(picture: Picture, window: Window, stored: Any, folder: Path) -> Any:
    """A window of a picture as JPEG, with the quantisation tables and subsampling of its file, as jpeglib has it."""
    assert picture.origin is not None
    with Image.open(picture.origin.path) as old:
        assert isinstance(old, JpegImagePlugin.JpegImageFile)
        tables = [old.quantization[number] for number in sorted(old.quantization)]
    sampling = sampling_of(picture)
    if picture.origin.turned in SIDEWAYS:
        tables = [np.reshape(table, (BLOCK, BLOCK)).T.ravel().tolist() for table in tables]
    options = {"qtables": tables, "subsampling": sampling, "keep_rgb": stored.jpeg_color_space.name == "JCS_RGB"}
    part = picture.copy(pixels=np.ascontiguousarray(picture.pixels[window]))
    image_of(part).save(folder / "new.jpg", "JPEG", dpi=picture.metadata.dpi or (0, 0), **options)
    jpeg = jpeglib.read_dct(str(folder / "new.jpg"))
    names(jpeg)  # which reads the file, before the next one takes its place
    return jpeg


def can_sample(picture: Picture) -> bool:
    """Whether Pillow writes the subsampling of the JPEG that a picture was read from: 4:1:1 and 4:4:0 it doesn't."""
    assert picture.origin is not None
    with Image.open(picture.origin.path) as old:
        assert isinstance(old, JpegImagePlugin.JpegImageFile)
        return len(old.getbands()) == 1 or JpegImagePlugin.get_sampling(old) >= 0


def by_component(picture: Picture, window: Window, stored: Any, folder: Path) -> Any:
    """As `encoded`, with any subsampling: each component by itself, as the grey JPEG that its numbers make."""
    part = image_of(picture.copy(pixels=np.ascontiguousarray(picture.pixels[window])))
    planes = (part if stored.jpeg_color_space.name == "JCS_RGB" else part.convert("YCbCr")).split()
    found = {}
    for name, plane, side, number in zip(names(stored), planes, sides(stored), stored.quant_tbl_no, strict=True):
        down, across = (n // BLOCK for n in side)
        tables = [stored.qt[number].ravel().tolist()]
        plane.reduce((across, down)).save(folder / f"{name}.jpg", "JPEG", qtables=tables)
        found[name] = jpeglib.read_dct(str(folder / f"{name}.jpg")).Y
    return SimpleNamespace(**found)


def whole_blocks(picture: Picture, sampling: NDArray[Any]) -> Window:
    """The bounds of what was rebuilt of a picture, up to whole blocks of every component."""
    assert picture.rebuilt is not None
    unit = BLOCK * sampling.max(axis=0)
    bounds = [np.flatnonzero(picture.rebuilt.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    ends = zip(bounds, unit, picture.shape, strict=True)
    rows, columns = (slice(int(a // n * n), int(min((b // n + 1) * n, most))) for (a, b), n, most in ends)
    return rows, columns


def sides(jpeg: Any) -> list[tuple[int, int]]:
    """How many pixels a block of each component covers, down and across."""
    most = jpeg.samp_factor.max(axis=0)
    return [(int(BLOCK * most[0] // down), int(BLOCK * most[1] // across)) for down, across in jpeg.samp_factor]


def names(jpeg: Any) -> list[str]:
    """What jpeglib calls the components that a file has."""
    return [name for name in ("Y", "Cb", "Cr", "K") if getattr(jpeg, name) is not None]


def fits(stored: Any, new: Any, turned: int) -> bool:
    """Whether blocks of one file, turned, can stand in the other: the same colours, subsampling and tables.

    Never with black ink: jpeglib 1.0 doesn't write the blocks of a fourth component that it is given.
    """
    sideways = turned in SIDEWAYS
    sampling = stored.samp_factor[:, ::-1] if sideways else stored.samp_factor
    if names(stored) != names(new) or stored.jpeg_color_space != new.jpeg_color_space or new.K is not None:
        return False
    if not np.array_equal(sampling, new.samp_factor):
        return False
    tables = [[jpeg.qt[number] for number in jpeg.quant_tbl_no[: len(names(jpeg))]] for jpeg in (stored, new)]
    old = [table.T if sideways else table for table in tables[0]]
    return all(map(np.array_equal, old, tables[1]))


def can_turn(shape: tuple[int, int], sampling: NDArray[Any], turned: int) -> bool:
    """Whether blocks of an upright photo (H, W) can be had by turning: mirrored sides must end with whole blocks."""
    height, width = np.array(shape) % (BLOCK * sampling.max(axis=0))
    return not (turned in MIRRORED_ROWS and height) and not (turned in MIRRORED_COLUMNS and width)


def turn(blocks: Blocks, turned: int) -> Blocks:
    """A component's blocks, upright."""
    if turned == 1:
        return blocks
    blocks = TURNS[turned](blocks).copy()
    if turned in SIDEWAYS:
        blocks = blocks.swapaxes(2, 3)
    if turned in MIRRORED_ROWS:
        blocks[:, :, 1::2] *= -1
    if turned in MIRRORED_COLUMNS:
        blocks[:, :, :, 1::2] *= -1
    return blocks


def touched_blocks(picture: Picture, blocks: Blocks, side: tuple[int, int]) -> Mask:
    """Which of a component's blocks hold rebuilt pixels; each covers `side` pixels, down and across."""
    assert picture.rebuilt is not None
    (rows, columns), (down, across) = blocks.shape[:2], side
    whole = np.zeros((rows * down, columns * across), np.bool_)
    height, width = np.minimum(whole.shape, picture.shape)
    whole[:height, :width] = picture.rebuilt[:height, :width]
    return np.asarray(whole.reshape(rows, down, columns, across).any(axis=(1, 3)))


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
