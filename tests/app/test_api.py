"""`photomend.repair`: photos and masks of every kind, and nothing imported before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import photomend
import pytest
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.models import HarmonicFill
from PIL import Image

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
    masks: list[Any] = [mask_path, str(mask_path), Image.open(mask_path), [BOX], [(30, 20, 25, 7), (30, 27, 25, 8)]]
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
        (None, np.ones((80, 100)), {}, "the mask must be bool"),
        (None, [], {}, "the mask is empty"),
        (None, [(90, 0, 20, 5)], {}, "box: 90,0,20,5"),
        (None, [(1, 2, 3)], {}, r"box: \(1, 2, 3\) is not four whole numbers"),
        (None, BOX, {}, "box: 30 is not four whole numbers"),
        (None, [BOX], {"model": "harmonik"}, "did you mean 'harmonic'"),
        (None, [BOX], {"views": 3}, r"views \(=3\) must be 1 or 8"),
        (None, [BOX], {"device": "tpu"}, "tpu"),
    ],
)
def test_mistakes(photo: Any, mask: Any, options: dict[str, Any], words: str) -> None:
    photo = np.zeros((80, 100, 3), np.uint8) if photo is None else photo
    with pytest.raises(PhotomendError, match=words):
        photomend.repair(photo, mask, **{"model": "harmonic", **options})


def test_importing_photomend_is_cheap() -> None:
    code = "import sys, photomend; assert 'torch' not in sys.modules; from photomend import repair; repair.__doc__[0]"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="'repare'"):
        photomend.repare  # noqa: B018
