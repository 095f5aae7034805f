"""A hole's pixels from the known patches that were chosen for it.

Each pixel lies in SIDE² patches, and the match of each says what colour it should have. Their weighted mean is the
vote. Patches that agree give a sharp picture, others a blur: it is what makes neighbouring matches agree in the next
search, and the last vote therefore hears nearly only the patch whose middle the pixel is.

Source: Wexler, Shechtman & Irani, *Space-time completion of video* (2007).
"""

from __future__ import annotations

from math import ceil

import torch

from ...core import Array
from .search import RADIUS

#: Votes that are counted at a time: they stay in a processor's cache. Elsewhere memory is the bound.
IN_CACHE, AT_A_TIME = 2**16, 2**24
#: Spreads from which a patch isn't heard, up to RADIUS: there its vote counts less than a 20th of the middle's.
HEARD = 2.5


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
    reach = min(RADIUS, ceil(HEARD * spread))
    steps = torch.arange(-reach, reach + 1, device=photo.device)
    down, across = steps.repeat_interleave(len(steps)), steps.repeat(len(steps))
    nearness = torch.exp(-(down**2 + across**2) / (2 * spread**2)).to(photo)
    colours, weights, voted = photo.flatten(1).T.contiguous(), weights * (sources >= 0), []
    for part in pixels.split((IN_CACHE if photo.device.type == "cpu" else AT_A_TIME) // len(down)):
        rows, columns = (part // width)[:, None] + down, (part % width)[:, None] + across
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        middles = torch.where(inside, rows * width + columns, 0)
        shares = weights.index_select(0, middles.flatten()).view_as(middles) * (inside * nearness)
        # In the match the pixel lies as far from the middle as in the patch around this one.
        places = sources.index_select(0, middles.flatten()).view_as(middles) - (down * width + across)
        theirs = colours.index_select(0, places.clamp_min(0).flatten()).unflatten(0, middles.shape)
        voted.append((shares[:, None] @ theirs)[:, 0] / shares.sum(dim=1, keepdim=True))
    return torch.cat(voted).T
