"""Blocks of a JPEG's coefficients: how they are subsampled, encoded, turned, and which of them a hole touches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jpeglib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from ...data.photos import Mask
from ...models.holes import Window
from .images import image_of
from .metadata import SIDEWAYS, TURNS
from .picture import Picture

Blocks = NDArray[np.int16]  # (rows, columns, 8, 8) coefficients
WHOLE: Window = (slice(None), slice(None))

#: Pixels of a block's side.
BLOCK = 8
#: Subsamplings, as blocks of brightness down and across: Pillow's numbers, and libjpeg-turbo's names of others.
PILLOWS, TURBOS = {(1, 1): 0, (1, 2): 1, (2, 2): 2}, {(2, 1): "440", (1, 4): "411", (4, 1): "441"}
#: The orientations that mirror the rows of the upright photo, and its columns.
MIRRORED_ROWS, MIRRORED_COLUMNS = (3, 4, 7, 8), (2, 3, 6, 7)


def encoded(picture: Picture, window: Window, stored: Any, folder: Path) -> Any:
    """A window of a picture as JPEG, with the quantisation tables and subsampling of its file, as jpeglib has it."""
    assert picture.origin is not None
    with Image.open(picture.origin.path) as old:
        assert isinstance(old, JpegImagePlugin.JpegImageFile)
        tables = [old.quantization[number] for number in sorted(old.quantization)]
    sampling = PILLOWS.get(sampling_when(stored, picture.origin.turned) or (1, 1), 0)
    if picture.origin.turned in SIDEWAYS:
        tables = [np.reshape(table, (BLOCK, BLOCK)).T.ravel().tolist() for table in tables]
    options = {"qtables": tables, "subsampling": sampling, "keep_rgb": stored.jpeg_color_space.name == "JCS_RGB"}
    part = picture.copy(pixels=np.ascontiguousarray(picture.pixels[window]))
    image_of(part).save(folder / "new.jpg", "JPEG", dpi=picture.metadata.dpi or (0, 0), **options)
    jpeg = jpeglib.read_dct(str(folder / "new.jpg"))
    names(jpeg)  # which reads the file, before the next one takes its place
    return jpeg


def sampling_when(stored: Any, turned: int) -> tuple[int, int] | None:
    """How many blocks of brightness, down and across, there are for one of colour, once a file's blocks are turned.

    None where that isn't all that there is to its subsampling.
    """
    if len(stored.samp_factor) == 1:
        return 1, 1
    first, *others = stored.samp_factor[:, ::-1] if turned in SIDEWAYS else stored.samp_factor
    return (int(first[0]), int(first[1])) if (np.array(others) == 1).all() else None


def sampled(picture: Picture, stored: Any, sampling: str, folder: Path) -> Any:
    """As `encoded` the whole picture, with a subsampling that Pillow doesn't write."""
    import imagecodecs  # here, because few photos need it

    blank = np.zeros((*picture.shape, 3), np.uint8)
    (folder / "blank.jpg").write_bytes(imagecodecs.jpeg8_encode(blank, subsampling=sampling))
    jpeg = jpeglib.read_dct(str(folder / "blank.jpg"))
    assert picture.origin is not None
    jpeg.qt = stored.qt.swapaxes(1, 2).copy() if picture.origin.turned in SIDEWAYS else stored.qt
    jpeg.quant_tbl_no = stored.quant_tbl_no
    found = by_component(picture, WHOLE, jpeg, folder)
    for name in names(jpeg):
        setattr(jpeg, name, getattr(found, name))
    return jpeg


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
    ends = zip(bounds(picture), BLOCK * sampling.max(axis=0), picture.shape, strict=True)
    rows, columns = (slice(int(a // n * n), int(min((b // n + 1) * n, most))) for (a, b), n, most in ends)
    return rows, columns


def bounds(picture: Picture) -> list[tuple[int, int]]:
    """The first and last row, and the first and last column, of what was rebuilt of a picture."""
    assert picture.rebuilt is not None
    rows = np.flatnonzero(picture.rebuilt.any(axis=1))
    columns = np.flatnonzero(picture.rebuilt[rows[0] : rows[-1] + 1].any(axis=0))
    return [(int(positions[0]), int(positions[-1])) for positions in (rows, columns)]


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
    touched = np.zeros(blocks.shape[:2], np.bool_)
    # Only what lies between the first and the last of them is looked at: a small hole costs a large photo little.
    rows, columns = (slice(a // n, b // n + 1) for (a, b), n in zip(bounds(picture), side, strict=True))
    part, (down, across) = touched[rows, columns], side
    seen = picture.rebuilt[rows.start * down : rows.stop * down, columns.start * across : columns.stop * across]
    whole = np.zeros((part.shape[0] * down, part.shape[1] * across), np.bool_)
    whole[: seen.shape[0], : seen.shape[1]] = seen
    part |= whole.reshape(part.shape[0], down, part.shape[1], across).any(axis=(1, 3))
    return touched
