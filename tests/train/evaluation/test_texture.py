"""The texture distance against plain loops, and on textures whose distance is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from photomend.train.evaluation import texture
from photomend.train.evaluation.texture import SIDE, texture_distance


def by_loops(truth: np.ndarray, rebuilt: np.ndarray, mask: np.ndarray, directions: np.ndarray) -> float:
    """The definition, pixel by pixel; photos (3, H, W), mask (H, W), directions (3·SIDE², K)."""
    distance = flat = 0.0
    for _ in range(3):
        clouds: list[list[np.ndarray]] = [[], []]
        height, width = mask.shape
        for y in range(height - SIDE + 1):
            for x in range(width - SIDE + 1):
                if all(mask[y + i, x + j] for i in range(SIDE) for j in range(SIDE)):
                    for cloud, photo in zip(clouds, (truth, rebuilt), strict=True):
                        patch = photo[:, y : y + SIDE, x : x + SIDE]
                        cloud.append(np.concatenate([(channel - channel.mean()).ravel() for channel in patch]))
        for direction in directions.T if clouds[0] else ():
            there, here = (sorted(float(direction @ patch) for patch in cloud) for cloud in clouds)
            distance += sum(abs(a - b) for a, b in zip(there, here, strict=True)) / len(there) / directions.shape[1]
            flat += sum(map(abs, there)) / len(there) / directions.shape[1]
        half = height // 2, width // 2
        smaller = [np.zeros((3, *half)), np.zeros((3, *half))]
        all_missing = np.zeros(half, np.bool_)
        for y in range(half[0]):
            for x in range(half[1]):
                block = slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2)
                all_missing[y, x] = mask[block].all()
                for new, photo in zip(smaller, (truth, rebuilt), strict=True):
                    new[:, y, x] = photo[:, block[0], block[1]].mean(axis=(1, 2))
        (truth, rebuilt), mask = smaller, all_missing
    return distance / flat


def test_against_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole that isn't a rectangle, and begins at an odd pixel: patches fit at the first two resolutions."""
    monkeypatch.setattr(texture, "DIRECTIONS", 5)
    generator = torch.Generator().manual_seed(1)
    truth, rebuilt = torch.rand(2, 3, 23, 24, generator=generator, dtype=torch.float64)
    mask = torch.zeros(1, 23, 24)
    mask[0, 3:21, 5:22] = 1
    mask[0, 3:5, 5:8] = 0
    directions = texture._directions(truth).numpy()
    assert np.allclose(np.linalg.norm(directions, axis=0), 1)
    expected = by_loops(truth.numpy(), rebuilt.numpy(), mask[0].numpy() > 0.5, directions)
    assert texture_distance(truth, rebuilt, mask) == pytest.approx(expected, rel=1e-12)


def test_the_place_of_a_texture_is_free_and_its_contrast_is_not() -> None:
    rows = torch.arange(48.0)
    stripes = (0.5 + 0.4 * torch.sin(rows * math.pi / 3)).expand(3, 48, 48)
    mask = torch.zeros(1, 48, 48)
    mask[0, 4:40, 4:40] = 1
    blank = torch.full_like(stripes, 0.5)
    assert texture_distance(stripes, stripes, mask) == 0
    assert texture_distance(stripes, blank, mask) == pytest.approx(1)
    assert texture_distance(stripes, stripes.roll(6, dims=2), mask) == pytest.approx(0, abs=1e-5)
    assert texture_distance(stripes, 0.5 + (stripes - 0.5) / 2, mask) == pytest.approx(0.5, abs=1e-6)
    assert texture_distance(stripes, stripes.mT, mask) > 0.2  # the other way round they are another texture
    assert texture_distance(blank, stripes, mask) == math.inf
    assert texture_distance(blank, blank + 0.25, mask) == 0


def test_a_thin_hole_has_no_patches() -> None:
    photo, mask = torch.rand(3, 20, 20), torch.zeros(1, 20, 20)
    mask[0, 4:10] = 1
    assert math.isnan(texture_distance(photo, photo, mask))
    assert math.isnan(texture_distance(photo[:, :5], photo[:, :5], mask[:, :5]))
