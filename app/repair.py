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

from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import NamedTuple, Self

import numpy as np
import torch

from ..core import PhotomendError, did_you_mean
from ..data.photos import Mask, Photo
from ..models import BiharmonicFill, HarmonicFill
from ..models.calibration import Calibrations, Expected, overall
from ..models.components import Positions
from ..models.exemplar import TextureFill
from ..models.holes import Hole, Window, are_scratches, find_holes, inside, near
from ..models.reconstructor import Reconstructor
from . import coarse_to_fine, natural
from .expectations import expectations
from .photo.canvas import Canvas, Colours, RepairError, RGBCanvas, check_mask
from .pieces import CONTEXT, OVERLAP, SQUARE, Blend, Piece, colours_at, crop_around, pieces, sprawls
from .reconstructors import load, usual_look
from .side_by_side import Job, Request, side_by_side
from .steps import OnStep, Steps

#: Within so many pixels of a scratch other holes stay missing for its fill, which itself looks 2 pixels far.
REACH = 8
#: A model without a trained size gets holes up to this side, pixels, in one piece: it bounds memory and time.
LARGEST = 1024
#: What fills scratches, and what fills other holes near a network's own.
BIHARMONIC, HARMONIC = BiharmonicFill(), HarmonicFill()
NOT_KNOWN = Calibrations()


class Repairer:
    """A model that repairs photos of any size.

    Args:
        model: fills holes. One with a `trained_hole` (pixels) is never given a hole with a longer side than that, nor a
            scratch; one without gets holes up to LARGEST in one piece.
        device: where it does so.
        calibrations: of its error, if it is known.
        look: "faithful" for the model's answer; "natural" to draw it anew with patches of the photo. A model
            `TextureFill` is its own model with the look "natural".
    """

    def __init__(
        self,
        model: Reconstructor,
        device: torch.device | str = "cpu",
        calibrations: Calibrations = NOT_KNOWN,
        look: str = "faithful",
    ) -> None:
        if look not in natural.LOOKS:
            raise PhotomendError(f"look {look!r} is unknown; {did_you_mean(look, natural.LOOKS)}")
        self.texture = TextureFill(model) if look == "natural" and not isinstance(model, TextureFill) else None
        if isinstance(model, TextureFill):
            self.texture, model = model, model.model
        self.model, self.device, self.calibrations = model, device, calibrations
        self.trained: int | None = getattr(model, "trained_hole", None)
        self.limit = LARGEST if self.trained is None else self.trained
        #: The model, if it needs no pieces of holes, however long they are.
        self.fills_whole = model if isinstance(model, HarmonicFill) and self.texture is None else None

    @classmethod
    def load(
        cls,
        name: str | None = None,
        device: torch.device | str = "cpu",
        views: int | None = None,
        look: str | None = None,
    ) -> Self:
        """The model called `name`, as `reconstructors.load` knows it: a classical fill, shipped weights, a run folder
        or a weights file; without a name the shipped attention model. `views`: its test-time augmentation. Without a
        `look` it is `reconstructors.usual_look`. Raises PhotomendError for weights that say that they are for
        comparison, as the shipped GAN's, which leave a lattice in holes (docs/book/gan.md).
        """
        model, calibrations = load(name, device, views)
        if getattr(model, "for_comparison", False):
            raise PhotomendError(f"model {name!r} is for comparison, not for repair; look 'natural' draws texture")
        return cls(model, device, calibrations, usual_look(name) if look is None else look)

    def repair(self, photo: Photo, mask: Mask, on_step: OnStep = lambda done, total: None) -> Photo:
        """Rebuild what is missing of an 8-bit RGB photo.

        Args:
            photo: uint8 (H, W, 3), of any size.
            mask: bool (H, W), True where pixels are missing; their colours in `photo` are never looked at.
            on_step: told after each step how many are done, and of how many; see `steps.py`.

        Returns:
            uint8 (H, W, 3), a new array; known pixels are those of `photo`, bit for bit.

        Raises:
            RepairError: the mask has another size than the photo, is empty, or covers the whole photo; or one of the
                two is no such array.
        """
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise RepairError(f"the photo must be uint8 (H, W, 3), not {photo.dtype} {photo.shape}")
        result = photo.copy()
        self.paint(RGBCanvas(result), mask, on_step)
        return result

    def paint(
        self,
        canvas: Canvas,
        mask: Mask,
        on_step: OnStep = lambda done, total: None,
        holes: list[Hole] | None = None,
    ) -> None:
        """Rebuild what is missing on a canvas, a photo of any kind that shows itself as colours; see `repair`.

        `holes` are some of those in the mask, if the others are to stay as they are.
        Raises RepairError before anything is painted.
        """
        check_mask(mask, canvas.shape)
        holes = find_holes(mask, self.trained) if holes is None else holes
        for hole, colours in self._rebuilt(canvas, mask, holes, on_step):
            canvas.paint(hole.rows, hole.columns, colours.astype(np.float32, copy=False))

    def _rebuilt(
        self, canvas: Canvas, mask: Mask, holes: list[Hole], on_step: OnStep
    ) -> Iterator[tuple[Hole, Colours]]:
        """Each hole with the colours (n, 3) of its pixels, in the order in which they are done."""
        going: dict[int, Blend] = {}
        scratches = [False] * len(holes) if self.trained is None else are_scratches(holes)
        steps = Steps((self._steps(hole, scratch) for hole, scratch in zip(holes, scratches, strict=True)), on_step)

        def jobs() -> Iterator[tuple[_Place, int, Job]]:
            for number, (hole, scratch) in enumerate(zip(holes, scratches, strict=True)):
                if self.fills_whole is not None and sprawls(hole):
                    continue
                parts = list(pieces(hole))
                going[number] = Blend(len(parts), len(hole.rows))
                for part in parts:
                    window = crop_around(part.window, mask.shape, CONTEXT if scratch and len(parts) > 1 else None)
                    size = prod(side.stop - side.start for side in window)
                    job = self._rebuild(canvas, mask, hole, part, window, scratch, steps.part(number))
                    yield _Place(number, part, window), size, job

        for (number, part, window), crop in side_by_side(jobs(), self.device):
            hole, blend = holes[number], going[number]
            blend.add(part, crop[hole.rows[part.own] - window[0].start, hole.columns[part.own] - window[1].start])
            if not blend.missing:
                steps.end(number)
                yield hole, going.pop(number).colours()
        if self.fills_whole is not None:
            for number, hole in enumerate(holes):
                if sprawls(hole):
                    colours = self.fills_whole.fill_pixels(hole, mask.shape, partial(colours_at, canvas)).clip(0, 1)
                    steps.end(number)
                    yield hole, colours

    def _steps(self, hole: Hole, scratch: bool) -> int:
        """How many steps a hole takes, at most."""
        if not sprawls(hole):
            return 1 if scratch else coarse_to_fine.steps(hole.window, self.limit)
        squares = hole.squares(SQUARE, OVERLAP)
        return len(squares) if scratch else sum(coarse_to_fine.steps(square, self.limit) for square in squares)

    def _rebuild(
        self,
        canvas: Canvas,
        mask: Mask,
        hole: Hole,
        part: Piece,
        window: Window,
        scratch: bool,
        advance: Callable[[int], None],
    ) -> Job:
        """The crop in this window of the photo, with a piece of a hole filled: grey, where all that is known is."""
        crop, missing, own = canvas.colours(window), mask[window], hole.mask(window)
        grey = is_grey(crop, ~missing)
        if self.trained is not None:
            if (others := missing & ~own).any():
                [crop] = yield [Request(HARMONIC, crop, others)]
            missing = own | (others & near(torch.from_numpy(own), REACH).numpy()) if scratch and others.any() else own
        if scratch:
            [filled] = yield [Request(BIHARMONIC, crop, missing)]
            advance(1)
        else:
            bounds, wanted = Hole(*np.nonzero(own)).window, inside(part.window, window)
            filled = yield from coarse_to_fine.fill(self.model, self.limit, crop, missing, bounds, wanted, advance)
            if self.texture is not None and natural.draws(hole, part, window):
                filled = yield from natural.redraw(self.texture, canvas, mask, hole, part, window, filled)
        return filled.mean(axis=2, keepdims=True).repeat(3, axis=2) if grey else filled

    def expect(self, canvas: Canvas, mask: Mask) -> Expected | None:
        """The mean absolute error to expect over all missing pixels of a photo, grey levels.

        Holes are taken one by one, each in its surroundings, as repair takes them, and count by their area. The range
        is that of holes which are all better, or all worse, than such holes are on average. None where the
        error of one is unknown, or nothing near it is known. `canvas` and `mask` are those of `paint`.
        """
        found = list(self.expectations(canvas, mask))
        return overall([expected for *_, expected in found], [len(rows) for rows, *_ in found])

    def expectations(self, canvas: Canvas, mask: Mask) -> Iterator[tuple[Positions, Positions, Expected]]:
        """The same for each hole; see `expectations.expectations`."""
        return expectations(canvas, mask, self.trained, self.calibrations, self.texture is not None)


def is_grey(colours: Colours, known: Mask) -> bool:
    """Whether the three channels of (h, w, 3) are equal where it is known: a black-and-white photo, scanned in RGB."""
    different = (((colours[..., k] != colours[..., k + 1]) & known).any() for k in (0, 1))
    return bool(known.any()) and not any(different)


class _Place(NamedTuple):
    """Where a job's result goes: the number of the hole, which piece of it, and the crop's window."""

    hole: int
    piece: Piece
    window: Window
