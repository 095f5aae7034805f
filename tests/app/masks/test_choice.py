"""What is missing by every way to say it, together and alone; and what becomes of alpha."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photomend.app.masks.choice import Choice
from photomend.app.masks.colours import colour_of, find_colour, find_transparent
from photomend.app.photo.canvas import RepairError
from photomend.app.photo.files import read
from photomend.app.photo.picture import Picture
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.data.masks import Box
from photomend.models import HarmonicFill
from PIL import Image

MAGENTA = (255, 0, 255)
PAINTED = np.zeros((30, 40), bool)
PAINTED[5:12, 8:20] = True


def painted(dtype: str = "uint8", channels: int = 3) -> Picture:
    """A photo with a place painted in magenta; with 4 channels, another place is transparent magenta."""
    pixels = np.full((30, 40, 3), 120, np.uint8)
    pixels[PAINTED] = MAGENTA
    if channels == 4:
        pixels[20:25, 20:25] = MAGENTA
        alpha = np.full((30, 40, 1), 255, np.uint8)
        alpha[20:25, 20:25] = 0
        pixels = np.concatenate((pixels, alpha), axis=2)
    if dtype == "uint16":
        return Picture(pixels.astype(np.uint16) * 257, "RGB", channels == 4)
    return Picture(pixels if dtype == "uint8" else pixels / np.float32(255), "RGB", channels == 4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [3, 4])
def test_painted_over_in_a_colour(dtype: str, channels: int) -> None:
    assert np.array_equal(find_colour(painted(dtype, channels), MAGENTA), PAINTED)


def test_tolerance(tmp_path: Path) -> None:
    assert not find_colour(painted(), (250, 5, 250)).any()
    assert np.array_equal(find_colour(painted(), (250, 5, 250), 5), PAINTED)
    assert not find_colour(painted(), (250, 5, 250), 4).any()
    Image.fromarray(painted().pixels).save(tmp_path / "a.jpg", quality=90, subsampling=0)
    photo = read(tmp_path / "a.jpg")
    assert not np.array_equal(find_colour(photo, MAGENTA, 0), PAINTED)
    assert np.array_equal(find_colour(photo, MAGENTA), PAINTED)
    with pytest.raises(PhotomendError, match=r"tolerance \(=-1\)"):
        find_colour(photo, MAGENTA, -1)


def test_colours_of_other_kinds() -> None:
    shades = np.where(PAINTED, 3, 200).astype(np.uint8)
    assert np.array_equal(find_colour(Picture(shades, "grey"), (3, 3, 3)), PAINTED)
    palette = np.array([[120, 120, 120, 255], [255, 0, 255, 255]], np.uint8)
    assert np.array_equal(find_colour(Picture(PAINTED.astype(np.uint8), "palette", palette=palette), MAGENTA), PAINTED)
    ink = np.zeros((30, 40, 4), np.uint8)
    ink[PAINTED, 3] = 255
    assert np.array_equal(find_colour(Picture(ink, "CMYK"), colour_of("black")), PAINTED)


@pytest.mark.parametrize("text", ["blackk", "1,2", "1,2,3,4", "#12345", "256,0,0", ""])
def test_texts_that_are_no_colour(text: str) -> None:
    with pytest.raises(PhotomendError, match="is no name, #rrggbb or r,g,b"):
        colour_of(text)


def erased() -> Picture:
    """A photo with a hole that an eraser with a soft edge has left, and a watermark that is half transparent."""
    pixels = np.full((30, 40, 4), 255, np.uint8)
    pixels[..., :3] = np.random.default_rng(0).integers(0, 256, (30, 40, 3))
    pixels[9:16, 9:21, 3] = 90
    pixels[10:15, 10:20, 3] = 0
    pixels[20:25, 30:35, 3] = 90
    return Picture(pixels, "RGB", alpha=True)


def test_transparent_pixels_are_missing_and_become_opaque() -> None:
    photo, before = erased(), erased().pixels
    choice = Choice(alpha=True)
    missing = choice.missing(photo)
    expected = np.zeros((30, 40), bool)
    expected[9:16, 9:21] = True
    assert np.array_equal(missing, expected)
    mended = choice.mend(photo, missing, Repairer(HarmonicFill()))
    assert (mended.pixels[missing, 3] == 255).all()
    assert np.array_equal(mended.pixels[~missing], before[~missing])
    expected[20:25, 30:35] = True
    assert np.array_equal(find_transparent(erased(), 91), expected)
    assert np.array_equal(find_transparent(erased(), 90), before[..., 3] == 0)


def test_ways_to_say_it_add_up_and_only_files_are_inverted(tmp_path: Path) -> None:
    photo = erased()
    file = np.zeros((30, 40), bool)
    file[0:3, 0:40] = True
    Image.fromarray(~file).save(tmp_path / "m.png")
    choice = Choice(boxes=[Box(35, 25, 5, 5)], alpha=True, invert=True, grow=1)
    expected = file | find_transparent(photo)
    expected[25:30, 35:40] = True
    assert np.array_equal(choice.missing(photo, tmp_path / "m.png"), Choice(grow=1).missing(photo, expected))


def test_more_than_half_is_questioned(tmp_path: Path) -> None:
    Image.fromarray(painted().pixels).save(tmp_path / "a.png")
    photo = read(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"a\.png: 93 % of the photo is missing; is white what is known\? Then --inv"):
        Choice().missing(photo, ~PAINTED)
    with pytest.warns(UserWarning, match="93 % of the photo is missing$"):
        Choice(invert=True).missing(photo, PAINTED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Choice(invert=True).missing(photo, ~PAINTED)
        half = np.zeros((30, 40), bool)
        half[:15] = True
        Choice().missing(photo, half)


def test_nothing_is_found() -> None:
    with pytest.raises(RepairError, match=r"nothing of it is transparent, and no pixel has the colour 1,2,3"):
        Choice(alpha=True, colour=(1, 2, 3)).missing(painted())
    assert not Choice(alpha=True).missing(painted(), np.zeros((30, 40), bool)).any()


@pytest.mark.parametrize("invert", [False, True])
def test_a_mask_of_another_size_or_type(invert: bool) -> None:
    wrongs: list[tuple[Any, str]] = [
        (np.zeros((40, 30), bool), "30×40 pixels, the photo 40×30"),
        (np.zeros((30, 40)), "must be bool"),
    ]
    for wrong, words in wrongs:
        with pytest.raises(RepairError, match=words):
            Choice(invert=invert).missing(painted(), wrong)
