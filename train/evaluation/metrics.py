"""How far a rebuilt photo is from the truth: the protocol's numbers, errors on the 0–255 scale."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10
from typing import Any

import numpy as np
import skimage  # loads its parts when they are first used
import torch

from ...core import Array
from .texture import texture_distances

PEAK = 255.0  # photos are in [0, 1]; errors are reported in grey levels
SSIM_RADIUS = 5  # of the Gaussian window, 11×11
Pixels = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class PhotoMetrics:
    """One photo's errors, in grey levels (0–255) or their square, averaged over pixels and the three channels.

    `mse`, `mae` and `ssim` are taken over all pixels, `hole_mse`, `hole_mae` and `hole_psnr` (dB, infinite for an exact
    rebuild) over the missing ones only. `gradient_energy` is that in the hole and `true_gradient_energy` the truth's
    there: a rebuild that is blurred has less. `texture` is how far the patches in the hole are from the truth's, and
    `flat_texture` how far those of a hole in one colour are (`texture.py`).
    """

    mse: float
    mae: float
    hole_mse: float
    hole_mae: float
    hole_psnr: float
    ssim: float
    gradient_energy: float
    true_gradient_energy: float
    texture: float
    flat_texture: float


def photo_metrics(truth: Array, rebuilt: Array, mask: Array) -> PhotoMetrics:
    """Compare two photos (3, H, W) in [0, 1]; `mask` (1, H, W) is 1 where pixels were missing.

    SSIM is that of Wang et al. 2004, *Image quality assessment*: Gaussian 11×11 window, σ = 1.5, per channel, then
    averaged. Raises ValueError where the shapes differ, a side is below 11 pixels, or nothing is missing.
    """
    if truth.shape != rebuilt.shape or mask.shape != (1, *truth.shape[1:]):
        shapes = f"truth {tuple(truth.shape)}, rebuilt {tuple(rebuilt.shape)}, mask {tuple(mask.shape)}"
        raise ValueError(f"shapes do not belong together: {shapes}")
    if min(truth.shape[1:]) < 2 * SSIM_RADIUS + 1:
        raise ValueError(f"truth {tuple(truth.shape)} is smaller than SSIM's window ({2 * SSIM_RADIUS + 1} pixels)")
    hole = mask[0].cpu().numpy() > 0.5
    if not hole.any():
        raise ValueError("mask is empty: there is no hole to measure")
    errors = {name: value.item() for name, value in pixel_errors(truth[None], rebuilt[None], mask[None]).items()}
    hole_mse = errors["hole_mse"]
    rows, columns = _rectangle(hole, 0)
    inside = slice(None), rows, columns
    energy, true_energy = (gradient_energy(x[inside][None], mask[inside][None]).item() for x in (rebuilt, truth))
    texture, flat_texture = texture_distances(truth[inside], rebuilt[inside], mask[inside])
    return PhotoMetrics(
        **errors,
        hole_psnr=10 * log10(PEAK**2 / hole_mse) if hole_mse > 0 else inf,
        ssim=ssim(grey_levels(truth), grey_levels(rebuilt)),
        gradient_energy=energy,
        true_gradient_energy=true_energy,
        texture=texture,
        flat_texture=flat_texture,
    )


def pixel_errors(truth: Array, rebuilt: Array, mask: Array) -> dict[str, Array]:
    """The `mse`, `mae`, `hole_mse` and `hole_mae` of photos (N, 3, H, W) with holes (N, 1, H, W), each float64 (N,)."""
    error = PEAK * (rebuilt.double() - truth.double())
    missing = mask > 0.5
    values = error.shape[1] * missing.sum(dim=(1, 2, 3))
    found = {}
    for name, each in (("mse", error.square()), ("mae", error.abs())):
        found[name] = each.mean(dim=(1, 2, 3))
        found[f"hole_{name}"] = (each * missing).sum(dim=(1, 2, 3)) / values
    return found


def gradient_energy(photo: Array, mask: Array) -> Array:
    """The mean squared difference of neighbouring missing pixels, in grey levels² (0–255): (N,).

    It measures sharpness: a model that minimises the squared error blurs what it can't know. Differences to the right
    and downwards, where both pixels are missing: the seam to the known pixels is left out. A hole filled with one
    colour has 0, as has one without two neighbouring pixels. Noise and the seams between blocks raise it, too.

    Args:
        photo: (N, C, H, W) in [0, 1].
        mask: (N, 1, H, W), 1 = missing.
    """
    missing = mask > 0.5
    energy = torch.zeros(len(photo), dtype=torch.float64, device=photo.device)
    pairs = torch.zeros_like(energy)
    for axis in (2, 3):
        length = photo.shape[axis] - 1
        here, there = (photo.double().narrow(axis, start, length) for start in (0, 1))
        both = missing.narrow(axis, 0, length) & missing.narrow(axis, 1, length)
        energy = energy + ((PEAK * (there - here)).square() * both).sum(dim=(1, 2, 3))
        pairs = pairs + photo.shape[1] * both.sum(dim=(1, 2, 3))
    return energy / pairs.clamp_min(1)


def ssim(expected: Pixels, got: Pixels) -> float:
    """The mean structural similarity of two photos (H, W, 3) on the 0–255 scale, windows over the edge left out.

    A window in which the two are equal counts 1, so only those in the rectangle around all differences are computed.
    """
    differs = (expected != got).any(axis=2)
    if not differs.any():
        return 1.0
    # The windows that touch a difference lie within a radius of it, and see as far again.
    near = _rectangle(differs, 2 * SSIM_RADIUS)
    computed = skimage.metrics.structural_similarity(
        expected[near],
        got[near],
        channel_axis=2,
        data_range=PEAK,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    windows, of_all = ((len(x) - 2 * SSIM_RADIUS) * (x.shape[1] - 2 * SSIM_RADIUS) for x in (expected[near], expected))
    return float(1 - (1 - computed) * (windows / of_all))


def _rectangle(here: Flags, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the rectangle around all that is true in `here` (H, W), with a margin in pixels."""
    found = np.nonzero(here)
    rows, columns = (slice(max(at.min() - margin, 0), at.max() + margin + 1) for at in found)
    return rows, columns


def grey_levels(photo: Array) -> Pixels:
    """(3, H, W) in [0, 1] → float64 (H, W, 3) in [0, 255]."""
    return photo.permute(1, 2, 0).cpu().double().numpy() * PEAK
