"""Damage found by itself: bounded misses and false finds on simulated scans of a photo, black paint, and refusals."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from photomend.app.masks import damage
from photomend.app.masks.choice import Choice, damage_of
from photomend.app.masks.damage import find_damage, shades_of
from photomend.app.masks.marks import TOUCHING
from photomend.app.masks.paint import find_paint
from photomend.app.photo.canvas import RepairError
from photomend.app.photo.picture import Picture
from photomend.benchmarks.scanning.simulate import NONE, Scan, simulate
from photomend.core import PhotomendError
from PIL import Image
from scipy import ndimage
from skimage import data

#: A person before a studio's background, in grey.
PHOTO = np.repeat(np.asarray(Image.fromarray(data.astronaut()).convert("L"))[..., None], 3, axis=2)


def scan(seed: int, **amounts: int) -> Scan:
    return simulate(PHOTO, np.random.default_rng(seed), NONE | {kind: (n, n + 1) for kind, n in amounts.items()})


def test_misses_and_false_finds_are_bounded() -> None:
    simulated = scan(0, dust=30, scratch=2)
    found = find_damage(simulated.pixels)
    near = ndimage.binary_dilation(simulated.mask, TOUCHING, 2)
    for kind, least in {"dust": 0.4, "scratch": 0.5}.items():
        hits = [found[window][own].mean() >= 0.5 for name, window, own in simulated.visible if name == kind]
        assert len(hits) >= 2
        assert np.mean(hits) >= least, kind
    assert (found & ~near).mean() < 3e-3
    assert find_damage(simulated.pixels, 0.95).sum() < found.sum()


def test_little_is_found_where_nothing_is() -> None:
    assert find_damage(scan(0).pixels).mean() < 2e-3
    assert not find_damage(np.full((40, 300), 90, np.uint8)).any()
    assert find_damage(np.full((1, 1), 90, np.uint8)).shape == (1, 1)


def test_light_and_dark_and_squares_of_a_large_photo_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    shades = scan(1, dust=60).pixels[:200, :300, 0]
    found = find_damage(shades)
    assert found.any()
    assert np.array_equal(find_damage(255 - shades), found)
    monkeypatch.setattr(damage, "TILE", 128)
    assert (find_damage(shades) != found).mean() < 3e-3


def test_threads_and_steps_change_nothing_and_an_error_in_a_step_ends_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(damage, "TILE", 64)
    shades = scan(1, dust=60).pixels[:200, :300, 0]
    found, threads, steps = find_damage(shades), torch.get_num_threads(), list[tuple[int, int]]()
    try:
        torch.set_num_threads(3)
        assert np.array_equal(find_damage(shades, on_step=lambda done, total: steps.append((done, total))), found)
    finally:
        torch.set_num_threads(threads)
    assert steps == [(done, 20) for done in range(1, 21)]

    def stop(done: int, total: int) -> None:
        steps.append((done, total))
        raise KeyboardInterrupt

    searched = []

    def search(*given: object) -> np.ndarray:
        searched.append(given)
        time.sleep(0.002)
        return np.zeros((8, 64), bool)

    monkeypatch.setattr(damage, "_search", search)
    monkeypatch.setattr(damage, "_squares", lambda shape: iter([(slice(0, 8), slice(0, 64))] * 5000))
    with pytest.raises(KeyboardInterrupt):
        find_damage(shades, on_step=stop)
    assert len(steps) == 21
    assert len(searched) < 5000


def test_larger_dust_is_found_on_a_smaller_version() -> None:
    photo = np.full((200, 1700), 90, np.uint8)
    photo[100:116, 100:116] = 230
    found = find_damage(photo)
    assert found[100:116, 100:116].all()
    assert found.sum() < 2 * 16**2


def test_black_paint_is_told_from_black_shadows() -> None:
    photo = data.astronaut()
    shades = np.asarray(Image.fromarray(photo).convert("L")).copy()
    assert not find_paint(shades).any()
    painted = np.zeros(shades.shape, bool)
    painted[250:290, 30:110] = painted[100:106, 250:330] = True
    shades[painted] = 0
    assert np.array_equal(find_paint(shades), painted)
    assert find_paint(shades, lossy=True)[painted].all()
    shadow = np.add.outer(np.zeros(60), np.abs(np.arange(80) - 40)).astype(np.uint8) * 2
    shadow[:, 30:50] = 0  # it fades into the dark around it
    assert not find_paint(shadow).any()
    assert not find_paint(np.full((20, 20), 0, np.uint8)).any()


@pytest.mark.parametrize("kind", ["grey", "16 bits", "alpha", "float"])
def test_pictures_of_every_kind(kind: str) -> None:
    pixels = scan(0, dust=30).pixels[200:300, :160]
    found = find_damage(pixels)
    pictures = {
        "grey": Picture(pixels[..., 0], "grey"),
        "16 bits": Picture(pixels.astype(np.uint16) * 257, "RGB"),
        "alpha": Picture(np.concatenate((pixels, np.full((100, 160, 1), 255, np.uint8)), axis=2), "RGB", alpha=True),
        "float": Picture(pixels / np.float32(255), "RGB"),
    }
    shades = shades_of(pictures[kind])
    expected = find_damage(pixels[..., 0] if kind == "grey" else pixels)
    assert np.array_equal(find_damage(shades), expected)
    assert found.any()
    if kind == "alpha":
        pictures[kind].pixels[found, 3] = 0
        assert not (damage_of(pictures[kind]) & found).any()


def test_nothing_found_is_said() -> None:
    with pytest.raises(RepairError, match="no damage is found, nor black paint"):
        Choice(damage=True).missing(Picture(np.full((50, 60), 90, np.uint8), "grey"))


@pytest.mark.parametrize(
    ("pixels", "certainty", "words"),
    [
        (np.zeros((9, 9)), 0.5, r"pixels must be uint8 \(H, W\) or \(H, W, 3\), not float64 \(9, 9\)"),
        (np.zeros((9, 9, 4), np.uint8), 0.5, r"not uint8 \(9, 9, 4\)"),
        (np.zeros((9, 9), np.uint8), 0.0, r"certainty \(=0.0\) must be between 0 and 1"),
        (np.zeros((9, 9), np.uint8), 1, r"certainty \(=1\) must be between 0 and 1"),
    ],
)
def test_mistakes(pixels: np.ndarray, certainty: float, words: str) -> None:
    with pytest.raises(PhotomendError, match=words):
        find_damage(pixels, certainty)
