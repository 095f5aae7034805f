"""The natural look: the faithful fill drawn anew with patches, of what is known alone."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import photomend
import pytest
from photomend.app import natural, reconstructors
from photomend.app.photo.canvas import RGBCanvas
from photomend.app.pieces import crop_around, pieces
from photomend.app.reconstructors import WEIGHTS_FOLDER, load
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.data.masks import Box, boxes_mask, random_box
from photomend.data.photos import Mask, Photo
from photomend.models import AttentionModel, HarmonicFill
from photomend.models.calibration import LEAST, Calibration, Calibrations
from photomend.models.exemplar import TextureFill
from photomend.models.holes import find_holes, union
from photomend.models.weights import load_checkpoint, save_checkpoint
from scipy import ndimage


@pytest.fixture
def grainy() -> tuple[Photo, Mask]:
    """A grainy slope of 150×170 with two holes beside each other, black, and a scratch."""
    rng = np.random.default_rng(0)
    photo = 90 + np.arange(170)[:, None] / 3 + rng.normal(0, 20, (150, 170, 3))
    mask = boxes_mask([Box(50, 50, 40, 36), Box(96, 50, 30, 40), Box(20, 10, 2, 60)], 150, 170)
    return np.where(mask[..., None], 0, photo).round().clip(0, 255).astype(np.uint8), mask


@pytest.fixture
def _shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own weights, which other tests do without."""
    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", WEIGHTS_FOLDER)
    reconstructors.shipped.cache_clear()


def steps(photo: Photo) -> float:
    """The mean squared step to the right in the first hole."""
    return float(np.square(np.diff(photo[50:86, 50:90].astype(float), axis=1)).mean())


def test_it_has_the_grain_of_what_is_around_it(grainy: tuple[Photo, Mask]) -> None:
    photo, mask = grainy
    faithful, drawn = (Repairer(HarmonicFill(), look=look).repair(photo, mask) for look in natural.LOOKS)
    known = steps(photo[40:, 80:])  # a part of it without holes, as far as it is looked at
    assert steps(faithful) < 0.1 * known
    assert 0.4 * known < steps(drawn) < 1.3 * known
    assert np.array_equal(drawn[~mask], photo[~mask])
    assert np.array_equal(drawn, Repairer(TextureFill(HarmonicFill())).repair(photo, mask))
    mean = drawn[50:86, 50:90].mean(axis=(0, 1)) - faithful[50:86, 50:90].mean(axis=(0, 1))
    assert np.abs(mean).max() < 8


def test_a_hole_that_is_too_large_keeps_the_faithful_fill(
    grainy: tuple[Photo, Mask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(natural, "LONGEST", 29)
    faithful, drawn = (Repairer(HarmonicFill(), look=look).repair(*grainy) for look in natural.LOOKS)
    assert np.array_equal(drawn, faithful)


def test_the_larger_crop_holds_the_faithful_one() -> None:
    """Though each is rounded up behind the hole, where the photo has room."""
    rng, beyond = np.random.default_rng(0), 0
    for _ in range(300):
        shape = tuple(int(side) for side in rng.integers(300, 800, 2))
        hole = random_box(rng, shape[0], shape[1], 60, 250)
        window = slice(hole.y, hole.y + hole.height), slice(hole.x, hole.x + hole.width)
        faithful, larger = crop_around(window, shape), crop_around(window, shape, max(hole.width, hole.height) // 2)
        beyond += any(a.start < b.start or a.stop > b.stop for a, b in zip(faithful, larger, strict=True))
        both = union(faithful, larger)
        for side, of_faithful, size in zip(both, faithful, shape, strict=True):
            assert 0 <= side.start <= of_faithful.start < of_faithful.stop <= side.stop <= size
    assert beyond > 0


@pytest.mark.usefixtures("_shipped")
def test_its_error_is_known_by_itself(tmp_path: Path) -> None:
    """The shipped networks know that of both looks."""
    for name in ("photomend-s", "photomend-m"):
        known = load(name)[1]
        assert known.own is not None
        assert known.natural is not None
        assert known.own != known.natural
    model, calibrations = load("texture")
    assert isinstance(model, TextureFill)
    assert calibrations == load()[1] == load("attention")[1] == load("photomend-s")[1]
    checkpoint = replace(load_checkpoint(WEIGHTS_FOLDER / "photomend-s.safetensors"), natural_calibration={})
    save_checkpoint(tmp_path / "mine.safetensors", checkpoint)
    mine = str(tmp_path / "mine.safetensors")
    assert load(mine)[1] == Calibrations(load("photomend-s")[1].own)
    save_checkpoint(tmp_path / "mine.safetensors", replace(checkpoint, natural_calibration={"mean": "high"}))
    with pytest.raises(PhotomendError, match=r"mine\.safetensors: its calibration is damaged"):
        Repairer.load(mine)


def test_each_hole_has_the_error_of_the_look_that_it_gets(grainy: tuple[Photo, Mask]) -> None:
    """Scratches and specks are the same in both looks, and so is what is expected of them."""
    photo, mask = grainy
    own, other = (Calibration((level, 0, 0, 0), 1.0, 0.5, 2.0) for level in (1.0, 4.0))
    canvas, scratch, speck = RGBCanvas(photo), np.zeros_like(mask), np.zeros_like(mask)
    scratch[20:80, 20:22], speck[120:128, 120:128] = True, True
    network = AttentionModel(width=16, window=32)

    def expected(missing: Mask, calibrations: Calibrations, look: str = "natural") -> list[float]:
        found = Repairer(network, calibrations=calibrations, look=look).expectations(canvas, missing)
        return sorted(round(each.mae, 3) for *_, each in found)

    both = Calibrations(own, other)
    low, high = (round(math.exp(level) - LEAST, 3) for level in (1.0, 4.0))
    assert expected(scratch | speck, both) == [low, low]
    assert expected(mask, both) == [low, high, high]  # two holes and a scratch
    assert expected(mask, both, "faithful") == [low, low, low]
    assert expected(mask, Calibrations(own)) == []
    assert expected(scratch | speck, Calibrations(own)) == [low, low]


@pytest.mark.usefixtures("_shipped")
def test_it_is_the_look_of_shipped_networks(
    grainy: tuple[Photo, Mask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (None, "attention", "photomend-s", "photomend-m"):
        assert Repairer.load(name).texture is not None
        assert Repairer.load(name, look="faithful").texture is None
    for name in ("harmonic", "telea", "linear", "attention-report", str(WEIGHTS_FOLDER / "photomend-s.safetensors")):
        assert Repairer.load(name).texture is None
    monkeypatch.chdir(tmp_path)
    Path("attention").mkdir()  # a run of one's own is called like the shipped model
    shutil.copy(WEIGHTS_FOLDER / "photomend-s.safetensors", "attention/best.safetensors")
    assert Repairer.load("attention").texture is None
    assert Repairer.load("photomend-s").texture is not None
    photo, mask = grainy
    usual, drawn = photomend.repair(photo, mask), photomend.repair(photo, mask, look="natural")
    assert np.array_equal(usual, drawn)
    assert not np.array_equal(usual, photomend.repair(photo, mask, look="faithful"))


@pytest.mark.parametrize(("side", "same"), [(8, True), (9, False)])
def test_specks_keep_the_faithful_fill(grainy: tuple[Photo, Mask], side: int, same: bool) -> None:
    """However many there are, and though they are rebuilt together; an edge of the photo is no known pixel."""
    photo, _ = grainy
    mask = boxes_mask([Box(x, y, side, side) for x in (40, 60) for y in (40, 60)], *photo.shape[:2])
    at_edge = boxes_mask([Box(0, 60, side // 2, 30)], *photo.shape[:2])
    for missing in (mask, at_edge):
        faithful, drawn = (Repairer(HarmonicFill(), look=look).repair(photo, missing) for look in natural.LOOKS)
        assert np.array_equal(faithful, drawn) == (same or missing is at_edge)
    faithful, drawn = (
        Repairer(HarmonicFill(), look=look).repair(photo, boxes_mask([Box(0, 60, 5, 30)], *photo.shape[:2]))
        for look in natural.LOOKS
    )
    assert not np.array_equal(faithful, drawn)


def test_a_hole_is_drawn_if_a_pixel_of_it_is_far_from_all_known_ones() -> None:
    """By the distance along rows, columns and diagonals, in which beyond the photo's edge nothing is known."""
    rng, drawn = np.random.default_rng(1), []
    for _ in range(300):
        mask, [height, width] = np.zeros((60, 70), bool), rng.integers(1, 16, 2)
        top, left = rng.choice([0, 60 - height, 20]), rng.choice([0, 70 - width, 30])
        mask[top : top + height, left : left + width] = rng.random((height, width)) < rng.choice([0.7, 0.95, 1])
        for hole in find_holes(mask):
            [part] = pieces(hole)
            own = hole.mask((slice(0, 60), slice(0, 70)))
            far = ndimage.distance_transform_cdt(own, "chessboard").max() > natural.THIN
            drawn.append(natural.draws(hole, part, crop_around(part.window, mask.shape)))
            assert drawn[-1] == far
    assert 20 < sum(drawn) < len(drawn) - 20


@pytest.mark.usefixtures("_shipped")
def test_weights_that_say_so_are_not_for_repair_whatever_they_are_called(tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="model 'gan' is for comparison, not for repair"):
        Repairer.load("gan")
    shutil.copy(WEIGHTS_FOLDER / "gan.safetensors", tmp_path / "mine.safetensors")
    with pytest.raises(PhotomendError, match=r"mine\.safetensors' is for comparison, not for repair"):
        Repairer.load(str(tmp_path / "mine.safetensors"))
    known = load_checkpoint(tmp_path / "mine.safetensors")
    save_checkpoint(tmp_path / "trained.safetensors", replace(known, for_comparison=False))
    assert Repairer.load(str(tmp_path / "trained.safetensors")).trained == 61
    assert load_checkpoint(WEIGHTS_FOLDER / "photomend-s.safetensors").for_comparison is False


def test_from_python(grainy: tuple[Photo, Mask], tmp_path: Path) -> None:
    photo, mask = grainy
    drawn = photomend.repair(photo, mask, model="harmonic", look="natural", output=tmp_path / "drawn.png")
    assert np.array_equal(drawn, Repairer(HarmonicFill(), look="natural").repair(photo, mask))
    with pytest.raises(PhotomendError, match=r"look 'naturl' is unknown; .*natural"):
        photomend.repair(photo, mask, look="naturl")


@pytest.mark.parametrize("side", [63, 64, 65, *range(122, 131)])
def test_the_patches_crop_holds_the_fills(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both crops around a hole are rounded, each by itself, and shifted where the photo ends."""
    monkeypatch.setattr(TextureFill, "complete", lambda self, photo, own, missing, guide: guide)
    for top in (0, 99, 300 - side):
        photo, mask = np.full((300, 310, 3), 90, np.uint8), boxes_mask([Box(90, top, side - 23, side)], 300, 310)
        photo[mask] = 0
        assert (Repairer(HarmonicFill(), look="natural").repair(photo, mask) == 90).all()
