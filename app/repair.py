"""Photos repaired: hole by hole, each in a crop with its surroundings, large holes coarse to fine.

Each hole (`models/holes.py` finds them) is rebuilt from the *damaged* photo, never from another hole's filling: what
was invented does not count as known, so one hole's errors cannot spread into the next and the order of work does not
matter. Where a crop contains part of another hole, that part is missing to a classical fill as well; for a network,
which rebuilds one hole at a time, it is filled harmonically first.

Scratches are left to the biharmonic fill, whichever the network: hardly a pixel of them is far from a known one, and
there a network that was trained on thick holes has nothing to add (docs/results.md).

A hole larger than the model was trained for is first filled at half the resolution (and that, if still too
large, at a quarter, and so on), then refined in overlapping tiles of trained size that take the coarse
filling as their surroundings, as in the coarse-to-fine scheme of Wexler, Shechtman & Irani 2007,
"Space-time completion of video".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch
from scipy import ndimage

from ..core import Array
from ..data.photos import Mask, Photo
from ..models import BiharmonicFill, HarmonicFill
from ..models.calibration import Calibration, Expected, features
from ..models.holes import Window, find_holes, inside, is_scratch, window_around
from ..models.reconstructor import Reconstructor, fill_holes
from .photo.canvas import Canvas, Colours, RepairError, RGBCanvas, check_mask
from .reconstructors import load

#: What the sides of a crop are rounded up to, pixels: networks halve them up to three times.
MULTIPLE = 16
#: Pixels of surroundings that a model gets on each side of a hole, at least, where the photo has them.
CONTEXT = 32
#: Within so many pixels of a scratch other holes stay missing for its fill, which itself looks 2 pixels far.
REACH = 8
#: A model without a trained size gets holes up to this side, pixels, in one piece: it bounds memory and time.
LARGEST = 1024


class Repairer:
    """A model that repairs photos of any size.

    Args:
        model: fills holes. One with a `trained_hole` (pixels) is never given a hole with a longer side than that, nor a
            scratch; one without gets holes up to LARGEST in one piece.
        device: where it does so.
        calibration: of the model's error, if it is known.
    """

    def __init__(
        self, model: Reconstructor, device: torch.device | str = "cpu", calibration: Calibration | None = None
    ) -> None:
        self.model, self.device, self.calibration = model, device, calibration
        self.trained: int | None = getattr(model, "trained_hole", None)
        self.limit = LARGEST if self.trained is None else self.trained

    @classmethod
    def load(cls, name: str | None = None, device: torch.device | str = "cpu", views: int | None = None) -> Self:
        """The model called `name`, as `reconstructors.load` knows it: a classical fill, shipped weights, a run folder
        or a weights file; without a name the shipped attention model. `views`: its test-time augmentation.
        """
        model, calibration = load(name, device, views)
        return cls(model, device, calibration)

    def repair(
        self, photo: Photo, mask: Mask, on_hole: Callable[[int, int], object] = lambda done, total: None
    ) -> Photo:
        """Rebuild what is missing of an 8-bit RGB photo.

        Args:
            photo: uint8 (H, W, 3), of any size.
            mask: bool (H, W), True where pixels are missing; their colours in `photo` are never looked at.
            on_hole: told after each hole how many are done, and of how many.

        Returns:
            uint8 (H, W, 3), a new array; known pixels are those of `photo`, bit for bit.

        Raises:
            RepairError: the mask has another size than the photo, is empty, or covers the whole photo; or one of the
                two is no such array.
        """
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise RepairError(f"the photo must be uint8 (H, W, 3), not {photo.dtype} {photo.shape}")
        result = photo.copy()
        self.paint(RGBCanvas(result), mask, on_hole)
        return result

    def paint(
        self, canvas: Canvas, mask: Mask, on_hole: Callable[[int, int], object] = lambda done, total: None
    ) -> None:
        """Rebuild what is missing on a canvas, a photo of any kind that shows itself as colours; see `repair`.

        Raises RepairError before anything is painted.
        """
        check_mask(mask, canvas.shape)
        holes = list(find_holes(mask, self.trained))
        for done, (hole, hole_pixels) in enumerate(holes, start=1):
            window = crop_around(hole, mask.shape)
            crop, missing, hole_in_crop = canvas.colours(window), mask[window], inside(hole, window)
            scratch = self.trained is not None and is_scratch(hole_pixels)
            if self.trained is not None and missing.sum() > hole_pixels.sum():
                nearby = near_hole(hole_in_crop, hole_pixels, missing.shape, REACH if scratch else 0)
                crop, missing = run_model(HarmonicFill(), crop, missing, self.device), missing & nearby
            repairer = Repairer(BiharmonicFill(), self.device) if scratch else self
            filled = repairer.fill(crop, missing, hole_in_crop)[hole_in_crop]
            rows, columns = np.nonzero(hole_pixels)
            canvas.paint(rows + hole[0].start, columns + hole[1].start, filled[hole_pixels])
            on_hole(done, len(holes))

    def expect(self, canvas: Canvas, mask: Mask) -> Expected | None:
        """The mean absolute error to expect over all missing pixels of a photo, grey levels.

        Holes are taken one by one, each in its surroundings, as repair takes them, and count by their area. The range
        is that of holes which are all better, or all worse, than such holes are on average. None where the model's
        error is unknown, or nothing near a hole is known. `canvas` and `mask` are those of `paint`.
        """
        if self.calibration is None:
            return None
        areas, found = [], []
        for hole, hole_pixels in find_holes(mask, self.trained):
            window = crop_around(hole, mask.shape)
            missing = mask[window]
            if not missing.all():
                known = np.where(missing[..., None], np.float32(0), canvas.colours(window))
                found += self.calibration.expected(features(*to_arrays(known, missing)))
                areas.append(int(hole_pixels.sum()))
        if not found:
            return None
        ends = ([getattr(e, end) for e in found] for end in ("mae", "low", "high"))
        return Expected(*(float(np.average(values, weights=areas)) for values in ends))

    def fill(self, crop: Colours, missing: Mask, hole: Window) -> Colours:
        """A crop (h, w, 3) filled where `missing` (h, w); `hole` is the window that matters."""
        if not missing.any():
            return crop
        if max(side.stop - side.start for side in hole) <= self.limit:
            return run_model(self.model, crop, missing, self.device)
        half_crop, half_missing = shrink(crop, missing)
        rows, columns = (slice(side.start // 2, (side.stop + 1) // 2) for side in hole)
        half = self.fill(half_crop, half_missing, (rows, columns))
        coarse = np.where(missing[..., None], enlarge(half, missing.shape), crop)
        return self.refine(coarse, missing, hole)

    def refine(self, coarse: Colours, missing: Mask, hole: Window) -> Colours:
        """Rebuild the hole tile by tile, each tile from the coarse filling and the known pixels around it.

        Tiles overlap by half and are blended with weights that fall to nothing at their edges, so no tile's
        edge shows; at the edge of the hole only what was rebuilt beside known pixels counts. A tile that has
        nothing but coarse filling around it would learn nothing new, and keeps it.
        """
        total, weights = np.zeros_like(coarse), np.zeros(missing.shape, np.float32)
        for tile in tiles(hole, self.limit):
            wanted = missing[tile]
            if not wanted.any():
                continue
            window = crop_around(tile, missing.shape)
            answer = coarse[tile]
            if not missing[window].all():
                tile_missing = np.zeros_like(missing[window])
                tile_missing[inside(tile, window)] = wanted
                answer = run_model(self.model, coarse[window], tile_missing, self.device)[inside(tile, window)]
            tent = np.outer(*(tent_weights(side.stop - side.start) for side in tile))
            total[tile] += tent[..., None] * answer
            weights[tile] += tent
        done = missing & (weights > 0)
        return np.where(done[..., None], total / np.maximum(weights, 1e-9)[..., None], coarse)


def crop_around(hole: Window, shape: tuple[int, ...]) -> Window:
    """The hole with half its longer side around it, at least CONTEXT, in a photo of this shape (H, W).

    Sides are rounded up to a multiple of MULTIPLE, by pixels behind the hole, where the photo has them.
    """
    context = max(CONTEXT, (max(side.stop - side.start for side in hole) + 1) // 2)
    lengths = [side.stop - side.start + 2 * context for side in hole]
    height, width = (length + -length % MULTIPLE for length in lengths)
    rows, columns = (slice(side.start, side.stop + -n % MULTIPLE) for side, n in zip(hole, lengths, strict=True))
    return window_around((rows, columns), height, width, shape)


def near_hole(hole: Window, hole_pixels: Mask, shape: tuple[int, ...], reach: int) -> Mask:
    """Which pixels of a crop of this shape are the hole's, or at most `reach` pixels away along rows, columns and
    diagonals. `hole` is the window of the crop in which it lies, `hole_pixels` which of the window's pixels it has.
    """
    elsewhere = np.ones(shape, np.bool_)
    elsewhere[hole] = ~hole_pixels
    nearby: Mask = ndimage.distance_transform_cdt(elsewhere, "chessboard") <= reach
    return nearby


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


def enlarge(half: Colours, shape: tuple[int, ...]) -> Colours:
    """Twice the resolution, bilinear, with pixel centres where `shrink` had them; cut to `shape`."""
    doubled = ndimage.zoom(half, (2, 2, 1), order=1, mode="nearest", grid_mode=True)
    return doubled[: shape[0], : shape[1]]


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


def run_model(model: Reconstructor, crop: Colours, missing: Mask, device: torch.device | str) -> Colours:
    """The model's answer for a crop."""
    answer = fill_holes(model, *(array.to(device) for array in to_arrays(crop, missing)))
    return answer[0].permute(1, 2, 0).cpu().numpy()


def to_arrays(crop: Colours, missing: Mask) -> tuple[Array, Array]:
    """A crop (h, w, 3) and what is missing of it (h, w) as models take them: (1, 3, h, w), (1, 1, h, w)."""
    colours = torch.from_numpy(crop).permute(2, 0, 1)[None].contiguous()
    return colours, torch.from_numpy(missing.astype(np.float32))[None, None]
