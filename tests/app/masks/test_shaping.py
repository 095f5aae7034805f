"""Masks inverted and grown, and repairs blended into the photo around them."""

from __future__ import annotations

import numpy as np
import pytest
from photomend.app.masks import shaping
from photomend.app.masks.feather import mend_feathered
from photomend.app.masks.shaping import ring, shape
from photomend.app.photo.canvas import RepairError
from photomend.app.photo.mend import mend
from photomend.app.photo.picture import Picture
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.models import HarmonicFill
from scipy import ndimage

HOLE = np.zeros((40, 50), bool)
HOLE[12:20, 15:30] = HOLE[0, 0] = True
HARMONIC = Repairer(HarmonicFill())


@pytest.mark.parametrize("reach", [0, 1, 3, 7])
@pytest.mark.parametrize("square", [4, 16, 512])
def test_growing_is_by_distance(monkeypatch: pytest.MonkeyPatch, reach: int, square: int) -> None:
    monkeypatch.setattr(shaping, "SQUARE", square)
    before = HOLE.copy()
    distances = ndimage.distance_transform_edt(~HOLE)
    assert np.array_equal(shape(HOLE, grow=reach), distances <= reach)
    assert np.array_equal(HOLE, before)
    near = ring(HOLE, reach)
    assert np.allclose(near.distances, distances[near.rows, near.columns])


def test_inverting_comes_before_growing() -> None:
    assert np.array_equal(shape(HOLE, invert=True), ~HOLE)
    grown = shape(~HOLE, invert=True, grow=2)
    assert np.array_equal(grown, shape(HOLE, grow=2))


def test_nothing_and_everything() -> None:
    nothing = np.zeros((5, 6), bool)
    assert not shape(nothing, grow=3).any()
    assert shape(nothing, invert=True, grow=3).all()
    with pytest.raises(PhotomendError, match=r"grow \(=-1\) must be 0 or more"):
        shape(HOLE, grow=-1)


def picture(kind: str) -> Picture:
    """A photo with steps, which a smooth fill smoothes, of some kind."""
    steps = np.add.outer(np.arange(40) // 5 * 20, np.arange(50) // 7 * 10).astype(np.uint8)
    rgb = np.stack((steps, 255 - steps, steps // 2), axis=2)
    if kind == "palette":
        shades = np.arange(256, dtype=np.uint8)
        return Picture(steps, "palette", palette=np.stack((shades, shades, shades, np.full_like(shades, 255)), axis=1))
    if kind == "key":
        return Picture(rgb, "RGB", key=(0, 0, 0))
    if kind == "alpha":
        alpha = np.full((40, 50, 1), 255, np.uint8)
        alpha[18:24, 10:20] = 0
        return Picture(np.concatenate((rgb, alpha), axis=2), "RGB", alpha=True)
    return {
        "RGB": Picture(rgb, "RGB"),
        "grey": Picture(steps, "grey"),
        "black and white": Picture(steps > 120, "grey"),
        "CMYK": Picture(np.concatenate((rgb, rgb[..., :1]), axis=2), "CMYK"),
        "16 bits": Picture(rgb.astype(np.uint16) * 257, "RGB"),
        "float": Picture(rgb / np.float32(255), "RGB"),
    }[kind]


@pytest.mark.parametrize("kind", ["RGB", "grey", "black and white", "CMYK", "16 bits", "float", "palette", "key"])
def test_a_feathered_repair_blends_within_its_ring_alone(kind: str) -> None:
    before, photo = picture(kind), picture(kind)
    mended = mend_feathered(photo, HOLE, HARMONIC, 4)
    near = ring(HOLE, 4)
    wider = shape(HOLE, grow=4)
    assert mended.rebuilt is not None
    assert np.array_equal(mended.rebuilt, wider)
    assert np.array_equal(mended.pixels[~wider], before.pixels[~wider])
    whole = mend(picture(kind), wider, HARMONIC)
    assert np.array_equal(mended.pixels[HOLE], whole.pixels[HOLE])
    share = (1 - near.distances / 5).reshape(-1, *[1] * (before.pixels.ndim - 2))
    places = near.rows, near.columns
    expected = share * whole.pixels[places].astype(float) + (1 - share) * before.pixels[places]
    assert np.abs(mended.pixels[places] - expected).max() <= (1e-6 if kind == "float" else 1.01)
    assert kind == "black and white" or (mended.pixels[places] != before.pixels[places]).any()


def test_without_a_feather_no_known_pixel_changes() -> None:
    photo = picture("RGB")
    mended = mend_feathered(photo, HOLE, HARMONIC)
    assert np.array_equal(mended.pixels[~HOLE], picture("RGB").pixels[~HOLE])
    assert np.array_equal(mended.pixels, mend(picture("RGB"), HOLE, HARMONIC).pixels)


def test_transparent_pixels_of_the_ring_stay() -> None:
    before = picture("alpha")
    mended = mend_feathered(picture("alpha"), HOLE, HARMONIC, 4)
    kept = (before.pixels[..., 3] == 0) & ~HOLE
    assert np.array_equal(mended.pixels[kept], before.pixels[kept])


def test_a_blend_is_never_the_transparent_colour() -> None:
    pixels = np.full((20, 20), 4, np.uint8)
    pixels[:, 10:] = 0
    pixels[:, 15:] = 2  # what lies between the two
    photo = Picture(pixels, "grey", key=(2,))
    hole = np.zeros((20, 20), bool)
    hole[8:12, 5:10] = True
    mended = mend_feathered(photo, hole, HARMONIC, 3)
    assert (mended.pixels[:, :15] != 2).all()


def test_a_feather_that_leaves_nothing_known() -> None:
    with pytest.raises(RepairError, match=r"feather \(=60\) reaches every known pixel"):
        mend_feathered(picture("RGB"), HOLE, HARMONIC, 60)
    with pytest.raises(PhotomendError, match=r"feather \(=-2\) must be 0 or more"):
        mend_feathered(picture("RGB"), HOLE, HARMONIC, -2)
