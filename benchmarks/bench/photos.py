"""Photos and holes to compute on: the same numbers in every process."""

from __future__ import annotations

import numpy as np
import torch
from photomend.data.masks import box_mask, protocol_box

from .workload import Array


def photos_with_holes(count: int, side: int, device: torch.device) -> tuple[Array, Array]:
    """Photos (count, 3, side, side) in [0, 1], coarse patches with some noise, and a hole of the protocol in each:
    masks (count, 1, side, side), 1 = missing. The side is divisible by 8."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=generator)
    photo = coarse.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    photo = (photo + 0.05 * torch.randn(photo.shape, generator=generator)).clamp(0, 1)
    holes = [box_mask(protocol_box(0, index, side, side), side, side) for index in range(count)]
    mask = torch.from_numpy(np.stack(holes)[:, None]).to(torch.float32)
    return photo.to(device), mask.to(device)
