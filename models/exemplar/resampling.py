"""Photos at half and at twice the resolution and blurred: what the levels are made with."""

from __future__ import annotations

from math import ceil

import torch

from ...core import Array


def halved(x: Array) -> Array:
    """(…, H, W) → (…, H/2, W/2): the mean of each 2×2 block, without a last odd row or column."""
    height, width = (side // 2 for side in x.shape[-2:])
    blocks = x[..., : 2 * height, : 2 * width].unflatten(-2, (height, 2)).unflatten(-1, (width, 2))
    return blocks.mean(dim=(-3, -1))


def doubled(x: Array) -> Array:
    """(…, H, W) → (…, 2H, 2W), bilinear: a new pixel lies a quarter of a step from the middle of its block."""
    for axis in (-2, -1):
        x = x.movedim(axis, 0)
        before, behind = torch.cat((x[:1], x[:-1])), torch.cat((x[1:], x[-1:]))
        x = torch.stack((0.75 * x + 0.25 * before, 0.75 * x + 0.25 * behind), dim=1).flatten(0, 1).movedim(0, axis)
    return x


def blurred(x: Array, sigma: float) -> Array:
    """The last two axes convolved with a Gaussian of standard deviation `sigma`, pixels; the edge goes on beyond it."""
    reach = ceil(3 * sigma)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-steps.square() / (2 * sigma**2))
    weights = weights / weights.sum()
    for axis in (-2, -1):
        size = x.shape[axis]
        place = torch.arange(-reach, size + reach, device=x.device).clamp(0, size - 1)
        wide, x = x.index_select(axis, place), torch.zeros_like(x)
        for start, weight in enumerate(weights.tolist()):
            x += weight * wide.narrow(axis, start, size)
    return x
