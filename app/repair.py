"""A damaged photo back whole: hole by hole, each in a crop with its surroundings, large holes coarse to fine.

Holes are the 8-connected components of the mask. Each is rebuilt from the *damaged* photo, never from
another hole's filling: what was invented does not count as known, so one hole's errors cannot spread into
the next and the order of work does not matter. Where a crop contains part of another hole, that part is
missing to a classical fill as well; for a network, which rebuilds one hole at a time, it is filled harmonically first.

A thin hole, a scratch, is left to the biharmonic fill, whichever the network: hardly a pixel of it is far from a known
one, and there a network that was trained on thick holes has nothing to add. On strokes of 2 pixels it had 1.34 times
the squared error of the harmonic fill, on such of 3 pixels the same, on such of 4 pixels 0.90 of it. The biharmonic
fill, which goes on with slopes and not with colours alone, is the best classical one across so short a way: it has 0.91
(0.87–0.95) times the harmonic's error on scratches of 1 to 3 pixels.

A hole larger than the model was trained for is first filled at half the resolution (and that, if still too
large, at a quarter, and so on), then refined in overlapping tiles of trained size that take the coarse
filling as their surroundings, as in the coarse-to-fine scheme of Wexler, Shechtman & Irani 2007,
"Space-time completion of video".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from ..core import Array, PhotomendError
from ..models import BiharmonicFill, HarmonicFill
from ..models.reconstructor import Reconstructor, fill_holes

Pixels = np.ndarray[Any, np.dtype[Any]]  # colours (H, W, 3) or a mask (H, W)
Window = tuple[slice, slice]  # rows and columns

MULTIPLE = 16  # what the sides of a crop are rounded up to: networks halve them up to three times
LEAST_CONTEXT = 32  # pixels of surroundings a model gets on each side, where the photo has them
CELL = 64  # specks whose centres share a cell of this side are rebuilt together
# A hole is thin if its pixels are less than this far from a known one, on average: in a straight line of 1 pixel it is
# 1, of 2 pixels 1 to 1.13, depending on the angle, of 3 pixels 1.23 to 1.39, of 4 pixels 1.43 to 1.53.
THIN = 1.41
REACH = 8  # within so many pixels of a thin hole other holes stay missing for its fill, which itself looks 2 pixels far
LARGEST = 1024  # a model without a trained size gets holes up to this side in one piece, which bounds memory and time


class RepairError(PhotomendError):
    """A photo and mask that cannot be repaired: sizes that differ, nothing missing, or nothing known."""


def repair(
    photo: Pixels,
    mask: Pixels,
    reconstructor: Reconstructor,
    device: torch.device | str = "cpu",
    on_hole: Callable[[int, int], object] = lambda done, total: None,
) -> Pixels:
    """Rebuild what is missing.

    Args:
        photo: uint8 (H, W, 3), of any size.
        mask: bool (H, W), True where pixels are missing; their colours in `photo` are never looked at.
        reconstructor: the model. One with a `trained_hole` (pixels) is never given a hole with a longer side than that,
            nor a thin one; one without works holes of any size in one piece.
        on_hole: told after each hole how many are done, and of how many.

    Returns:
        uint8 (H, W, 3), a new array; known pixels are those of `photo`, bit for bit.

    Raises:
        RepairError: the mask has another size than the photo, is empty, or covers the whole photo.
    """
    check(photo, mask)
    trained: int | None = getattr(reconstructor, "trained_hole", None)
    limit = LARGEST if trained is None else trained
    result = photo.copy()
    holes = list(find_holes(mask, trained))
    for done, (hole, own) in enumerate(holes, start=1):
        around = surroundings(hole, mask.shape)
        within = inside(hole, around)
        crop, missing = photo[around].astype(np.float32) / 255, mask[around]
        thin = trained is not None and is_thin(own)
        if trained is not None and missing.sum() > own.sum():
            crop, missing = fill_others(crop, missing, within, own, REACH if thin else 0, device)
        model, size = (BiharmonicFill(), LARGEST) if thin else (reconstructor, limit)
        filled = fill(crop, missing, within, model, size, device)[within]
        result[hole][own] = np.rint(filled[own] * 255).astype(np.uint8)
        on_hole(done, len(holes))
    return result


def check(photo: Pixels, mask: Pixels) -> None:
    if photo.shape[:2] != mask.shape:
        (photo_height, photo_width), (height, width) = photo.shape[:2], mask.shape
        raise RepairError(f"the mask is {width}×{height} pixels, the photo {photo_width}×{photo_height}")
    if not mask.any():
        raise RepairError("the mask is empty: nothing is missing")
    if mask.all():
        raise RepairError("the mask covers the whole photo: nothing is known")


def is_thin(missing: Pixels) -> bool:
    """Whether the hole is thin all over, but perhaps for places where scratches cross each other."""
    distance = ndimage.distance_transform_edt(np.pad(missing, 1))
    return bool(distance.sum() < THIN * missing.sum())


def fill_others(
    crop: Pixels, missing: Pixels, hole: Window, own: Pixels, reach: int, device: torch.device | str
) -> tuple[Pixels, Pixels]:
    """The crop with all that is missing filled harmonically, and what still counts as missing: this hole, and of others
    what is within `reach` pixels of it.

    Args:
        crop: float32 (h, w, 3) in [0, 1].
        missing: bool (h, w).
        hole: the window of the crop in which this hole lies; `own`: which pixels of the window are its.
        reach: in pixels along rows, columns and diagonals.
    """
    elsewhere = np.ones_like(missing)
    elsewhere[hole] = ~own
    near = ndimage.distance_transform_cdt(elsewhere, "chessboard") <= reach
    return ask(crop, missing, HarmonicFill(), device), missing & near


def find_holes(mask: Pixels, trained: int | None) -> Iterator[tuple[Window, Pixels]]:
    """The components of the mask: a window around each and which of the window's pixels belong to it.

    Small ones whose centres lie in the same cell of a grid come together, so that a photo full of dust is not
    thousands of crops. With components no larger than a cell, such a group spans less than two of them, which is no
    more than a model that was `trained` on holes up to some side, pixels, has seen.
    """
    cell = CELL if trained is None else min(CELL, trained // 2)
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    members: defaultdict[tuple[int, ...], list[tuple[int, Window]]] = defaultdict(list)
    for label, window in enumerate(ndimage.find_objects(labels), start=1):
        small = max(side.stop - side.start for side in window) <= cell
        centre = tuple((side.start + side.stop) // 2 // cell for side in window)
        members[centre if small else (-label,)].append((label, window))
    for group in members.values():
        rows, columns = zip(*(window for _, window in group), strict=True)
        window = hull(rows), hull(columns)
        yield window, np.isin(labels[window], [label for label, _ in group])


def hull(sides: tuple[slice, ...]) -> slice:
    return slice(min(side.start for side in sides), max(side.stop for side in sides))


def surroundings(hole: Window, shape: tuple[int, ...]) -> Window:
    """The hole with half its longer side around it (at least 32 pixels): beyond a photo's edge nothing is to be seen,
    so what that side lacks is added to the other.

    Sides are rounded up to a multiple of 16 where the photo has the pixels for it.
    """
    longer = max(side.stop - side.start for side in hole)
    context = max(LEAST_CONTEXT, (longer + 1) // 2)

    def grow(side: slice, size: int) -> slice:
        wanted = side.stop - side.start + 2 * context
        length = min(size, wanted + -wanted % MULTIPLE)
        start = min(max(0, side.start - context), size - length)
        return slice(start, start + length)

    return grow(hole[0], shape[0]), grow(hole[1], shape[1])


def inside(window: Window, outer: Window) -> Window:
    """A window of the photo as a window of the crop `outer` that contains it."""
    (rows, columns), (y, x) = window, (outer[0].start, outer[1].start)
    return slice(rows.start - y, rows.stop - y), slice(columns.start - x, columns.stop - x)


def fill(
    crop: Pixels,
    missing: Pixels,
    hole: Window,
    reconstructor: Reconstructor,
    limit: int,
    device: torch.device | str,
) -> Pixels:
    """Fill a crop, float32 (h, w, 3) in [0, 1], where `missing` (h, w); `hole` is the window that matters."""
    if not missing.any():
        return crop
    if max(side.stop - side.start for side in hole) <= limit:
        return ask(crop, missing, reconstructor, device)
    half_crop, half_missing = shrink(crop, missing)
    rows, columns = (slice(side.start // 2, (side.stop + 1) // 2) for side in hole)
    half = fill(half_crop, half_missing, (rows, columns), reconstructor, limit, device)
    coarse = np.where(missing[..., None], enlarge(half, missing.shape), crop)
    return refine(coarse, missing, hole, reconstructor, limit, device)


def shrink(crop: Pixels, missing: Pixels) -> tuple[Pixels, Pixels]:
    """Half the resolution: each 2×2 block becomes the mean of its *known* pixels, missing only if all four
    are.
    """
    height, width = missing.shape
    even = (0, height % 2), (0, width % 2)  # what is added does not count as known
    weight = np.pad((~missing).astype(np.float32), even)
    height, width = weight.shape[0] // 2, weight.shape[1] // 2
    colours = np.pad(crop, (*even, (0, 0))) * weight[..., None]
    known = weight.reshape(height, 2, width, 2).sum(axis=(1, 3))
    total = colours.reshape(height, 2, width, 2, 3).sum(axis=(1, 3))
    return total / np.maximum(known, 1)[..., None], known == 0


def enlarge(half: Pixels, shape: tuple[int, ...]) -> Pixels:
    """Twice the resolution, bilinear, with pixel centres where `shrink` had them; cut to `shape`."""
    doubled = ndimage.zoom(half, (2, 2, 1), order=1, mode="nearest", grid_mode=True)
    return doubled[: shape[0], : shape[1]]


def refine(
    coarse: Pixels,
    missing: Pixels,
    hole: Window,
    reconstructor: Reconstructor,
    limit: int,
    device: torch.device | str,
) -> Pixels:
    """Rebuild the hole tile by tile, each tile from the coarse filling and the known pixels around it.

    Tiles overlap by half and are blended with weights that fall to nothing at their edges, so no tile's
    edge shows; at the edge of the hole only what was rebuilt beside known pixels counts. A tile that has
    nothing but coarse filling around it would learn nothing new, and keeps it.
    """
    total, weights = np.zeros_like(coarse), np.zeros(missing.shape, np.float32)
    for tile in tiles(hole, limit):
        wanted = missing[tile]
        if not wanted.any():
            continue
        around = surroundings(tile, missing.shape)
        answer = coarse[tile]
        if not missing[around].all():
            tile_missing = np.zeros_like(missing[around])
            tile_missing[inside(tile, around)] = wanted
            answer = ask(coarse[around], tile_missing, reconstructor, device)[inside(tile, around)]
        tent = np.outer(*(tent_weights(side.stop - side.start) for side in tile))
        total[tile] += tent[..., None] * answer
        weights[tile] += tent
    done = missing & (weights > 0)
    return np.where(done[..., None], total / np.maximum(weights, 1e-9)[..., None], coarse)


def tiles(hole: Window, side: int) -> Iterator[Window]:
    """Windows of `side` pixels that cover the hole and overlap by half; smaller only where the hole is."""

    def cut(span: slice) -> list[slice]:
        starts = range(span.start, max(span.start + 1, span.stop - side // 2), max(1, side // 2))
        return [slice(start, min(start + side, span.stop)) for start in starts]

    return ((rows, columns) for rows in cut(hole[0]) for columns in cut(hole[1]))


def tent_weights(length: int) -> Pixels:
    """1, 2, 3, …, 3, 2, 1, scaled to a maximum of one."""
    rise = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).astype(np.float32)
    return rise / rise.max()


def ask(crop: Pixels, missing: Pixels, reconstructor: Reconstructor, device: torch.device | str) -> Pixels:
    """The model's answer for a crop."""
    answer = fill_holes(reconstructor, *to_arrays(crop, missing, device))
    return answer[0].permute(1, 2, 0).cpu().numpy()


def to_arrays(crop: Pixels, missing: Pixels, device: torch.device | str = "cpu") -> tuple[Array, Array]:
    """A crop, float32 (h, w, 3), and what is missing of it (h, w) as models take them: (1, 3, h, w), (1, 1, h, w)."""
    colours = torch.from_numpy(crop).permute(2, 0, 1)[None].contiguous()
    return colours.to(device), torch.from_numpy(missing.astype(np.float32))[None, None].to(device)
