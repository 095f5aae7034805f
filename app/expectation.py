"""What error to expect in a photo's holes, before or after they are rebuilt."""

from __future__ import annotations

from math import nan

import numpy as np

from ..models.calibration import Calibration, Expected, features
from .repair import Pixels, find_holes, surroundings, to_arrays


def expect(photo: Pixels, mask: Pixels, calibration: Calibration, trained_hole: int) -> Expected:
    """The mean absolute error to expect over all missing pixels of a photo, grey levels.

    Holes are taken one by one, each in its surroundings, as repair takes them, and count by their area. The range is
    that of holes which are all better, or all worse, than such holes are on average.

    Args:
        photo: uint8 (H, W, 3); its missing pixels are never looked at.
        mask: bool (H, W), True where pixels are missing; some are, and not all.
        calibration, trained_hole: the network's.
    """
    areas, found = [], []
    for hole, own in find_holes(mask, trained_hole):
        around = surroundings(hole, mask.shape)
        missing = mask[around]
        if missing.all():
            continue  # nothing near it is known
        known = np.where(missing[..., None], 0, photo[around]).astype(np.float32) / 255
        found += calibration.expected(features(*to_arrays(known, missing)))
        areas.append(int(own.sum()))
    if not found:
        return Expected(nan, nan, nan)
    return Expected(
        *(float(np.average([getattr(e, end) for e in found], weights=areas)) for end in ("mae", "low", "high"))
    )
