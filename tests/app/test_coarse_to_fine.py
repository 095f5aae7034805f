"""What a hole larger than a network was trained for is cut into, and the resolutions it is filled at."""

from __future__ import annotations

import numpy as np
import pytest
from photomend.app.coarse_to_fine import enlarge, shrink, tiles


def test_halving_and_doubling_keep_a_ramp() -> None:
    crop = np.linspace(0, 1, 41, dtype=np.float32)[None, :, None] * np.ones((33, 1, 3), np.float32)
    missing = np.zeros((33, 41), bool)
    missing[8:17, 10:19] = True
    half, half_missing = shrink(crop, missing)
    assert half.shape == (17, 21, 3)
    assert half_missing.sum() == 4 * 4  # only the blocks that lie in the hole whole
    back = enlarge(shrink(crop, np.zeros_like(missing))[0], missing.shape)
    assert np.abs(back - crop)[2:-2, 2:-2].max() < 1e-6


@pytest.mark.parametrize("length", [1, 30, 31, 59, 60, 61, 89, 90, 91, 200])
def test_tiles_cover_the_hole(length: int) -> None:
    covered = np.zeros((7, length + 10), int)
    for tile in tiles((slice(2, 5), slice(5, 5 + length)), 60):
        assert all(0 < side.stop - side.start <= 60 for side in tile)
        covered[tile] += 1
    assert covered[2:5, 5 : 5 + length].min() >= 1
    assert covered.sum() == covered[2:5, 5 : 5 + length].sum()
    assert covered.max() <= 2
