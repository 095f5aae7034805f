"""Masks of every kind that people have: modes, depths, alpha, lossy formats, pages, orientation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photomend.app.masks.reading import mask_of, read_mask, turn_like
from photomend.app.photo.files import read
from photomend.app.photo.metadata import TURNS
from photomend.core import PhotomendError
from photomend.data.photos import PhotoError
from PIL import Image
from tifffile import imwrite

#: Two holes, one at the edge.
MASK = np.zeros((48, 64), bool)
MASK[13:40, 21:50] = MASK[:6, :9] = True
BYTES = MASK.astype(np.uint8) * 255


def image(mode: str) -> Image.Image:
    """The mask in a mode of Pillow."""
    if mode == "I;16":
        return Image.fromarray(MASK.astype(np.uint16) * 65535)
    if mode == "black ink":
        return Image.merge("CMYK", [Image.new("L", (64, 48))] * 3 + [Image.fromarray(255 - BYTES)])
    if mode == "three inks":
        return Image.merge("CMYK", [Image.fromarray(255 - BYTES)] * 3 + [Image.new("L", (64, 48))])
    if mode == "red":
        return Image.merge("RGB", [Image.fromarray(BYTES), *[Image.new("L", (64, 48))] * 2])
    if mode == "a layer":  # white where it was painted, and the rest transparent white
        return Image.merge("LA", [Image.new("L", (64, 48), 255), Image.fromarray(BYTES)])
    return Image.fromarray(BYTES).convert(mode)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "black ink", "three inks", "red", "a layer"]
)
@pytest.mark.parametrize("threshold", [None, 128])
def test_modes(tmp_path: Path, mode: str, threshold: int | None) -> None:
    path = tmp_path / ("m.tif" if "ink" in mode or mode in "IF" else "m.png")
    image(mode).save(path)
    assert np.array_equal(read_mask(path, threshold), MASK)
    assert np.array_equal(read_mask(image(mode), threshold), MASK)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_depths_that_pillow_has_not(tmp_path: Path, dtype: Any) -> None:
    imwrite(tmp_path / "m.tif", np.repeat(MASK[..., None], 3, axis=2).astype(dtype), photometric="rgb")
    assert np.array_equal(read_mask(tmp_path / "m.tif"), MASK)


def test_what_is_not_black_is_missing_and_what_is_transparent_is_known(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 1, 128, 255]], np.uint8)).save(tmp_path / "l.png")
    assert read_mask(tmp_path / "l.png").tolist() == [[False, True, True, True]]
    assert read_mask(tmp_path / "l.png", 128).tolist() == [[False, False, True, True]]
    assert read_mask(tmp_path / "l.png", 129).tolist() == [[False, False, False, True]]
    Image.fromarray(np.array([[0, 1, 32895, 32896, 65535]], np.uint16)).save(tmp_path / "16.png")
    assert read_mask(tmp_path / "16.png").tolist() == [[False, True, True, True, True]]
    assert read_mask(tmp_path / "16.png", 128).tolist() == [[False, False, False, True, True]]
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 255], [0, 0, 1, 1], [255, 255, 255, 100]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    assert read_mask(tmp_path / "rgba.png").tolist() == [[True, False, False, True, True]]
    assert read_mask(tmp_path / "rgba.png", 128).tolist() == [[True, False, False, False, False]]
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([255, 255, 255, 0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "p.png", transparency=b"\xff\xff\x00")
    assert read_mask(tmp_path / "p.png").tolist() == [[True, False, False]]
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "key.png", transparency=255)
    assert read_mask(tmp_path / "key.png").tolist() == [[False, False]]


@pytest.mark.parametrize("name", ["m.jpg", "m.webp", "m.avif", "m.jp2", "m.heic", "m.tif"])
def test_lossy_masks_do_not_ring(tmp_path: Path, name: str) -> None:
    options: dict[str, Any] = {"m.jp2": {"irreversible": True, "quality_layers": [8]}, "m.tif": {"compression": "jpeg"}}
    uneven = Image.fromarray(BYTES ^ np.random.default_rng(0).integers(0, 20, (48, 64), dtype=np.uint8))
    if name == "m.heic":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(uneven).save(tmp_path / name, quality=60)
    else:
        uneven.save(tmp_path / name, **options.get(name, {"quality": 60}))
    ringing = mask_of(read(tmp_path / name)) != MASK
    assert ringing.any()
    assert np.array_equal(read_mask(tmp_path / name), MASK)
    assert np.array_equal(read_mask(tmp_path / name, 1), mask_of(read(tmp_path / name)))


def test_the_first_of_several_pages_counts(tmp_path: Path) -> None:
    other = Image.new("L", (64, 48), 255)
    for name in ("m.tif", "m.gif"):
        image("L").save(tmp_path / name, save_all=True, append_images=[other])
        assert np.array_equal(read_mask(tmp_path / name), MASK)


def test_orientation(tmp_path: Path) -> None:
    for turned, upright in TURNS.items():
        exif = Image.Exif()
        exif[274] = turned
        image("L").save(tmp_path / "m.png", exif=exif)
        expected = upright(MASK)
        assert np.array_equal(read_mask(tmp_path / "m.png"), expected)
        with Image.open(tmp_path / "m.png") as opened:
            assert np.array_equal(read_mask(opened), expected)
        Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg", exif=exif)
        photo = read(tmp_path / "a.jpg")
        assert np.array_equal(turn_like(expected, photo.shape, turned), expected)
        if photo.shape != MASK.shape:  # a mask painted by a program that shows the photo as it is stored
            assert np.array_equal(turn_like(MASK, photo.shape, turned), expected)


@pytest.mark.parametrize("threshold", [0, 256, -1])
def test_a_threshold_that_is_none(threshold: int) -> None:
    with pytest.raises(PhotomendError, match=rf"threshold \(={threshold}\) must be from 1 to 255"):
        read_mask(image("L"), threshold)


def test_files_that_are_no_masks(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no mask")
    with pytest.raises(PhotoError, match=r"text\.png: can't be read"):
        read_mask(tmp_path / "text.png")
    with pytest.raises(PhotomendError, match="mode LAB"):
        read_mask(Image.new("LAB", (3, 3)))
