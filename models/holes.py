"""What the shape of a hole tells: where it lies, and how far each of its pixels is from known ground."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..core import Array


class Bounds(NamedTuple):
    """The smallest rectangle around a hole: rows top…bottom − 1 and columns left…right − 1."""

    top: int
    left: int
    bottom: int
    right: int


def hole_bounds(mask: Array) -> list[Bounds]:
    """The bounds of the hole in each mask of (N, 1, H, W), 1 = missing; every mask has a missing pixel."""
    missing = mask[:, 0] > 0.5
    edges = []
    for axis, size in ((2, mask.shape[2]), (1, mask.shape[3])):
        occupied = missing.any(dim=axis).to(torch.uint8)
        edges.append((occupied.argmax(dim=1).tolist(), (size - occupied.flip(1).argmax(dim=1)).tolist()))
    (tops, bottoms), (lefts, rights) = edges
    return [Bounds(*bounds) for bounds in zip(tops, lefts, bottoms, rights, strict=True)]


def distance_to_known(mask: Array) -> Array:
    """For each pixel of (N, 1, H, W), how many steps along rows and columns lead to a known pixel (0 outside the hole),
    in the mask's dtype.

    The city-block distance transform: one pass along the rows finds the nearest known pixel in each row, a second one
    along the columns the nearest over all rows; each pass is a running minimum of d(i) − i and of d(i) + i.
    Source: Rosenfeld & Pfaltz, *Sequential operations in digital picture processing* (1966).
    """
    beyond = float(mask.shape[2] + mask.shape[3])
    distance = torch.where(mask > 0.5, beyond, 0.0)  # float32: bfloat16 can't count beyond 256
    for axis in (3, 2):
        position = torch.arange(mask.shape[axis], dtype=distance.dtype, device=mask.device)
        position = position.reshape([-1 if a == axis else 1 for a in range(4)])
        from_before = torch.cummin(distance - position, dim=axis).values + position
        from_behind = torch.cummin((distance + position).flip(axis), dim=axis).values.flip(axis) - position
        distance = torch.minimum(from_before, from_behind)
    return distance.to(mask.dtype)
