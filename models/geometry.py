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


def require_hole(masked: Array, mask: Array) -> None:
    """Check what every reconstructor is given.

    Raises:
        TypeError: one of the two isn't floating point, or they are on different devices.
        ValueError: `masked` isn't (N, 3, H, W), `mask` isn't (N, 1, H, W), or a mask has no missing or no known pixel.
    """
    for name, array in (("masked", masked), ("mask", mask)):
        if not array.is_floating_point():
            raise TypeError(f"{name}: {array.dtype} must be floating point")
    if masked.device != mask.device:
        raise TypeError(f"mask: is on {mask.device}, but masked on {masked.device}")
    if masked.ndim != 4 or masked.shape[1] != 3:
        raise ValueError(f"masked: shape {tuple(masked.shape)} must be (N, 3, H, W)")
    n, _, h, w = masked.shape
    if mask.shape != (n, 1, h, w):
        raise ValueError(f"mask: shape {tuple(mask.shape)} must be {(n, 1, h, w)}, as masked is {tuple(masked.shape)}")
    missing = mask.flatten(1) > 0.5
    if not missing.any(dim=1).all():
        raise ValueError("mask: nothing is missing in at least one photo")
    if missing.all(dim=1).any():
        raise ValueError("mask: everything is missing in at least one photo")


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
