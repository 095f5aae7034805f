"""`photomend.repair`: photos and masks of every kind, and nothing imported before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import photomend
import pytest
from photomend.app.masks.shaping import shape
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.models import HarmonicFill
from PIL import Image
from tifffile import TiffFile, imwrite

from .helpers import holes, picture, pixels

BOX = (30, 20, 25, 15)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    picture(tmp_path / "a.png")
    holes(tmp_path / "m.png", 80, 100, BOX)
    return tmp_path / "a.png", tmp_path / "m.png"


def test_all_kinds_give_the_same_pixels_and_their_own_kind(files: tuple[Path, Path]) -> None:
    path, mask_path = files
    array = pixels(path)
    mask = np.zeros((80, 100), bool)
    mask[20:35, 30:55] = True
    before = array.copy()
    expected = photomend.repair(array, mask, "harmonic")
    assert isinstance(expected, np.ndarray)
    assert np.array_equal(array, before)
    assert np.array_equal(expected, Repairer(HarmonicFill()).repair(array, mask))
    masks: list[Any] = [
        mask.astype(np.uint8),
        mask.astype(np.uint8) * 255,
        np.asfortranarray(mask),
        mask_path,
        str(mask_path),
        Image.open(mask_path),
        [BOX],
        [(30, 20, 25, 7), (30, 27, 25, 8)],
    ]
    for given in masks:
        assert np.array_equal(photomend.repair(array, given, "harmonic"), expected)
    photos: list[Any] = [path, str(path), Image.open(path)]
    for given in photos:
        found = photomend.repair(given, mask, Repairer(HarmonicFill()))
        assert isinstance(found, Image.Image)
        assert np.array_equal(np.asarray(found), expected)


@pytest.mark.parametrize(
    ("photo", "mask", "options", "words"),
    [
        ("none.png", [BOX], {}, "none.png: can't be read"),
        (np.zeros((80, 100, 5)), [BOX], {}, "the photo must be bool, uint8, uint16 or float"),
        (np.zeros((80, 100), "int64"), [BOX], {}, "the photo must be bool, uint8, uint16 or float"),
        (5, [BOX], {}, "the photo must be a file, a Pillow image or an array, not int"),
        (None, np.ones((80, 100)), {}, "the mask must be bool"),
        (None, None, {}, "the mask must be a file, .* rectangles .*, not NoneType"),
        (None, [(10.5, 2, 3, 4)], {}, r"box: \(10.5, 2, 3, 4\) is not four whole numbers"),
        (None, [], {}, "the mask is empty"),
        (None, [(90, 0, 20, 5)], {}, "box: 90,0,20,5"),
        (None, [(1, 2, 3)], {}, r"box: \(1, 2, 3\) is not four whole numbers"),
        (None, BOX, {}, "box: 30 is not four whole numbers"),
        (None, [BOX], {"model": "harmonik"}, "did you mean 'harmonic'"),
        (None, [BOX], {"views": 3}, r"views \(=3\) must be 1 or 8"),
        (None, [BOX], {"device": "tpu"}, "tpu"),
        (None, [BOX], {"output": "a.png", "quality": 90}, "PNG is written without loss"),
        (None, [BOX], {"grow": -1}, r"grow \(=-1\) must be 0 or more"),
        (None, [BOX], {"feather": -1}, r"feather \(=-1\) must be 0 or more"),
        (None, Image.new("L", (100, 80), 9), {"threshold": 0}, r"threshold \(=0\) must be from 1 to 255"),
        (None, "alpha", {}, "nothing of it is transparent"),
        (np.full((60, 60), 90, np.uint8), "auto", {}, "no damage is found, nor black paint"),
    ],
)
def test_mistakes(photo: Any, mask: Any, options: dict[str, Any], words: str) -> None:
    photo = np.zeros((80, 100, 3), np.uint8) if photo is None else photo
    with pytest.raises(PhotomendError, match=words):
        photomend.repair(photo, mask, **{"model": "harmonic", **options})


def test_arrays_in_every_memory_layout_and_order_of_bytes() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (24, 32, 3), dtype=np.uint16)
    expected = photomend.repair(deep, [(10, 8, 8, 6)], "harmonic")
    wide = np.repeat(deep, 2, axis=1)
    fixed = deep.copy()
    fixed.flags.writeable = False
    layouts = [wide[:, ::2], np.asfortranarray(deep), deep[::-1].copy()[::-1], fixed, deep.astype(">u2")]
    for photo in layouts:
        found = photomend.repair(photo, [(10, 8, 8, 6)], "harmonic")
        assert found.dtype == photo.dtype
        assert found.flags.writeable
        assert np.array_equal(found, expected)


def test_importing_photomend_is_cheap() -> None:
    code = "import sys, photomend; assert 'torch' not in sys.modules; from photomend import repair; repair.__doc__[0]"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="'repare'"):
        photomend.repare  # noqa: B018


def test_a_mask_is_inverted_grown_feathered_and_has_a_threshold(files: tuple[Path, Path]) -> None:
    array = pixels(files[0])
    mask = np.zeros((80, 100), bool)
    mask[20:35, 30:55] = True
    shades = Image.fromarray(np.where(mask, 200, 100).astype(np.uint8))
    expected = photomend.repair(array, shape(mask, grow=2), "harmonic")
    givens: list[tuple[Any, dict[str, Any]]] = [
        (mask, {}),
        (~mask, {"invert": True}),
        (shades, {"threshold": 150}),
        ([BOX], {}),
    ]
    for given, options in givens:
        assert np.array_equal(photomend.repair(array, given, "harmonic", grow=2, **options), expected)
    feathered = photomend.repair(array, mask, "harmonic", feather=2)
    assert np.array_equal(feathered[mask], expected[mask])
    assert np.array_equal(feathered[~shape(mask, grow=2)], array[~shape(mask, grow=2)])
    cut_out = np.concatenate((array, np.where(mask, 0, 255).astype(np.uint8)[..., None]), axis=2)
    found = photomend.repair(cut_out, "alpha", "harmonic", grow=2)
    assert np.array_equal(found[..., :3], expected)
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 1), (24, 32, 2), (24, 32, 3), (24, 32, 4)])
def test_arrays_come_back_as_they_were(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    unit = rng.random(shape)
    photo = unit > 0.5 if dtype == "bool" else unit.astype(dtype) if "f" in dtype else (unit * 255).astype(dtype)
    before = photo.copy()
    found = photomend.repair(photo, [(10, 8, 8, 6)], "harmonic")
    assert (found.dtype, found.shape) == (photo.dtype, photo.shape)
    known = np.ones((24, 32), bool)
    known[8:14, 10:18] = False
    assert np.array_equal(found[known], photo[known])
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_images_come_back_as_they_were(mode: str) -> None:
    shades = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(shades)
    image = Image.fromarray(shades[..., 0].astype(np.uint16) * 200) if mode == "I;16" else image.convert(mode)
    image.info["icc_profile"] = b"a profile"
    found = photomend.repair(image, [(10, 8, 8, 6)], "harmonic")
    assert (found.mode, found.size) == (mode, image.size)
    assert found.info["icc_profile"] == b"a profile"
    known = np.ones((24, 32), bool)
    known[8:14, 10:18] = False
    assert np.array_equal(np.asarray(found)[known], np.asarray(image)[known])


def test_an_output_file_holds_what_the_photo_held(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (24, 32, 3), dtype=np.uint16)
    imwrite(tmp_path / "a.tif", pixels, photometric="rgb", description="a scan", metadata=None)
    found = photomend.repair(tmp_path / "a.tif", [(10, 8, 8, 6)], "harmonic", output=tmp_path / "b.tif")
    assert isinstance(found, np.ndarray)  # Pillow has no images of 16 bits in colour
    with TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.description == "a scan"
        assert np.array_equal(file.asarray(), found)
    with pytest.warns(UserWarning, match=r"b\.jpg: JPEG can't hold everything: 16-bit RGB becomes 8-bit"):
        photomend.repair(tmp_path / "a.tif", [(10, 8, 8, 6)], "harmonic", output=tmp_path / "b.jpg")
    with pytest.raises(PhotomendError, match=r"b\.gif: can't write photos"):
        photomend.repair(tmp_path / "a.tif", [(10, 8, 8, 6)], "harmonic", output=tmp_path / "b.gif")
