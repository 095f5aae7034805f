from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photomend.core import PhotomendError
from photomend.data.masks import Box, box_mask, protocol_box, random_box


def test_protocol_box_depends_on_seed_and_index_only() -> None:
    assert protocol_box(0, 0) == Box(x=85, y=47, width=57, height=50)  # never to change: results are compared
    assert protocol_box(3, 7) == protocol_box(3, 7)
    assert len({protocol_box(0, index) for index in range(100)}) > 95
    assert protocol_box(0, 1) != protocol_box(1, 0)


def test_protocol_sides_are_uniform_with_both_edges() -> None:
    boxes = [protocol_box(5, index) for index in range(6000)]
    for sides in ([b.width for b in boxes], [b.height for b in boxes]):
        counts = Counter(sides)
        assert set(counts) == set(range(31, 62))  # w+1 for w in 30…60
        chi_squared = sum((counts[s] - 6000 / 31) ** 2 / (6000 / 31) for s in counts)
        assert chi_squared < 59.7  # 30 degrees of freedom, p = 0.001
    assert min(b.x for b in boxes) == 0
    assert max(b.x + b.width for b in boxes) == 224
    assert min(b.y for b in boxes) == 0
    assert max(b.y + b.height for b in boxes) == 224


def test_corner_is_uniform_where_it_fits() -> None:
    rng = np.random.default_rng(0)
    counts = Counter(random_box(rng, 8, 8, low=4, high=4)[:2] for _ in range(8000))
    assert set(counts) == {(x, y) for x in range(4) for y in range(4)}
    assert all(abs(n - 500) < 110 for n in counts.values())  # five standard deviations


def test_single_pixel_and_whole_photo() -> None:
    rng = np.random.default_rng(0)
    assert random_box(rng, 10, 10, low=0, high=0)[2:] == (1, 1)
    assert random_box(rng, 10, 10, low=9, high=9) == Box(0, 0, 10, 10)


@given(st.integers(1, 80), st.integers(1, 80), st.data())
def test_random_box_is_inside(height: int, width: int, data: st.DataObject) -> None:
    high = data.draw(st.integers(0, min(height, width) - 1))
    low = data.draw(st.integers(0, high))
    box = random_box(np.random.default_rng(data.draw(st.integers(0, 99))), height, width, low, high)
    mask = box_mask(box, height, width)
    assert mask.shape == (height, width)
    assert mask.sum() == box.width * box.height
    assert low + 1 <= box.width <= high + 1
    assert low + 1 <= box.height <= high + 1


def test_box_mask_marks_exactly_the_box() -> None:
    mask = box_mask(Box(x=1, y=2, width=3, height=1), height=4, width=5)
    assert mask.dtype == bool
    assert np.argwhere(mask).tolist() == [[2, 1], [2, 2], [2, 3]]


@pytest.mark.parametrize("box", [(0, 0, 0, 1), (1, 1, 1, -1), (9, 9, -2, 0)])
def test_box_without_pixels(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(PhotomendError, match=r"x,y,width,height\) has no pixels"):
        box_mask(Box(*box), height=4, width=5)


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, -1, 2, 2), (4, 0, 2, 2), (0, 3, 2, 2)])
def test_box_outside_the_photo(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(PhotomendError, match=r"x,y,width,height.*5x4"):
        box_mask(Box(*box), height=4, width=5)


def test_hole_larger_than_the_photo() -> None:
    with pytest.raises(PhotomendError, match="61 pixels don't fit into 200x60"):
        random_box(np.random.default_rng(0), height=60, width=200)
    with pytest.raises(PhotomendError, match="low=5, high=4"):
        random_box(np.random.default_rng(0), 99, 99, low=5, high=4)
