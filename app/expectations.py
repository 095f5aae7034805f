"""How far off the holes of a photo are likely to be when they are rebuilt, told before or after, without the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, TypeAlias

import torch

from ..data.photos import Mask
from ..models.calibration import Calibration, Calibrations, Expected, features
from ..models.components import Positions
from ..models.holes import Hole, Window, are_scratches, find_holes
from . import natural
from .photo.canvas import Canvas
from .pieces import CONTEXT, crop_around, pieces, sprawls
from .side_by_side import BATCH, to_arrays

#: The calibration of some holes' error, and of each its pixels, and its crop's window.
Batch: TypeAlias = tuple[Calibration | None, list[tuple[Hole, Window]]]


def expectations(
    canvas: Canvas, mask: Mask, trained: int | None, calibrations: Calibrations, drawn: bool
) -> Iterator[tuple[Positions, Positions, Expected]]:
    """The error to expect of each hole, or each piece of one that sprawls: its rows (n,), its columns (n,), the error.

    Pieces may overlap. Nothing is yielded where the error of some hole is unknown, or nothing near is known.

    Args:
        canvas, mask: those of `Repairer.paint`.
        trained: the longest side of a hole that the model was trained for, pixels; None for one that wasn't.
        calibrations: of the model.
        drawn: whether holes are drawn anew with patches, those of which `natural.draws` says so.
    """
    if calibrations == Calibrations():
        return
    batches = list(_by_shape(mask, trained, calibrations, drawn))
    if any(calibration is None for calibration, _ in batches):
        return  # part of the error isn't the photo's
    found = list[tuple[Positions, Positions, Expected]]()
    for calibration, places in batches:
        assert calibration is not None
        arrays = [to_arrays(canvas.colours(window), mask[window]) for _, window in places]
        photos, masks = (torch.stack(each) for each in zip(*arrays, strict=True))
        each = calibration.expected(features(photos.where(masks < 0.5, 0), masks))
        for ((rows, columns), _), expected in zip(places, each, strict=True):
            if expected is None:
                return
            found.append((rows, columns, expected))
    yield from found


def _by_shape(mask: Mask, trained: int | None, calibrations: Calibrations, drawn: bool) -> Iterator[Batch]:
    """The pieces of all holes in batches whose crops are of one shape. Those without a known pixel are left out."""
    batches: defaultdict[tuple[Any, ...], list[tuple[Hole, Window]]] = defaultdict(list)
    holes = find_holes(mask, trained)
    scratches = [False] * len(holes) if trained is None else are_scratches(holes)
    for hole, scratch in zip(holes, scratches, strict=True):
        for part in pieces(hole):
            window = crop_around(part.window, mask.shape, CONTEXT if sprawls(hole) else None)
            crop = mask[window]
            if crop.all():
                continue
            anew = drawn and not scratch and natural.draws(hole, part, window)
            key = calibrations.natural if anew else calibrations.own, *crop.shape
            batches[key].append((Hole(hole.rows[part.own], hole.columns[part.own]), window))
            if crop.size * len(batches[key]) >= BATCH:
                yield key[0], batches.pop(key)
    for (calibration, *_), places in batches.items():
        yield calibration, places
