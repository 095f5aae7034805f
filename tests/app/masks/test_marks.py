"""What marks are described by, against the plain definitions of SciPy's image processing."""

from __future__ import annotations

import numpy as np
import pytest
from photomend.app.masks import marks
from photomend.app.masks.marks import COLUMNS, FAR, both_sides, common, extreme, nearest, rings, white_tophat
from scipy import ndimage

SHAPES = [(1, 1), (1, 40), (40, 3), (50, 70), (130, 200)]


def shades(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [3, 5, 11])
def test_the_white_tophat_and_extremes(shape: tuple[int, int], side: int) -> None:
    pixels = shades(shape)
    assert np.array_equal(extreme(np.minimum, pixels, side), ndimage.minimum_filter(pixels, side, mode="nearest"))
    opened = ndimage.grey_opening(pixels, (side, side), mode="nearest")
    assert np.array_equal(white_tophat(pixels, side), pixels - opened)
    few = pixels < 9
    assert np.array_equal(extreme(np.maximum, few, side), ndimage.binary_dilation(few, np.ones((side, side))))


@pytest.mark.parametrize("shape", [*SHAPES, (64, 128), (200, 333)])
def test_what_is_common_is_interpolated_between_the_centres_of_squares(shape: tuple[int, int]) -> None:
    tophat = shades(shape)
    places = [(np.arange(side) + 0.5) / marks.SQUARE - 0.5 for side in shape]
    down, across = (-(-side // marks.SQUARE) for side in shape)
    padded = np.pad(tophat, [(0, -side % marks.SQUARE) for side in shape], mode="symmetric")
    squares = padded.reshape(down, marks.SQUARE, across, marks.SQUARE).swapaxes(1, 2).reshape(down, across, -1)
    levels = np.percentile(squares, marks.COMMON, axis=2)
    expected = ndimage.map_coordinates(levels, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")
    np.testing.assert_allclose(common(tophat), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.002, 0.05, 0.4])
def test_the_nearest_mark_is_that_of_the_distance_transform(shape: tuple[int, int], share: float) -> None:
    """Of several that are equally near, too, the same one."""
    found = np.random.default_rng(1).random(shape) < share
    near, down = nearest(found)
    far = ndimage.distance_transform_edt(~found) if found.any() else np.full(shape, np.inf)
    close = far <= FAR
    assert np.array_equal(near // COLUMNS <= FAR**2, close)
    rows, columns = np.nonzero(close)
    np.testing.assert_array_equal(near[close] // COLUMNS, np.rint(far[close] ** 2))
    if found.any():
        aside = columns + near[close] % COLUMNS - FAR
        indices = ndimage.distance_transform_edt(~found, return_distances=False, return_indices=True)
        np.testing.assert_array_equal((rows + down[rows, aside], aside), indices[:, rows, columns])


def test_rings_around_a_pixel_have_the_pixels_of_those_distances() -> None:
    labels = np.zeros((41, 51), np.int32)
    labels[20, 25], labels[0, 0] = 1, 2
    y, x = np.mgrid[:41, :51]
    far = np.hypot(y - 20, x - 25)
    pixels = shades(labels.shape)
    for (own, values), (low, high) in zip(rings(labels, pixels), ((1.5, 4.5), (4.5, 10)), strict=True):
        assert sorted(values[own == 1]) == sorted(pixels[(far > low) & (far <= high)])
        assert (own == 2).any()


@pytest.mark.parametrize("offset", [(0, 0), (3, -2), (-5, 0), (0, 60), (-50, 4), (9, 9)])
def test_beyond_the_edge_a_pixel_is_combined_with_itself(offset: tuple[int, int]) -> None:
    pixels = shades((9, 13)).astype(int)
    expected = pixels.copy()
    for y, x in np.ndindex(9, 13):
        there = y + offset[0], x + offset[1]
        inside = 0 <= there[0] < 9 and 0 <= there[1] < 13
        expected[y, x] += pixels[there] if inside else pixels[y, x]
    assert np.array_equal(marks._with_moved(np.add, pixels, *offset), expected)


def test_both_sides_are_a_photo_and_its_negative_with_the_same_edges() -> None:
    pixels = shades((60, 50))
    light, dark = both_sides(pixels)
    assert np.array_equal(light.shades, pixels)
    assert np.array_equal(dark.shades, 255 - pixels)
    expected = ndimage.gaussian_gradient_magnitude(255 - pixels.astype(np.float32), 0.7)
    np.testing.assert_allclose(dark.slope, expected, rtol=1e-4, atol=1e-4)
