"""Files as other programs write them: compressions and layouts of TIFF, odd orders of rows and bits, several pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
from photomend.app.photo.files import Written, read, write
from photomend.app.photo.mend import mend
from photomend.app.photo.metadata import TURNS
from photomend.app.photo.tiff_patch import touched_segments
from photomend.app.repair import Repairer
from photomend.models import HarmonicFill
from PIL import Image
from tifffile import PHOTOMETRIC, TiffFile, imwrite

from .samples import HEIGHT, KINDS, WIDTH, hole, mended, noise, opened


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits", "zstd", "jpeg", None])
@pytest.mark.parametrize("layout", [{"rowsperstrip": 8}, {"tile": (16, 16)}, {"planarconfig": "separate"}])
def test_tiffs_as_they_are_stored(tmp_path: Path, compression: str | None, layout: dict) -> None:
    """Strips and tiles that a hole doesn't touch are the same bytes, and the second page and an odd tag stay."""
    planar = "planarconfig" in layout
    pixels = KINDS["RGB"].pixels if compression == "jpeg" else KINDS["RGB;16"].pixels
    if compression == "jpeg" and (planar or "rowsperstrip" in layout):
        pytest.skip("JPEG strips of this size are not written by tifffile")
    stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if planar else pixels
    path = tmp_path / "a.tif"
    tags = [(65000, "s", 0, "an odd tag", True)]
    options: dict[str, Any] = {"metadata": None, "photometric": "rgb", "extratags": tags, **layout}
    if compression in ("zlib", "lzw", "zstd"):
        options["predictor"] = True
    imwrite(path, stored, compression=compression, **options)
    imwrite(path, noise(1, "float32"), append=True, metadata=None)
    shown = read(path).pixels
    picture, said = mended(path, tmp_path / "b.tif")
    assert said.lost == []
    assert "the first of 2 pages or frames is repaired, the others stay as they are" in said.done
    with TiffFile(path) as old, TiffFile(tmp_path / "b.tif") as new:
        assert new.pages.first.tags[65000].value == "an odd tag"
        assert (new.pages.first.compression, new.pages.first.chunked) == (
            old.pages.first.compression,
            old.pages.first.chunked,
        )
        assert np.array_equal(new.pages[1].asarray(), noise(1, "float32"))
        back = read(tmp_path / "b.tif").pixels
        far = ~hole()
        if compression == "jpeg":
            far[:16, 0:32] = False
        assert np.array_equal(back[far], shown[far])
        if compression != "jpeg":
            assert np.array_equal(back, picture.pixels)
    assert np.array_equal(shown, pixels) or compression == "jpeg"


@pytest.mark.parametrize(
    ("layout", "numbers"),
    [
        ({"rowsperstrip": 10}, [0, 1]),
        ({"tile": (16, 16)}, [0, 1]),
        ({"rowsperstrip": 10, "planarconfig": "separate"}, [0, 1, 3, 4, 6, 7]),
    ],
)
def test_only_the_segments_around_a_hole_are_encoded(tmp_path: Path, layout: dict, numbers: list[int]) -> None:
    """A large TIFF is written in the time that its hole takes."""
    pixels = KINDS["RGB;16"].pixels
    stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if "planarconfig" in layout else pixels
    imwrite(tmp_path / "a.tif", stored, photometric="rgb", compression="zlib", metadata=None, **layout)
    picture, _ = mended(tmp_path / "a.tif", tmp_path / "b.tif")
    with TiffFile(tmp_path / "a.tif") as old, TiffFile(tmp_path / "b.tif") as new:
        found = touched_segments(old.pages.first, picture)
        assert found is not None
        assert found.numbers[found.touched].tolist() == numbers
        kept = set(range(len(old.pages.first.dataoffsets))) - set(numbers)
        assert all(old.pages.first.dataoffsets[k] == new.pages.first.dataoffsets[k] for k in kept)
    assert np.array_equal(read(tmp_path / "b.tif").pixels, picture.pixels)


def test_white_is_zero_in_a_fax(tmp_path: Path) -> None:
    for pixels in (noise(1, "bool"), noise(1, "uint8")):
        imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite", metadata=None)
        picture, _ = mended(tmp_path / "a.tif", tmp_path / "b.tif")
        with TiffFile(tmp_path / "b.tif") as file:
            assert file.pages.first.photometric == PHOTOMETRIC.MINISWHITE
            assert np.array_equal(file.pages.first.asarray()[~hole()], pixels[~hole()])
        white = 1 if pixels.dtype == bool else 255
        assert np.array_equal(picture.pixels[~hole()], (white - pixels)[~hole()] if white > 1 else ~pixels[~hole()])


def test_odd_files_are_read_as_they_are(tmp_path: Path) -> None:
    """Interlaced, big-endian, in BigTIFF, with a transparent colour of 16 bits, bottom row first, 1 = black."""
    deep, one, real = KINDS["RGB;16"].pixels, KINDS["1"].pixels, KINDS["RGB;F"].pixels
    rows = deep.reshape(HEIGHT, -1)
    key = tuple(int(value) for value in deep[0, 0])
    kinds: dict[str, dict[str, Any]] = {"i": {"interlace": True}, "t": {"transparent": key}}
    for name, options in kinds.items():
        with (tmp_path / f"{name}.png").open("wb") as file:
            png.Writer(WIDTH, HEIGHT, greyscale=False, bitdepth=16, **options).write(file, rows)
    imwrite(tmp_path / "be.tif", deep, byteorder=">", photometric="rgb")
    imwrite(tmp_path / "big.tif", deep, bigtiff=True, photometric="rgb", compression="lzw")
    (tmp_path / "s.ppm").write_bytes(b"P6\n# a comment\n32 24\n65535\n" + deep.astype(">u2").tobytes())
    for name in ("i.png", "t.png", "be.tif", "big.tif", "s.ppm"):
        assert np.array_equal(read(tmp_path / name).pixels, deep)
    assert read(tmp_path / "t.png").key == key
    (tmp_path / "c.pfm").write_bytes(b"PF\n32 24\n-1.0\n" + real[::-1].astype("<f4").tobytes())
    assert np.array_equal(read(tmp_path / "c.pfm").pixels, real)
    Image.fromarray(one).save(tmp_path / "x.pbm")
    write(tmp_path / "y.pbm", KINDS["1"])
    with opened(tmp_path / "y.pbm") as image:
        assert np.array_equal(np.asarray(image), one)
    assert np.array_equal(read(tmp_path / "x.pbm").pixels, one)


def test_numbers_that_only_tiff_has(tmp_path: Path) -> None:
    signed = (KINDS["I;16"].pixels.astype(np.int32) - 30000).astype(np.int16)
    imwrite(tmp_path / "a.tif", signed, metadata=None)
    picture, said = mended(tmp_path / "a.tif", tmp_path / "b.tif")
    assert said == Written([], [])
    assert np.array_equal(read(tmp_path / "b.tif").pixels[~hole()], signed[~hole()])
    _, said = mended(tmp_path / "a.tif", tmp_path / "b.png")
    assert said.lost == ["PNG can't hold everything: 16-bit signed grey becomes 16-bit"]
    assert np.abs(np.diff(np.sort(read(tmp_path / "b.png").pixels.ravel()).astype(int))).max() < 6000
    assert picture.kind == "16-bit signed grey"


def test_several_frames_of_avif_and_what_is_behind_a_jpeg(tmp_path: Path) -> None:
    image = Image.fromarray(KINDS["RGB"].pixels)
    image.save(tmp_path / "a.avif", save_all=True, append_images=[image.rotate(180)])
    image.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[image.rotate(180)])
    for name in ("a.avif", "a.jpg"):
        _, said = mended(tmp_path / name, tmp_path / f"b{name[1:]}")
        assert said.lost == ["the first of 2 pages or frames is repaired, the others are left out"]
        with opened(tmp_path / f"b{name[1:]}") as back:
            assert getattr(back, "n_frames", 1) == 1


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 5}, {"planarconfig": "separate"}])
def test_a_tiff_is_turned_in_its_own_layout(tmp_path: Path, orientation: int, layout: dict) -> None:
    pixels = KINDS["RGB;16"].pixels
    stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if "planarconfig" in layout else pixels
    tags = [(274, "H", 1, orientation, True)]
    options: dict[str, Any] = {"photometric": "rgb", "resolution": (300, 600), "extratags": tags, **layout}
    imwrite(tmp_path / "a.tif", stored, compression="lzw", predictor=True, metadata=None, **options)
    shown = TURNS[orientation](pixels)
    picture = read(tmp_path / "a.tif")
    assert np.array_equal(picture.pixels, shown)
    missing = np.zeros(shown.shape[:2], bool)
    missing[8:12, 8:14] = True
    repaired = mend(picture, missing, Repairer(HarmonicFill()))
    write(tmp_path / "b.tif", repaired)
    with TiffFile(tmp_path / "b.tif") as file:
        page = file.pages.first
        assert page.compression == 5
        assert page.tags["Orientation"].value == 1
        assert page.get_resolution() == ((600, 300) if orientation != 3 else (300, 600))
    back = read(tmp_path / "b.tif")
    assert np.array_equal(back.pixels, repaired.pixels)
    assert np.array_equal(back.pixels[~missing], shown[~missing])
