"""A hole larger than the model was trained for: coarse to fine.

It is first filled at half the resolution (and that, if still too large, at a quarter, and so on), then refined in
overlapping tiles of trained size that take the coarse filling as their surroundings, as in the coarse-to-fine scheme of
Wexler, Shechtman & Irani 2007, "Space-time completion of video".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..data.photos import Mask
from ..models.holes import Window, inside
from ..models.reconstructor import Reconstructor
from .photo.canvas import Colours
from .pieces import crop_around
from .side_by_side import Job, Request

#: Tiles that are asked for at a time: it bounds memory.
TILES = 64


def fill(
    model: Reconstructor,
    limit: int,
    crop: Colours,
    missing: Mask,
    hole: Window,
    wanted: Window,
    advance: Callable[[int], object] = lambda steps: None,
) -> Job:
    """A crop (h, w, 3) filled where `missing` (h, w).

    `hole` is the window of the hole that matters: the model gets it in one piece where no side of it exceeds `limit`,
    pixels. Of a larger one, only what lies in the window `wanted` is refined. `advance` is told how many more of its
    `steps` are done.
    """
    if not missing.any():
        return crop
    if max(side.stop - side.start for side in hole) <= limit:
        [filled] = yield [Request(model, crop, missing)]
        advance(1)
        return filled
    half = yield from fill(model, limit, *shrink(crop, missing), halved(hole), halved(wanted), advance)
    coarse = np.where(missing[..., None], enlarge(half, missing.shape), crop)
    return (yield from refine(model, limit, coarse, missing, wanted, advance))


def steps(hole: Window, limit: int) -> int:
    """How many crops a model fills for a hole with this window, if all of it is missing."""
    if max(side.stop - side.start for side in hole) <= limit:
        return 1
    return steps(halved(hole), limit) + sum(1 for _ in tiles(hole, limit))


def refine(
    model: Reconstructor,
    limit: int,
    coarse: Colours,
    missing: Mask,
    wanted: Window,
    advance: Callable[[int], object] = lambda steps: None,
) -> Job:
    """Rebuild what is wanted of a hole tile by tile, each from the coarse filling and the known pixels around it.

    Tiles overlap by half and are blended with weights that fall to nothing at their edges, so no tile's
    edge shows; at the edge of the hole only what was rebuilt beside known pixels counts. A tile that has
    nothing but coarse filling around it would learn nothing new, and keeps it.
    """
    total, weights = np.zeros_like(coarse), np.zeros(missing.shape, np.float32)
    everywhere = list(tiles(wanted, limit))
    places = [tile for tile in everywhere if missing[tile].any()]
    advance(len(everywhere) - len(places))
    for start in range(0, len(places), TILES):
        these = places[start : start + TILES]
        windows = [crop_around(tile, missing.shape) for tile in these]
        asked = [not missing[window].all() for window in windows]
        pairs = zip(these, windows, asked, strict=True)
        answers = iter((yield [tile_request(model, coarse, missing, *pair) for *pair, ask in pairs if ask]))
        for tile, window, ask in zip(these, windows, asked, strict=True):
            answer = next(answers)[inside(tile, window)] if ask else coarse[tile]
            tent = np.outer(*(tent_weights(side.stop - side.start) for side in tile))
            total[tile] += tent[..., None] * answer
            weights[tile] += tent
        advance(len(these))
    done = missing & (weights > 0)
    return np.where(done[..., None], total / np.maximum(weights, 1e-9)[..., None], coarse)


def tile_request(model: Reconstructor, coarse: Colours, missing: Mask, tile: Window, window: Window) -> Request:
    """A window in which nothing is missing but what is missing in the tile."""
    own = np.zeros_like(missing[window])
    own[inside(tile, window)] = missing[tile]
    return Request(model, coarse[window], own)


def shrink(crop: Colours, missing: Mask) -> tuple[Colours, Mask]:
    """Half the resolution: each 2×2 block becomes the mean of its *known* pixels, missing only if all four are."""
    height, width = missing.shape
    even = (0, height % 2), (0, width % 2)  # what is added does not count as known
    weight = np.pad((~missing).astype(np.float32), even)
    height, width = weight.shape[0] // 2, weight.shape[1] // 2
    colours = np.pad(crop, (*even, (0, 0))) * weight[..., None]
    known = weight.reshape(height, 2, width, 2).sum(axis=(1, 3))
    total = colours.reshape(height, 2, width, 2, 3).sum(axis=(1, 3))
    return total / np.maximum(known, 1)[..., None], known == 0


def halved(window: Window) -> Window:
    """A window at half the resolution."""
    rows, columns = (slice(side.start // 2, (side.stop + 1) // 2) for side in window)
    return rows, columns


def enlarge(half: Colours, shape: tuple[int, ...]) -> Colours:
    """Twice the resolution, bilinear, with pixel centres where `shrink` had them; cut to `shape`.

    A new pixel lies a quarter of a step from the middle of its own block, on the side of one neighbour.
    """
    for axis in (0, 1):
        ends = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        here, wide = np.moveaxis(half, axis, 0) * np.float32(0.75), np.moveaxis(np.pad(half, ends, "edge"), axis, 0)
        wide = wide * np.float32(0.25)
        half = np.moveaxis(np.stack([here + wide[:-2], here + wide[2:]], axis=1).reshape(-1, *here.shape[1:]), 0, axis)
    return half[: shape[0], : shape[1]]


def tiles(hole: Window, side: int) -> Iterator[Window]:
    """Windows of `side` pixels that cover the hole and overlap by half; smaller only where the hole is."""

    def cut(span: slice) -> list[slice]:
        starts = range(span.start, max(span.start + 1, span.stop - side // 2), max(1, side // 2))
        return [slice(start, min(start + side, span.stop)) for start in starts]

    return ((rows, columns) for rows in cut(hole[0]) for columns in cut(hole[1]))


def tent_weights(length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """1, 2, 3, …, 3, 2, 1, scaled to a maximum of one."""
    rise = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).astype(np.float32)
    return rise / rise.max()
