"""Holes as lists of pixels: what hangs together, what is thin, and the squares of a grid that a hole lies in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photomend.models import holes
from photomend.models.components import components
from photomend.models.holes import Hole, are_scratches, find_holes, near
from scipy import ndimage


def spiral(side: int) -> np.ndarray:
    """One component whose rows touch each other only at its ends."""
    mask = np.zeros((side, side), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    return mask


MASKS = {
    "noise": np.random.default_rng(0).random((60, 70)) < 0.4,
    "dense noise": np.random.default_rng(1).random((60, 70)) < 0.65,
    "spiral": spiral(41),
    "everything": np.ones((5, 7), bool),
    "a pixel in each corner": (np.indices((8, 9)) % np.array([7, 8])[:, None, None] == 0).all(axis=0),
}


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("name", MASKS)
def test_components_are_those_of_scipy(name: str, corners: bool) -> None:
    mask = MASKS[name]
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)) if corners else None)
    found = components(mask, corners)
    assert found.sizes.sum() == mask.sum()
    assert len(found.starts) == count
    for start, size in zip(found.starts, found.sizes, strict=True):
        rows, columns = found.rows[start : start + size], found.columns[start : start + size]
        own = labels[rows[0], columns[0]]
        assert np.array_equal(np.transpose(np.nonzero(labels == own)), np.stack((rows, columns), axis=1))
    window = [slice(span[0][0], span[1][0]) for span in found.spans()]
    assert tuple(window) == ndimage.find_objects(labels)[labels[found.rows[0], found.columns[0]] - 1]


def test_nothing_missing_has_no_components() -> None:
    assert len(components(np.zeros((4, 5), bool), True).starts) == 0
    assert find_holes(np.zeros((4, 5), bool)) == []


def test_distances_are_those_of_scipy_as_far_as_they_go() -> None:
    for mask in (*MASKS.values(), np.pad(np.ones((50, 45), bool), 3)):
        expected = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].clip(max=holes.FARTHEST)
        assert np.allclose(holes._distance(mask), expected, rtol=1e-12)


def test_a_scratch_is_one_however_long_it_is() -> None:
    y, x = np.mgrid[:900, :1000]
    line = abs(9 * x - 10 * y) < 10
    for thick, thin in ((line, True), (near(torch.from_numpy(line), 1).numpy(), False)):
        [hole] = find_holes(thick)
        expected = bool(ndimage.distance_transform_edt(thick).sum() < holes.SCRATCH * thick.sum())
        assert are_scratches([hole]) == [thin] == [expected]


def test_thickness_is_the_same_alone_and_among_thousands() -> None:
    """Small holes are measured together, some at the photo's edge, and large ones between them by themselves."""
    rng = np.random.default_rng(3)
    mask = ndimage.binary_dilation(rng.random((1200, 1300)) < 0.001, iterations=1)
    for top, left in rng.integers(0, 1200, (60, 2)):
        mask[top : top + rng.integers(1, 20), left : left + rng.integers(1, 20)] = True
    found = find_holes(mask, trained=20)
    small = [max(side.stop - side.start for side in hole.window) <= holes.FARTHEST for hole in found]
    assert sum(small) > holes.TOGETHER
    assert not all(small)
    expected = []
    for hole in found:
        own = np.pad(hole.mask(hole.window), 1)
        expected.append(
            bool(ndimage.distance_transform_edt(own).clip(max=holes.FARTHEST).sum() < holes.SCRATCH * own.sum())
        )
    assert len({*zip(small, expected, strict=True)}) >= 3  # small ones, thin and thick, and large ones
    assert are_scratches(found) == expected


def test_near_is_a_distance_along_rows_columns_and_diagonals() -> None:
    mask = MASKS["noise"] & (np.random.default_rng(2).random((60, 70)) < 0.02)
    expected = ndimage.distance_transform_cdt(~mask, "chessboard") <= 4
    assert np.array_equal(near(torch.from_numpy(mask), 4).numpy(), expected)


@pytest.mark.parametrize("overlap", [0, 5, 10])
def test_squares_hold_every_pixel_where_they_overlap_as_often_as_they_do(overlap: int) -> None:
    mask = MASKS["spiral"]
    hole = Hole(*np.nonzero(mask))
    counted, expected = np.zeros(mask.shape, int), np.zeros(mask.shape, int)
    squares = hole.squares(20, overlap)
    for square in squares:
        counted[square] += hole.mask(square)[: mask.shape[0] - square[0].start, : mask.shape[1] - square[1].start]
        assert len(hole.inside(square)) == mask[square].sum() > 0
    starts = range(0, 41, 20 - overlap)
    for top in starts:
        for left in starts:
            expected[top : top + 20, left : left + 20] += mask[top : top + 20, left : left + 20]
    assert np.array_equal(counted, expected)
