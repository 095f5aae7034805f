"""TIFF whose pixels are numbers of colours: of so many bits, written everywhere, or refused without its palette."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import photomend
import pytest
from numpy.typing import NDArray
from photomend.app.masks.reading import read_mask
from photomend.app.photo.files import read
from photomend.core import PhotomendError
from PIL import Image
from tifffile import PHOTOMETRIC, TiffFile, imwrite

from .samples import noise

SHAPE = (20, 24)
BOX = (3, 4, 5, 6)


def palette_tiff(path: Path, bits: int, colours: int | None = None, **layout: Any) -> NDArray[np.uint8]:
    """A file whose palette has so many colours, or all that its bits can number; and its true colours."""
    rng, count = np.random.default_rng(bits), 2**bits
    numbers = rng.integers(0, count, SHAPE).astype(np.uint16 if bits > 8 else np.uint8)
    palette = rng.integers(0, 256, (3, count)).astype(np.uint16)
    written = 257 * palette[:, :colours]
    tags = [(320, "H", written.size, tuple(written.ravel().tolist()), True)] if written.size else []
    packed: dict[str, Any] = {"bitspersample": bits} if bits in (2, 4) else {}
    # As grey, for tifffile has no palettes of fewer than 8 bits; the tag that says so is changed.
    pixels = numbers.astype(bool) if bits == 1 else numbers
    imwrite(path, pixels, photometric="minisblack", extratags=tags, metadata=None, **packed, **layout)
    with TiffFile(path, mode="r+") as file:
        file.pages.first.tags["PhotometricInterpretation"].overwrite(int(PHOTOMETRIC.PALETTE))
    return palette.T[numbers].astype(np.uint8)


def colours_of(path: Path) -> NDArray[np.uint8]:
    picture = read(path)
    if picture.palette is None:
        return picture.pixels[..., :3].astype(np.uint8)
    return picture.palette[:, :3][picture.pixels]


@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 7}, {"tile": (16, 16)}])
@pytest.mark.parametrize("suffix", ["tif", "png", "bmp", "webp", "jpg"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_every_known_pixel_has_its_colour(tmp_path: Path, bits: int, suffix: str, layout: dict[str, Any]) -> None:
    path, target = tmp_path / "a.tif", tmp_path / f"b.{suffix}"
    truth = palette_tiff(path, bits, **layout)
    assert np.array_equal(colours_of(path), truth)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        given = photomend.repair(path, [BOX], "harmonic", output=target)
    known = np.ones(SHAPE, np.bool_)
    known[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]] = False
    difference = np.abs(colours_of(target).astype(int) - truth)
    assert difference[known].max() == 0 or (suffix == "jpg" and difference[known].mean() < 6)
    assert np.array_equal(
        np.asarray(given.convert("RGB") if isinstance(given, Image.Image) else given)[known], truth[known]
    )
    said = " ".join(str(each.message) for each in caught)
    assert ("palette becomes RGB" in said) == (suffix in ("webp", "jpg") or (bits == 16 and suffix != "tif"))
    if suffix == "tif":
        with TiffFile(path) as old, TiffFile(target) as new:
            assert new.pages.first.bitspersample == old.pages.first.bitspersample == bits
            assert new.pages.first.photometric == PHOTOMETRIC.PALETTE
            was, now = (np.asarray(file.pages.first.colormap) for file in (old, new))
            assert np.array_equal(was, now)


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_as_a_mask_all_that_is_not_black_is_missing(tmp_path: Path, bits: int) -> None:
    truth = palette_tiff(tmp_path / "mask.tif", bits)
    assert np.array_equal(read_mask(tmp_path / "mask.tif"), truth.any(axis=2))


@pytest.mark.parametrize("colours", [0, 1, 3])
@pytest.mark.parametrize("bits", [2, 8])
def test_without_all_colours_it_is_refused(tmp_path: Path, bits: int, colours: int) -> None:
    path = tmp_path / "a.tif"
    palette_tiff(path, bits, colours)
    for reader in (read, read_mask):
        with pytest.raises(PhotomendError, match=r"a\.tif: can't be read as a \w+ \(.*palette") as error:
            reader(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["B", "f", "s"])
def test_a_palette_of_another_type_is_refused_or_read(tmp_path: Path, kind: str) -> None:
    """Bytes as some old programs write them: 8 bits of each colour."""
    path, palette = tmp_path / "a.tif", np.arange(48)
    value = b"x" * 48 if kind == "s" else tuple(palette.tolist())
    numbers = np.random.default_rng(0).integers(0, 16, SHAPE).astype(np.uint8)
    imwrite(path, numbers, photometric="minisblack", metadata=None, extratags=[(320, kind, 48, value, True)])
    with TiffFile(path, mode="r+") as file:
        file.pages.first.tags["PhotometricInterpretation"].overwrite(int(PHOTOMETRIC.PALETTE))
    if kind == "B":
        assert np.array_equal(colours_of(path), palette.reshape(3, 16).T[numbers])
    else:
        with pytest.raises(PhotomendError, match="its palette, the tag ColorMap, doesn't have them all"):
            read(path)


def test_further_channels_are_refused(tmp_path: Path) -> None:
    """Numbers of colours with alpha beside them."""
    path = tmp_path / "a.tif"
    imwrite(path, noise(2, "uint8"), photometric="minisblack", extrasamples=["unassalpha"], metadata=None)
    with TiffFile(path, mode="r+") as file:
        file.pages.first.tags["PhotometricInterpretation"].overwrite(int(PHOTOMETRIC.PALETTE))
    with pytest.raises(PhotomendError, match=r"a\.tif: can't be read as a photo \(.*further channels"):
        read(path)


@pytest.mark.parametrize("predictor", [None, 1])
@pytest.mark.parametrize("palette", [True, False])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_that_are_compressed(tmp_path: Path, bits: int, palette: bool, predictor: int | None) -> None:
    """tifffile writes them without compression, Pillow with it."""
    numbers = np.random.default_rng(bits).integers(0, 2**bits, SHAPE).astype(np.uint8)
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    _compressed(path, numbers, bits, palette, predictor)
    photomend.repair(path, [BOX], "harmonic", output=target)
    with TiffFile(path) as old, TiffFile(target) as new:
        assert new.pages.first.bitspersample == old.pages.first.bitspersample == bits
        was, now = (file.pages.first.asarray().astype(np.uint8) for file in (old, new))
    assert np.array_equal(was, numbers)
    now[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]] = was[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]]
    assert np.array_equal(now, was)


def _compressed(path: Path, numbers: NDArray[np.uint8], bits: int, palette: bool, predictor: int | None) -> None:
    """A file of one strip, compressed by Deflate, written by hand."""
    packed = np.packbits(np.unpackbits(numbers[..., None], axis=2)[..., 8 - bits :].reshape(len(numbers), -1), axis=1)
    data = zlib.compress(packed.tobytes())
    colours = np.random.default_rng(0).integers(0, 2**16, 3 * 2**bits).astype("<u2").tobytes()
    height, width = numbers.shape
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, 8),
        (262, 3, 1, 3 if palette else 1),
    ]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(data))]
    further = [(317, 3, 1, predictor)] if predictor else []
    place = 8 + len(data) + len(data) % 2
    entries += [*further, *([(320, 3, 3 * 2**bits, place)] if palette else [])]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    body = data + bytes(len(data) % 2) + colours
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory)
