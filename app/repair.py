"""Photos repaired: hole by hole, each in a crop with its surroundings.

Each hole (`models/holes.py` finds them) is rebuilt from the *damaged* photo, never from another hole's filling: what
was invented does not count as known, so one hole's errors cannot spread into the next and the order of work does not
matter. Where a crop contains part of another hole, that part is missing to a classical fill as well; for a network,
which rebuilds one hole at a time, it is filled harmonically first.

Scratches are left to the biharmonic fill, whichever the network: hardly a pixel of them is far from a known one, and
there a network that was trained on thick holes has nothing to add (docs/results.md).

Holes larger than the model was trained for are rebuilt coarse to fine (`coarse_to_fine.py`), long and thin ones piece
by piece (`pieces.py`), and all of them side by side, so that models get their crops in batches (`side_by_side.py`). A
batch changes rounding: a colour in some ten thousand may differ by one grey level from what the hole alone gets.
Photos are repaired one by one, so nothing depends on which other photos a command was given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple, Self

import numpy as np
import torch

from ..core import PhotomendError
from ..data.photos import Mask, Photo
from ..models import BiharmonicFill, HarmonicFill
from ..models.calibration import Calibration, Expected, features
from ..models.holes import Hole, Window, find_holes, inside, is_scratch, near
from ..models.reconstructor import Reconstructor
from . import coarse_to_fine
from .pieces import CONTEXT, Piece, crop_around, pieces, sprawls
from .reconstructors import load
from .side_by_side import BATCH, Colours, Job, Request, side_by_side, to_arrays

#: Within so many pixels of a scratch other holes stay missing for its fill, which itself looks 2 pixels far.
REACH = 8
#: A model without a trained size gets holes up to this side, pixels, in one piece: it bounds memory and time.
LARGEST = 1024
#: What 8-bit colours are divided by; a Python number would make them float64 to the type checker.
WHITE = np.float32(255)
#: What fills scratches, and what fills other holes near a network's own.
BIHARMONIC, HARMONIC = BiharmonicFill(), HarmonicFill()


class RepairError(PhotomendError):
    """A photo and mask that cannot be repaired: sizes that differ, nothing missing, or nothing known."""


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
        """Rebuild what is missing.

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
        check(photo, mask)
        result = photo.copy()
        holes = find_holes(mask, self.trained)
        for done, (hole, colours) in enumerate(self._rebuilt(photo, mask, holes), start=1):
            result[hole.rows, hole.columns] = np.rint(colours * 255).astype(np.uint8)
            on_hole(done, len(holes))
        return result

    def _rebuilt(self, photo: Photo, mask: Mask, holes: list[Hole]) -> Iterator[tuple[Hole, Colours]]:
        """Each hole with the colours (n, 3) of its pixels, in the order in which they are done."""
        going: dict[int, _Blend] = {}

        def jobs() -> Iterator[tuple[_Place, int, Job]]:
            for number, hole in enumerate(holes):
                if isinstance(self.model, HarmonicFill) and sprawls(hole):
                    continue
                scratch, parts = self.trained is not None and is_scratch(hole), list(pieces(hole))
                going[number] = _Blend(len(parts), len(hole.rows))
                for part in parts:
                    window = crop_around(part.window, mask.shape, CONTEXT if scratch and len(parts) > 1 else None)
                    size = prod(side.stop - side.start for side in window)
                    yield _Place(number, part, window), size, self._rebuild(photo, mask, hole, part, window, scratch)

        for (number, part, window), crop in side_by_side(jobs(), self.device):
            hole, blend = holes[number], going[number]
            blend.add(part, crop[hole.rows[part.own] - window[0].start, hole.columns[part.own] - window[1].start])
            if not blend.missing:
                yield hole, going.pop(number).colours()
        if isinstance(self.model, HarmonicFill):  # which needs no pieces
            for hole in filter(sprawls, holes):
                found = self.model.fill_pixels(hole, mask.shape, lambda rows, columns: photo[rows, columns] / WHITE)
                yield hole, found.clip(0, 1)

    def _rebuild(self, photo: Photo, mask: Mask, hole: Hole, part: Piece, window: Window, scratch: bool) -> Job:
        """The crop in this window of the photo, with a piece of a hole filled."""
        crop, missing, own = photo[window].astype(np.float32) / WHITE, mask[window], hole.mask(window)
        if self.trained is not None:
            if (others := missing & ~own).any():
                [crop] = yield [Request(HARMONIC, crop, others)]
            missing = own | (others & near(own, REACH)) if scratch and others.any() else own
        if scratch:
            [filled] = yield [Request(BIHARMONIC, crop, missing)]
            return filled
        bounds = Hole(*np.nonzero(own)).window
        return (
            yield from coarse_to_fine.fill(self.model, self.limit, crop, missing, bounds, inside(part.window, window))
        )

    def expect(self, photo: Photo, mask: Mask) -> Expected | None:
        """The mean absolute error to expect over all missing pixels of a photo, grey levels.

        Holes are taken one by one, each in its surroundings, as repair takes them, and count by their area. The range
        is that of holes which are all better, or all worse, than such holes are on average. None where the model's
        error is unknown, or nothing near a hole is known. `photo` and `mask` are those of `repair`.
        """
        if self.calibration is None:
            return None
        found: list[Expected] = []
        areas: list[int] = []
        for places in _by_shape(mask, find_holes(mask, self.trained)):
            crops = (photo[window].astype(np.float32) / WHITE for _, window in places)
            arrays = [to_arrays(crop, mask[window]) for crop, (_, window) in zip(crops, places, strict=True)]
            photos, masks = (torch.stack(each) for each in zip(*arrays, strict=True))
            found += self.calibration.expected(features(photos.where(masks < 0.5, 0), masks))
            areas += [area for area, _ in places]
        if not found:
            return None
        ends = ([getattr(e, end) for e in found] for end in ("mae", "low", "high"))
        return Expected(*(float(np.average(values, weights=areas)) for values in ends))


class _Place(NamedTuple):
    """Where a job's result goes: the number of the hole, which piece of it, and the crop's window."""

    hole: int
    piece: Piece
    window: Window


class _Blend:
    """The colours of a hole's n pixels, of which the pieces come one by one."""

    def __init__(self, pieces: int, n: int) -> None:
        self.missing, self.total, self.weights = pieces, np.zeros((n, 3), np.float32), np.zeros((n, 1), np.float32)

    def add(self, piece: Piece, colours: Colours) -> None:
        self.missing -= 1
        self.total[piece.own] += piece.weights * colours
        self.weights[piece.own] += piece.weights

    def colours(self) -> Colours:
        return self.total / self.weights


def _by_shape(mask: Mask, holes: list[Hole]) -> Iterator[list[tuple[int, Window]]]:
    """The pieces of all holes in batches whose crops are of one shape: how many pixels each has, and its crop's window.

    Those without a known pixel are left out.
    """
    batches: defaultdict[tuple[int, ...], list[tuple[int, Window]]] = defaultdict(list)
    for hole in holes:
        for part in pieces(hole):
            window = crop_around(part.window, mask.shape, CONTEXT if sprawls(hole) else None)
            crop = mask[window]
            if crop.all():
                continue
            batches[crop.shape].append((len(part.own), window))
            if len(batches[crop.shape]) == BATCH:
                yield batches.pop(crop.shape)
    yield from batches.values()


def check(photo: Photo, mask: Mask) -> None:
    """Refuse what `Repairer.repair` doesn't take: the one place where masks are checked on their way in."""
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise RepairError(f"the photo must be uint8 (H, W, 3), not {photo.dtype} {photo.shape}")
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise RepairError(f"the mask must be bool (H, W), not {mask.dtype} {mask.shape}")
    if photo.shape[:2] != mask.shape:
        (photo_height, photo_width), (height, width) = photo.shape[:2], mask.shape
        raise RepairError(f"the mask is {width}×{height} pixels, the photo {photo_width}×{photo_height}")
    if not mask.any():
        raise RepairError("the mask is empty: nothing is missing")
    if mask.all():
        raise RepairError("the mask covers the whole photo: nothing is known")
