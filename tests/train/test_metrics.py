"""The protocol's numbers against skimage.metrics, and the bootstrap against what is known of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from photomend.train.metrics import bootstrap_interval, bootstrap_ratio, photo_metrics
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity


@pytest.fixture
def photos() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 32, 40, generator=generator)
    mask = torch.zeros(1, 32, 40)
    mask[:, 5:17, 8:30] = 1
    return truth, torch.where(mask > 0, torch.rand(3, 32, 40, generator=generator), truth), mask


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
    assert metrics.ssim == pytest.approx(structural_similarity(a, b, channel_axis=2, data_range=255))
    # The known pixels are exact, so the whole-photo error is the hole's, diluted.
    assert metrics.mse == pytest.approx(metrics.hole_mse * hole.mean())


def test_one_grey_level_everywhere() -> None:
    mask = torch.ones(1, 8, 8)
    metrics = photo_metrics(torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), 0.5 + 3 / 255), mask)
    assert metrics.mse == pytest.approx(9, abs=1e-4)
    assert metrics.mae == metrics.hole_mae == pytest.approx(3, abs=1e-4)


def test_exact(photos: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    truth, _, mask = photos
    metrics = photo_metrics(truth, truth, mask)
    assert (metrics.mse, metrics.hole_mae, metrics.ssim) == (0, 0, 1)
    assert metrics.hole_psnr == math.inf


def test_errors(photos: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    truth, rebuilt, mask = photos
    with pytest.raises(ValueError, match="do not belong together"):
        photo_metrics(truth, rebuilt[:, :-1], mask)
    with pytest.raises(ValueError, match="do not belong together"):
        photo_metrics(truth, rebuilt, mask[0])
    with pytest.raises(ValueError, match="empty"):
        photo_metrics(truth, rebuilt, torch.zeros_like(mask))
    with pytest.raises(ValueError, match="window"):
        photo_metrics(truth[:, :6], rebuilt[:, :6], mask[:, :6])


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        low, high = bootstrap_interval(rng.exponential(2.0, 60).tolist(), seed=trial, resamples=400)
        covered += low <= 2.0 <= high
    assert 0.87 <= covered / 200 <= 0.985  # a percentile bootstrap of 60 skewed values covers about 93 %


def test_the_interval_is_that_of_the_normal_for_many_values() -> None:
    values = np.random.default_rng(0).normal(10, 3, 2000)
    low, high = bootstrap_interval(values.tolist())
    half = 1.96 * values.std() / math.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)
    assert bootstrap_interval(values.tolist()) == (low, high)


def test_pairing_narrows_the_ratio() -> None:
    rng = np.random.default_rng(2)
    hard = rng.exponential(50, 100)
    ratio, (low, high) = bootstrap_ratio((0.9 * hard).tolist(), hard.tolist())
    assert (ratio, low, high) == pytest.approx((0.9, 0.9, 0.9))
    noisy = 0.9 * hard * rng.uniform(0.9, 1.1, 100)
    ratio, (low, high) = bootstrap_ratio(noisy.tolist(), hard.tolist())
    assert low < ratio < high < 1
    alone = bootstrap_interval(noisy.tolist())
    assert (high - low) < (alone[1] - alone[0]) / hard.mean()


def test_bootstrap_edges() -> None:
    assert bootstrap_interval([4.0]) == (4.0, 4.0)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match="not of the same photos"):
        bootstrap_ratio([1.0, 2.0], [1.0])
