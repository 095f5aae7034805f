"""Photos and holes for the tests of models."""

from __future__ import annotations

import numpy as np
import torch
from photomend.core import Array
from skimage import data


def photo(height: int, width: int) -> Array:
    """(1, 3, height, width) in [0, 1], a piece of a real photo."""
    pixels = data.astronaut()[:height, :width]
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def rectangle(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Array:
    """(1, 1, height, width), 1 in a rectangle."""
    mask = torch.zeros(1, 1, height, width)
    mask[:, :, top:bottom, left:right] = 1
    return mask


def crops(count: int, side: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Array, Array]:
    """Smooth random pictures (count, 3, side, side) in [0, 1] and a rectangular hole in each."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    waves = rng.uniform(1, 9, size=(count, 3, 2, 1, 1))
    pictures = 0.5 + 0.4 * np.sin(waves[:, :, 0] * rows + waves[:, :, 1] * columns + waves.sum(axis=2))
    masks = np.zeros((count, 1, side, side))
    for mask in masks:
        height, width = rng.integers(side // 4, side // 2, size=2)
        top, left = rng.integers(1, side - height), rng.integers(1, side - width)
        mask[:, top : top + height, left : left + width] = 1
    return torch.from_numpy(pictures).to(dtype), torch.from_numpy(masks).to(dtype)
