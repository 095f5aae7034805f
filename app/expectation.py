"""What error to expect in a photo's holes, before or after they are rebuilt."""

from __future__ import annotations

from math import nan

import numpy as np
import torch

from .. import models
from ..core import PhotomendError
from ..train.calibration import Calibration, Expected, features
from ..train.checkpoint import load_checkpoint
from .reconstructors import find_weights
from .repair import CELL, Pixels, find_holes, surroundings


def load_calibration(name: str) -> Calibration | None:
    """The calibration that the weights called `name` carry, if they do; see `reconstructors.load_reconstructor`.

    Raises PhotomendError for one that makes no sense.
    """
    if name in models.NAMES and name not in models.TRAINED:
        return None
    weights = find_weights(name)
    found = load_checkpoint(weights).calibration
    if not found:
        return None
    try:
        return Calibration(**{**found, "coefficients": tuple(found["coefficients"])})
    except (TypeError, KeyError) as error:
        raise PhotomendError(f"{weights}: its calibration is damaged ({error})") from error


def expect(photo: Pixels, mask: Pixels, calibration: Calibration) -> Expected:
    """The mean absolute error to expect over all missing pixels of a photo, grey levels.

    Holes are taken one by one, each in its surroundings, as repair takes them, and count by their area. The range is
    that of holes which are all better, or all worse, than such holes are on average.

    Args:
        photo: uint8 (H, W, 3); its missing pixels are never looked at.
        mask: bool (H, W), True where pixels are missing; some are, and not all.
    """
    areas, found = [], []
    for hole, own in find_holes(mask, CELL):
        around = surroundings(hole, mask.shape)
        missing = mask[around]
        if missing.all():
            continue  # nothing near it is known
        known = np.where(missing[..., None], 0, photo[around]).astype(np.float32) / 255
        arrays = (
            torch.from_numpy(known).permute(2, 0, 1)[None],
            torch.from_numpy(missing.astype(np.float32))[None, None],
        )
        found += calibration.expected(features(*arrays))
        areas.append(int(own.sum()))
    if not found:
        return Expected(nan, nan, nan)
    return Expected(
        *(float(np.average([getattr(e, end) for e in found], weights=areas)) for end in ("mae", "low", "high"))
    )
