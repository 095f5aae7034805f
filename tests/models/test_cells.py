"""Cells cover a hole exactly, and what is seen around it is what plain loops see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from photomend.core import Array
from photomend.models.cells import cell_means, hole_aligned, paint_cells, ring_colours

from .holes import photo, rectangle

HEIGHT, WIDTH = 40, 50
QUICK = settings(max_examples=60, deadline=None)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of any rectangle in the photo but the whole of it."""
    top, left = draw(st.integers(0, HEIGHT - 1)), draw(st.integers(0, WIDTH - 1))
    bottom, right = draw(st.integers(top + 1, HEIGHT)), draw(st.integers(left + 1, WIDTH))
    return (top, left, bottom, right) if (bottom - top, right - left) != (HEIGHT, WIDTH) else (top + 1, 0, HEIGHT, 9)


@given(boxes(), st.integers(1, 8))
@QUICK
def test_cells_cover_the_hole_and_nothing_else(box: tuple[int, int, int, int], k: int) -> None:
    mask = rectangle(HEIGHT, WIDTH, *box)
    assert torch.equal(paint_cells(torch.ones(1, 1, k, k), mask).data, mask)
    numbers = torch.arange(1.0, k * k + 1).reshape(1, 1, k, k)
    top, left, bottom, right = box
    painted = paint_cells(numbers, mask).data[0, 0, top:bottom, left:right].numpy()
    rows = [(j + 1) * (bottom - top) // k - j * (bottom - top) // k for j in range(k)]
    columns = [(j + 1) * (right - left) // k - j * (right - left) // k for j in range(k)]
    expected = np.repeat(np.repeat(numbers[0, 0].numpy(), rows, axis=0), columns, axis=1)
    assert np.array_equal(painted, expected)
    assert max(rows) - min(rows) <= 1
    assert max(columns) - min(columns) <= 1


@given(boxes(), st.integers(1, 8))
@QUICK
def test_the_means_of_painted_cells_are_their_colours(box: tuple[int, int, int, int], k: int) -> None:
    mask = rectangle(HEIGHT, WIDTH, *box).double()
    colours = torch.rand(1, 3, k, k, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    means, count = cell_means(paint_cells(colours, mask).data, mask, k)
    assert count.sum() == mask.sum()
    assert torch.allclose(means, torch.where(count > 0, colours, 0.0), atol=1e-12)


def test_means_are_over_missing_pixels_only() -> None:
    mask = rectangle(20, 20, 4, 4, 12, 12)
    mask[:, :, 5, 5] = 0
    picture = torch.full((1, 3, 20, 20), 0.25)
    picture[:, :, 5, 5] = 9
    means, count = cell_means(picture, mask, 2)
    assert torch.equal(means, torch.full((1, 3, 2, 2), 0.25))
    assert count.flatten().tolist() == [15, 16, 16, 16]


def ring_by_loops(picture: np.ndarray, box: tuple[int, int, int, int], sides: int) -> np.ndarray:
    """(3, 4 · sides + 4): every tile of the ring pixel by pixel, NaN where it lies beyond the photo."""
    top, left, bottom, right = box
    edges = []
    for start, stop in ((top, bottom), (left, right)):
        edges.append([start - 1, *(start + (stop - start) * j / sides for j in range(sides + 1)), stop + 1])
    tiles = []
    for i in range(sides + 2):
        for j in range(sides + 2):
            if 0 < i <= sides and 0 < j <= sides:
                continue
            total, area = np.zeros(3), 0.0
            for y in range(HEIGHT):
                for x in range(WIDTH):
                    down = min(edges[0][i + 1], y + 1) - max(edges[0][i], y)
                    across = min(edges[1][j + 1], x + 1) - max(edges[1][j], x)
                    if down > 1e-9 and across > 1e-9:
                        total, area = total + down * across * picture[:, y, x], area + down * across
            tiles.append(total / area if area else np.full(3, np.nan))
    return np.stack(tiles, axis=1)


@pytest.mark.parametrize(
    "box",
    [(10, 12, 31, 30), (0, 12, 20, 30), (15, 0, HEIGHT, 21), (0, 5, HEIGHT, 9), (20, 20, 21, 23), (0, 0, 39, WIDTH)],
    ids=["inside", "top", "corner", "from top to bottom", "small", "one known row"],
)
def test_the_ring_is_what_plain_loops_see(box: tuple[int, int, int, int]) -> None:
    picture, mask = photo(HEIGHT, WIDTH).double(), rectangle(HEIGHT, WIDTH, *box).double()
    spoilt = torch.where(mask > 0, torch.nan, picture)
    ring, mean = ring_colours(spoilt, mask, 4)
    expected = ring_by_loops(picture[0].numpy(), box, 4)
    expected_mean = np.nanmean(expected, axis=1, keepdims=True)
    assert np.allclose(mean[0], expected_mean)
    assert np.allclose(ring[0], np.nan_to_num(expected - expected_mean, nan=0.0))


def test_without_a_ring_the_mean_is_that_of_all_known_pixels() -> None:
    picture, mask = photo(HEIGHT, WIDTH), torch.ones(1, 1, HEIGHT, WIDTH)
    mask[:, :, 3:9, 4:30] = 0
    ring, mean = ring_colours(picture * (1 - mask), mask)
    assert not ring.any()
    assert torch.allclose(mean[0, :, 0], picture[0, :, 3:9, 4:30].mean(dim=(1, 2)))


@given(boxes())
@QUICK
def test_a_hole_lies_in_the_same_place_whatever_its_size(box: tuple[int, int, int, int]) -> None:
    mask = rectangle(HEIGHT, WIDTH, *box)
    picture = torch.full((1, 3, HEIGHT, WIDTH), 0.75)
    colours, covered = hole_aligned(picture * (1 - mask), mask, 8, 4)
    assert colours.shape == (1, 3, 16, 16)
    assert not covered[:, :, 4:12, 4:12].any()
    assert torch.allclose(colours, 0.75 * covered.expand_as(colours))
    if box[0] > 0:
        assert covered[0, 0, 3, 4:12].all()
    if box[3] < WIDTH:
        assert covered[0, 0, 4:12, 12].all()


def test_tiles_are_the_pixels_where_they_have_one_size() -> None:
    picture, mask = photo(HEIGHT, WIDTH), rectangle(HEIGHT, WIDTH, 10, 12, 18, 20)
    colours, covered = hole_aligned(picture * (1 - mask), mask, 8, 4)
    cut: Array = (picture * (1 - mask))[:, :, 6:22, 8:24]
    assert torch.allclose(colours, cut, atol=1e-6)
    assert torch.equal(covered, 1 - mask[:, :, 6:22, 8:24])
