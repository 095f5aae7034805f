"""A hole's pixels from the known patches that were chosen for it.

Each pixel lies in SIDE² patches, and the match of each says what colour it should have. Their weighted mean is the
vote. Patches that agree give a sharp picture, others a blur: it is what makes neighbouring matches agree in the next
search, and the last vote therefore hears nearly only the patch whose middle the pixel is.

Source: Wexler, Shechtman & Irani, *Space-time completion of video* (2007).
"""

from __future__ import annotations

import itertools
from math import exp

import torch

from ...core import Array
from .search import RADIUS


def vote(photo: Array, pixels: Array, sources: Array, weights: Array, spread: float) -> Array:
    """The colours (3, n) of the pixels (n,), given as row · W + column.

    Args:
        photo: (3, H, W), known where the matches are.
        pixels: (n,), each at least RADIUS from the edge or in patches that are asked for as if they were.
        sources: (H·W,), the middle of the match of the patch around each pixel; -1 for none.
        weights: (H·W,), how much each match counts.
        spread: pixels; a patch counts less, the farther the pixel is from its middle, as a Gaussian has it.
    """
    height, width = photo.shape[1:]
    colours, rows, columns = photo.flatten(1), pixels // width, pixels % width
    total, sum_of_weights = colours.new_zeros(photo.shape[0], len(pixels)), colours.new_zeros(len(pixels))
    for down, across in itertools.product(range(-RADIUS, RADIUS + 1), repeat=2):
        inside = (rows + down >= 0) & (rows + down < height) & (columns + across >= 0) & (columns + across < width)
        shift = down * width + across
        middles = torch.where(inside, pixels + shift, 0)
        inside &= sources[middles] >= 0
        share = weights[middles] * (inside * exp(-(down**2 + across**2) / (2 * spread**2)))
        total += share * colours[:, torch.where(inside, sources[middles] - shift, 0)]
        sum_of_weights += share
    return total / sum_of_weights
