"""Sharpness: how much texture a rebuilt hole has. A model that minimises the squared error blurs what it can't know."""

from __future__ import annotations

import torch

from ..core import Array


def gradient_energy(photo: Array, mask: Array) -> Array:
    """The mean squared difference of neighbouring missing pixels, in grey levels² (0–255): (N,).

    Differences to the right and downwards, where both pixels are missing: the seam to the known pixels is left out. A
    hole filled with one colour has 0, as has one without two neighbouring pixels. It doesn't tell detail from noise, or
    from the seams between blocks: both raise it.

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
        energy = energy + ((255 * (there - here)).square() * both).sum(dim=(1, 2, 3))
        pairs = pairs + photo.shape[1] * both.sum(dim=(1, 2, 3))
    return energy / pairs.clamp_min(1)
