"""How far a rebuilt photo is from the truth: the protocol's numbers, all on the 0–255 scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10

import numpy as np
from skimage.metrics import structural_similarity

from ..core import Array

PEAK = 255.0  # photos are in [0, 1]; errors are reported in grey levels
SSIM_WINDOW = 7
Interval = tuple[float, float]


@dataclass(frozen=True)
class PhotoMetrics:
    """One photo's errors, in grey levels (0–255) or their square, averaged over pixels and the three
    channels.

    `mse`, `mae` and `ssim` are taken over all pixels, `hole_mse`, `hole_mae` and `hole_psnr` (dB, infinite
    for an exact rebuild) over the missing ones only.
    """

    mse: float
    mae: float
    hole_mse: float
    hole_mae: float
    hole_psnr: float
    ssim: float


def photo_metrics(truth: Array, rebuilt: Array, mask: Array) -> PhotoMetrics:
    """Compare two photos (3, H, W) in [0, 1]; `mask` (1, H, W) is 1 where pixels were missing.

    SSIM is Wang et al. 2004 with a uniform 7×7 window, per channel, then averaged, as in skimage.metrics.
    Raises ValueError where the shapes differ, a side is below 7 pixels, or nothing is missing.
    """
    if truth.shape != rebuilt.shape or mask.shape != (1, *truth.shape[1:]):
        shapes = f"truth {tuple(truth.shape)}, rebuilt {tuple(rebuilt.shape)}, mask {tuple(mask.shape)}"
        raise ValueError(f"shapes do not belong together: {shapes}")
    if min(truth.shape[1:]) < SSIM_WINDOW:
        raise ValueError(f"truth {tuple(truth.shape)} is smaller than SSIM's window ({SSIM_WINDOW} pixels)")
    expected, got = grey_levels(truth), grey_levels(rebuilt)
    hole = mask[0].cpu().numpy() > 0.5
    if not hole.any():
        raise ValueError("mask is empty: there is no hole to measure")
    error = got - expected
    hole_mse = float(np.square(error[hole]).mean())
    return PhotoMetrics(
        mse=float(np.square(error).mean()),
        mae=float(np.abs(error).mean()),
        hole_mse=hole_mse,
        hole_mae=float(np.abs(error[hole]).mean()),
        hole_psnr=10 * log10(PEAK**2 / hole_mse) if hole_mse > 0 else inf,
        ssim=float(structural_similarity(expected, got, channel_axis=2, data_range=PEAK, win_size=SSIM_WINDOW)),
    )


def grey_levels(photo: Array) -> np.ndarray:
    """(3, H, W) in [0, 1] → float64 (H, W, 3) in [0, 255]."""
    return photo.permute(1, 2, 0).cpu().double().numpy() * PEAK


def bootstrap_interval(values: Sequence[float], seed: int = 0, resamples: int = 10_000) -> Interval:
    """The 95 % interval of the mean of `values` by the percentile bootstrap (Efron & Tibshirani 1993,
    chapter 13).
    """
    means = resampled_means(np.asarray([values], dtype=np.float64), seed, resamples)[0]
    return percentiles(means)


def bootstrap_ratio(
    values: Sequence[float], reference: Sequence[float], seed: int = 0, resamples: int = 10_000
) -> tuple[float, Interval]:
    """mean(values) / mean(reference) over the *same* photos, and its 95 % interval.

    Photos are drawn in pairs, so what makes a photo hard for both models cancels: the interval is far
    narrower than the two separate ones suggest. A ratio below 1 whose interval excludes 1 is a real gain.

    Raises ValueError when the two have different lengths.
    """
    if len(values) != len(reference):
        raise ValueError(f"values ({len(values)}) and reference ({len(reference)}) are not of the same photos")
    both = np.asarray([values, reference], dtype=np.float64)
    means = resampled_means(both, seed, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(both[0].mean() / both[1].mean()), percentiles(means[0] / means[1])


def resampled_means(rows: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Means (R, resamples) of R rows (R, n), all rows resampled by the same draws, a few million draws at a
    time.
    """
    count = rows.shape[1]
    if count == 0:
        raise ValueError("values: a bootstrap needs at least one")
    rng = np.random.default_rng(seed)
    block = max(1, 2_000_000 // count)
    parts = []
    for start in range(0, resamples, block):
        draws = rng.integers(count, size=(min(block, resamples - start), count))
        parts.append(rows[:, draws].mean(axis=2))
    return np.concatenate(parts, axis=1)


def percentiles(samples: np.ndarray) -> Interval:
    low, high = np.percentile(samples, (2.5, 97.5))
    return float(low), float(high)
