"""The harmonic fill against a sparse direct solve of the same equations, over many kinds of holes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch
from photomend.models import HarmonicFill, harmonic
from photomend.models.holes import Hole, distance_to_known, hole_bounds
from photomend.models.multigrid import Laplace, Pixels
from scipy.ndimage import distance_transform_cdt

from .holes import photo, rectangle

SIDE = 112


def direct_solve(picture: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """(3, H, W) with every missing pixel the mean of its neighbours, by a sparse LU factorisation."""
    height, width = missing.shape
    number = -np.ones((height, width), dtype=int)
    rows, columns = np.nonzero(missing)
    number[rows, columns] = np.arange(len(rows))
    matrix = scipy.sparse.lil_matrix((len(rows), len(rows)))
    right_side = np.zeros((len(rows), 3))
    for k, (r, c) in enumerate(zip(rows, columns, strict=True)):
        for r2, c2 in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
            if 0 <= r2 < height and 0 <= c2 < width:
                matrix[k, k] += 1
                if missing[r2, c2]:
                    matrix[k, number[r2, c2]] -= 1
                else:
                    right_side[k] += picture[:, r2, c2]
    filled = picture.copy()
    filled[:, rows, columns] = scipy.sparse.linalg.splu(matrix.tocsc()).solve(right_side).T
    return filled


def disc(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return (rows - 60) ** 2 + (columns - 50) ** 2 < 30**2


def noise(share: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.random((SIDE, SIDE)) < share


def scratches(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    lines = rng.random((6, 3)) * SIDE
    return np.any([abs((rows - a) - (columns - b) * np.tan(c)) < 2 for a, b, c in lines], axis=0)


def box(top: int, left: int, bottom: int, right: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rectangle(SIDE, SIDE, top, left, bottom, right)[0, 0].numpy() > 0


def two_boxes(rng: np.random.Generator) -> np.ndarray:
    return box(5, 5, 40, 30)(rng) | box(60, 50, 100, 112)(rng)


def boxes_and_a_disc(rng: np.random.Generator) -> np.ndarray:
    """Two boxes that touch at a corner, one at the edge, and a disc."""
    touching = box(5, 5, 35, 35)(rng) | box(35, 35, 60, 60)(rng)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return touching | box(0, 80, 40, SIDE)(rng) | ((rows - 85) ** 2 + (columns - 20) ** 2 < 15**2)


def box_among_dust(rng: np.random.Generator) -> np.ndarray:
    return box(20, 30, 70, 80)(rng) | noise(0.03)(rng)


def hook_around_a_box(rng: np.random.Generator) -> np.ndarray:
    """Two holes of which one lies in the other's bounds."""
    return box(10, 10, 100, 40)(rng) | box(70, 10, 100, 100)(rng) | box(10, 60, 60, 100)(rng)


def all_but_a_patch(rng: np.random.Generator) -> np.ndarray:
    return ~box(30, 40, 40, 48)(rng)


HOLES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "protocol": box(20, 30, 70, 80),
    "one pixel": box(50, 50, 51, 51),
    "corner": box(0, 0, 50, 40),
    "edge": box(60, 30, SIDE, 90),
    "half the photo": box(0, 20, SIDE, 76),
    "half, along the edge": box(0, 0, SIDE, 56),
    "disc": disc,
    "half of all pixels": noise(0.5),
    "nineteen of twenty pixels": noise(0.95),
    "scratches": scratches,
    "two boxes": two_boxes,
    "boxes and a disc": boxes_and_a_disc,
    "a box among dust": box_among_dust,
    "a hook around a box": hook_around_a_box,
    "all but a patch": all_but_a_patch,
}


@pytest.mark.parametrize("hole", HOLES)
def test_agrees_with_a_direct_solve_within_a_tenth_of_a_grey_level(hole: str) -> None:
    picture = photo(SIDE, SIDE)
    missing = HOLES[hole](np.random.default_rng(0))
    mask = torch.from_numpy(missing).float()[None, None]
    filled = HarmonicFill().reconstruct(picture * (1 - mask), mask)
    expected = direct_solve(picture[0].double().numpy(), missing)
    assert 255 * np.abs(filled[0].double().numpy() - expected).max() < 0.1


@pytest.mark.parametrize("hole", HOLES)
def test_pixels_alone_are_filled_like_their_rectangles(hole: str) -> None:
    pixels = (255 * photo(SIDE, SIDE))[0].round().byte().permute(1, 2, 0).contiguous().numpy()
    missing = HOLES[hole](np.random.default_rng(0))
    expected = direct_solve(pixels.transpose(2, 0, 1) / 255, missing)[:, missing].T

    def known(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        assert not missing[rows, columns].any()
        return pixels[rows, columns] / 255

    found = HarmonicFill().fill_pixels(Hole(*np.nonzero(missing)), missing.shape, known)
    assert 255 * np.abs(found - expected).max() < 0.1


@pytest.mark.parametrize("hole", ["half the photo", "hook around a box", "noise"])
def test_multigrid_is_symmetric_and_a_good_inverse(hole: str) -> None:
    """What the conjugate gradient method needs of a preconditioner, and its condition: the matrix is written out."""
    side = 40
    missing = {
        "half the photo": np.arange(side * side).reshape(side, side) < side * side // 2,
        "hook around a box": np.pad(np.zeros((side - 20, side - 20), bool), ((20, 0), (0, 20)), constant_values=True),
        "noise": np.random.default_rng(0).random((side, side)) < 0.8,
    }[hole]
    pixels = Pixels(np.flatnonzero(missing), (1, side, side))
    laplace, unit = Laplace(pixels, torch.device("cpu")), torch.eye(len(pixels.places), dtype=torch.float64)
    matrix, inverse = laplace(unit), laplace.precondition(unit)
    assert torch.equal(matrix, matrix.mT)
    assert torch.allclose(inverse, inverse.mT, atol=1e-12)
    product = np.linalg.eigvals((inverse @ matrix).numpy()).real
    assert product.min() > 0
    assert product.max() / product.min() < 12


MIXED = ("protocol", "boxes and a disc", "scratches", "corner", "a box among dust", "disc", "edge")


def test_each_of_several_holes_is_solved_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photo(SIDE, SIDE)
    missing = boxes_and_a_disc(np.random.default_rng(0))
    missing[::10, 64:73:4] = True
    mask = torch.from_numpy(missing).float()[None, None]
    solved, together, cut, scattered = [], [], harmonic._cut, harmonic._scattered

    def noted(*given: Any) -> Any:
        solved.append(given[2].sum().item())
        return cut(*given)

    def noted_together(pixels: Pixels, *given: Any) -> Any:
        together.append(len(pixels.places))
        return scattered(pixels, *given)

    monkeypatch.setattr(harmonic, "_cut", noted)
    monkeypatch.setattr(harmonic, "_scattered", noted_together)
    HarmonicFill().reconstruct(picture, mask)
    disc = missing[:, :40].sum() - 30 * 30 - 25 * 5
    assert solved == [40 * 32, 30 * 30, 25 * 25, disc]
    assert together == [12 * 3]  # the specks


def test_a_batch_of_different_holes_is_each_photo_by_itself() -> None:
    picture = photo(SIDE, SIDE)
    rng = np.random.default_rng(1)
    masks = [torch.from_numpy(HOLES[name](rng)).float()[None, None] for name in MIXED]
    together = HarmonicFill().reconstruct(picture.repeat(len(MIXED), 1, 1, 1), torch.cat(masks))
    for alone, mask in zip(together, masks, strict=True):
        assert 255 * (HarmonicFill().reconstruct(picture, mask)[0] - alone).abs().max() < 0.01


@pytest.mark.parametrize("hole", ["protocol", "a hook around a box", "scratches"])
def test_known_pixels_are_bit_identical_and_missing_ones_are_ignored(hole: str) -> None:
    picture, mask = photo(SIDE, SIDE), torch.from_numpy(HOLES[hole](np.random.default_rng(0))).float()[None, None]
    spoilt = torch.where(mask > 0, torch.full_like(picture, float("nan")), picture)
    filled = HarmonicFill().reconstruct(spoilt, mask)
    assert torch.equal(filled[mask.expand_as(filled) == 0], picture[mask.expand_as(filled) == 0])
    assert torch.equal(filled, HarmonicFill().reconstruct(picture, mask))


def test_a_plane_is_rebuilt_exactly() -> None:
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    plane = ((rows + 2 * columns) / 200).expand(1, 3, 64, 64)
    mask = rectangle(64, 64, 10, 10, 50, 50)
    assert torch.allclose(HarmonicFill().reconstruct(plane * (1 - mask), mask), plane, atol=1e-6)


@pytest.mark.parametrize(("value", "message"), [(0.0, "nothing is missing"), (1.0, "everything is missing")])
def test_masks_that_make_no_sense_are_refused(value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HarmonicFill().reconstruct(torch.zeros(1, 3, 8, 8), torch.full((1, 1, 8, 8), value))


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mask: shape \(1, 1, 8, 9\) must be \(1, 1, 8, 8\)"):
        HarmonicFill().reconstruct(torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 9))


def test_bounds_and_distance() -> None:
    rng = np.random.default_rng(2)
    missing = scratches(rng) | disc(rng)
    mask = torch.from_numpy(missing).float()[None, None]
    rows, columns = np.nonzero(missing)
    assert hole_bounds(mask) == [(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)]
    expected = distance_transform_cdt(missing, metric="taxicab")
    assert np.array_equal(distance_to_known(mask)[0, 0].numpy(), expected)


@pytest.mark.cuda
@pytest.mark.parametrize("hole", HOLES)
def test_on_the_gpu_it_is_the_same_fill(hole: str) -> None:
    picture = photo(SIDE, SIDE)
    mask = torch.from_numpy(HOLES[hole](np.random.default_rng(0))).float()[None, None]
    there = HarmonicFill().reconstruct(picture.cuda(), mask.cuda()).cpu()
    assert 255 * (there - HarmonicFill().reconstruct(picture, mask)).abs().max() < 0.1
