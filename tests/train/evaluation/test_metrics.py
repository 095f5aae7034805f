"""The protocol's numbers against skimage.metrics."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import torch
from photomend.data.evaluation_set import EvaluationSet, MaskedPhoto
from photomend.data.masks import Box
from photomend.models import HarmonicFill
from photomend.train.evaluation.metrics import grey_levels, photo_metrics, ssim
from photomend.train.validation import ERRORS, Validator
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity


@pytest.fixture
def photos() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 32, 40, generator=generator)
    mask = torch.zeros(1, 32, 40)
    mask[:, 5:17, 8:30] = 1
    return truth, torch.where(mask > 0, torch.rand(3, 32, 40, generator=generator), truth), mask


def standard_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Of the whole photo, with the settings that skimage's documentation gives for Wang et al.'s."""
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(a, b, channel_axis=2, data_range=255, **settings))


def test_against_skimage(photos: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    truth, rebuilt, mask = photos
    metrics = photo_metrics(truth, rebuilt, mask)
    a, b = (255 * photo.permute(1, 2, 0).double().numpy() for photo in (truth, rebuilt))
    hole = mask[0].bool().numpy()
    assert metrics.mse == pytest.approx(mean_squared_error(a, b))
    assert metrics.mae == pytest.approx(np.abs(a - b).mean())
    assert metrics.hole_mse == pytest.approx(mean_squared_error(a[hole], b[hole]))
    assert metrics.hole_mae == pytest.approx(np.abs(a[hole] - b[hole]).mean())
    assert metrics.hole_psnr == pytest.approx(peak_signal_noise_ratio(a[hole], b[hole], data_range=255))
    assert metrics.ssim == pytest.approx(standard_ssim(a, b), abs=1e-12)
    # The known pixels are exact, so the whole-photo error is the hole's, diluted.
    assert metrics.mse == pytest.approx(metrics.hole_mse * hole.mean())


@pytest.mark.parametrize("seed", range(12))
def test_ssim_is_that_of_the_whole_photo_wherever_the_hole_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(11, 80, 2)
    top, left = rng.integers(0, height), rng.integers(0, width)
    truth = grey_levels(torch.from_numpy(rng.random((3, height, width))))
    rebuilt = truth.copy()
    hole = rebuilt[top : top + rng.integers(1, 30), left : left + rng.integers(1, 30)]
    hole[:] = 255 * rng.random(hole.shape)
    assert ssim(truth, rebuilt) == pytest.approx(standard_ssim(truth, rebuilt), abs=1e-12)


def test_one_grey_level_everywhere() -> None:
    mask = torch.ones(1, 12, 12)
    metrics = photo_metrics(torch.full((3, 12, 12), 0.5), torch.full((3, 12, 12), 0.5 + 3 / 255), mask)
    assert metrics.mse == pytest.approx(9, abs=1e-4)
    assert metrics.mae == metrics.hole_mae == pytest.approx(3, abs=1e-4)


def test_exact(photos: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    truth, _, mask = photos
    metrics = photo_metrics(truth, truth, mask)
    assert (metrics.mse, metrics.hole_mae, metrics.ssim) == (0, 0, 1)
    assert metrics.hole_psnr == math.inf


def test_gradient_energy_of_hole_and_truth(photos: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    truth, rebuilt, mask = photos
    metrics = photo_metrics(truth, torch.where(mask > 0, 0.5, truth), mask)
    assert metrics.gradient_energy == 0
    hole = 255 * truth[:, 5:17, 8:30].double().numpy()
    squares = [np.square(np.diff(hole, axis=axis)) for axis in (1, 2)]
    mean = sum(s.sum() for s in squares) / sum(s.size for s in squares)
    assert metrics.true_gradient_energy == pytest.approx(mean)
    assert photo_metrics(truth, rebuilt, mask).true_gradient_energy == metrics.true_gradient_energy


def test_errors(photos: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    truth, rebuilt, mask = photos
    with pytest.raises(ValueError, match="do not belong together"):
        photo_metrics(truth, rebuilt[:, :-1], mask)
    with pytest.raises(ValueError, match="do not belong together"):
        photo_metrics(truth, rebuilt, mask[0])
    with pytest.raises(ValueError, match="empty"):
        photo_metrics(truth, rebuilt, torch.zeros_like(mask))
    with pytest.raises(ValueError, match="window"):
        photo_metrics(truth[:, :10], rebuilt[:, :10], mask[:, :10])


def test_validation_finds_what_the_table_does(photos: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    truth, _, mask = photos
    truth = (255 * truth).round() / 255
    sample = MaskedPhoto("a", "", truth, mask, Box(8, 5, 22, 12))
    found = Validator(cast(EvaluationSet, [sample]))(HarmonicFill()).metrics
    expected = photo_metrics(truth, HarmonicFill().reconstruct((truth * (1 - mask))[None], mask[None])[0], mask)
    assert {name: found[name] for name in ERRORS} == {name: getattr(expected, name) for name in ERRORS}
    assert found["sharpness"] == pytest.approx(expected.gradient_energy / expected.true_gradient_energy)
