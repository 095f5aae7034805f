"""Strokes and scratches: as thick as asked, repeatable, inside the photo."""

from __future__ import annotations

import numpy as np
import pytest
from photomend.core import PhotomendError
from photomend.data.masks import stroke_mask
from scipy import ndimage


def drawn(seed: int, thickness: tuple[int, int], count: tuple[int, int] = (1, 1)) -> np.ndarray:
    return stroke_mask(np.random.default_rng(seed), 120, 160, count, thickness)


@pytest.mark.parametrize("thickness", [1, 3, 8, 20])
def test_strokes_are_as_thick_as_asked(thickness: int) -> None:
    found = []
    for seed in range(10):
        mask = drawn(seed, (thickness, thickness))
        assert mask.dtype == np.bool_
        assert mask.shape == (120, 160)
        found.append(2 * ndimage.distance_transform_edt(np.pad(mask, 1)).max())
    # Less where a stroke lies along the photo's edge, more where it bends back over itself.
    assert thickness - 1 <= np.median(found) <= 1.6 * thickness + 2


def test_the_same_seed_gives_the_same_strokes_and_another_others() -> None:
    assert np.array_equal(drawn(1, (3, 9), (2, 5)), drawn(1, (3, 9), (2, 5)))
    assert not np.array_equal(drawn(1, (3, 9), (2, 5)), drawn(2, (3, 9), (2, 5)))


def test_more_strokes_cover_more() -> None:
    areas = [np.mean([drawn(seed, (4, 4), (n, n)).mean() for seed in range(20)]) for n in (1, 4, 12)]
    assert areas[0] < areas[1] < areas[2]


def test_impossible_ranges_are_named() -> None:
    with pytest.raises(PhotomendError, match=r"thickness \(=0\.\.3\) must be a range from 1 on"):
        drawn(0, (0, 3))
    with pytest.raises(PhotomendError, match=r"strokes \(=5\.\.2\)"):
        drawn(0, (1, 2), (5, 2))
