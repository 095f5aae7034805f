"""Repair: known pixels untouched, any size, large holes coarse to fine without seams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from photomend.app.photo.canvas import RepairError
from photomend.app.repair import Repairer
from photomend.app.side_by_side import BATCH
from photomend.core import Array
from photomend.models import BiharmonicFill, HarmonicFill, build
from photomend.models.reconstructor import Reconstructor
from scipy import sparse
from scipy.sparse.linalg import spsolve


class Laplace:
    """Solves the Laplace equation over the hole directly; refuses holes beyond `trained_hole` if it has one."""

    def __init__(self, trained_hole: int | None = None) -> None:
        if trained_hole is not None:
            self.trained_hole = trained_hole
        self.shapes: list[tuple[int, ...]] = []

    def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(masked.shape))
        return torch.stack([self.solve(photo, own[0].numpy() > 0.5) for photo, own in zip(masked, mask, strict=True)])

    def solve(self, photo: torch.Tensor, hole: np.ndarray) -> torch.Tensor:
        height, width = hole.shape
        if hasattr(self, "trained_hole"):
            rows, columns = np.nonzero(hole)
            assert np.ptp(rows) < self.trained_hole
            assert np.ptp(columns) < self.trained_hole
        index = np.full((height, width), -1)
        index[hole] = np.arange(hole.sum())
        matrix = sparse.lil_matrix((hole.sum(), hole.sum()))
        right = np.zeros((hole.sum(), 3))
        colours = photo.permute(1, 2, 0).numpy()
        for y, x in zip(*np.nonzero(hole), strict=True):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < height and 0 <= u < width:
                    matrix[index[y, x], index[y, x]] += 1
                    if hole[v, u]:
                        matrix[index[y, x], index[v, u]] = -1
                    else:
                        right[index[y, x]] += colours[v, u]
        answer = photo.clone()
        solved = spsolve(matrix.tocsc(), right).reshape(-1, 3)
        answer[:, torch.from_numpy(hole)] = torch.from_numpy(solved.T.astype(np.float32))
        return answer


class Grey:
    """Fills with middle grey, and paints over what is known."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(masked.shape))
        return torch.full_like(masked, 0.5)


def repair(photo: np.ndarray, mask: np.ndarray, model: Reconstructor, **options: Any) -> np.ndarray:
    return Repairer(model).repair(photo, mask, **options)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    bands = 40 + 0.5 * x, 30 + 0.4 * y, 200 - 0.2 * x - 0.25 * y
    return np.rint(np.stack(bands, axis=-1)).clip(0, 255).astype(np.uint8)


def box(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    for x, y, w, h in boxes:
        mask[y : y + h, x : x + w] = True
    return mask


@pytest.mark.parametrize(
    ("size", "hole"),
    [
        ((1, 2), (0, 0, 1, 1)),
        ((3, 5), (2, 0, 3, 2)),
        ((40, 30), (0, 0, 30, 39)),
        ((100, 333), (300, 60, 33, 40)),
        ((257, 129), (5, 5, 7, 200)),
    ],
)
def test_known_pixels_stay(size: tuple[int, int], hole: tuple[int, int, int, int]) -> None:
    photo, mask, model = noise(*size), box(*size, hole), Grey()
    before = photo.copy()
    result = repair(photo, mask, model)
    assert result.dtype == np.uint8
    assert np.array_equal(result[~mask], photo[~mask])
    assert bool((result[mask] == 128).all())
    assert np.array_equal(photo, before)
    assert all(
        side % 16 == 0 or side == most for shape in model.shapes for side, most in zip(shape[2:], size, strict=True)
    )


def test_missing_colours_are_never_looked_at() -> None:
    photo, mask = ramp(90, 90), box(90, 90, (20, 25, 50, 40))
    painted = photo.copy()
    painted[mask] = 255
    for limit in (None, 16):
        assert np.array_equal(repair(photo, mask, Laplace(limit)), repair(painted, mask, Laplace(limit)))


def test_crops_are_as_small_as_the_hole_allows() -> None:
    model = Grey()
    repair(noise(2000, 3000), box(2000, 3000, (100, 100, 20, 10), (2900, 1900, 100, 100)), model)
    assert sorted(model.shapes) == [(1, 3, 80, 96), (1, 3, 208, 208)]


def test_a_hole_at_the_edge_has_as_much_around_it_and_is_no_larger_there() -> None:
    class Watched(Grey):
        def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            assert mask.sum() == 31 * 33
            return super().reconstruct(masked, mask)

    for x, y in ((0, 0), (109, 0), (0, 90), (109, 90), (60, 40)):
        model = Watched()
        repair(noise(121, 142), box(121, 142, (x, y, 33, 31)), model)
        assert model.shapes == [(1, 3, 96, 112)]
    repair(noise(57, 71), box(57, 71, (40, 24, 31, 33)), Watched())


def test_dust_is_worked_by_the_cell() -> None:
    mask = np.zeros((512, 512), bool)
    mask[::8, ::8] = True
    model, heard = Grey(), []
    photo = noise(512, 512)
    result = repair(photo, mask, model, on_step=lambda done, total: heard.append((done, total)))
    assert heard == [(n, 64) for n in range(1, 65)]
    assert bool((result[mask] == 128).all())
    assert np.array_equal(result[~mask], photo[~mask])


def test_steps_are_told_within_a_hole_and_all_of_them_come() -> None:
    """Of a large hole, of a scratch that is worked along its length, and of a frame that is one system."""
    photo, heard = ramp(700, 700), list[tuple[int, int]]()

    def told(mask: np.ndarray, model: Reconstructor) -> int:
        heard.clear()
        repair(photo, mask, model, on_step=lambda done, total: heard.append((done, total)))
        done, totals = [n for n, _ in heard], {total for _, total in heard}
        assert done == sorted(set(done))
        assert totals == {done[-1]}
        return len(done)

    scratch, frame = np.zeros((700, 700), bool), np.ones((700, 700), bool)
    scratch[np.arange(700), np.arange(700)] = True
    frame[20:-20, 20:-20] = False
    assert told(box(700, 700, (50, 60, 300, 200)), Laplace(trained_hole=30)) > 3
    assert told(scratch, Laplace(trained_hole=30)) >= 2
    assert told(frame, HarmonicFill()) == 1


def test_holes_do_not_depend_on_each_other() -> None:
    photo = noise(96, 160)
    both = box(96, 160, (20, 20, 20, 20), (100, 30, 30, 30))
    left = box(96, 160, (20, 20, 20, 20))
    a, b = repair(photo, both, Laplace()), repair(photo, left, Laplace())
    assert np.array_equal(a[left], b[left])


def test_a_network_never_sees_more_than_one_hole() -> None:
    photo = ramp(160, 160)
    mask = box(160, 160, (40, 40, 30, 30), (72, 40, 30, 30), (5, 5, 2, 2), (100, 120, 50, 9))
    result = repair(photo, mask, Laplace(trained_hole=30))  # asserts the size of what it is given
    assert np.array_equal(result[~mask], photo[~mask])
    assert np.abs(result.astype(int) - photo)[mask].max() <= 2


@pytest.mark.slow
def test_a_large_hole_in_a_smooth_photo_comes_back() -> None:
    photo, mask = ramp(320, 330), box(320, 330, (60, 50, 200, 200))
    model = Laplace(trained_hole=50)
    result = repair(photo, mask, model).astype(int)
    assert np.array_equal(result[~mask], photo[~mask])
    assert np.abs(result - photo)[mask].max() <= 3
    # No seam: neighbours never differ by more than the photo's own steps, and a grey level of rounding.
    for axis in (0, 1):
        assert np.abs(np.diff(result, axis=axis)).max() <= np.abs(np.diff(photo.astype(int), axis=axis)).max() + 1


def test_a_long_gash_goes_in_tiles() -> None:
    photo, mask = ramp(200, 400), box(200, 400, (3, 100, 390, 9))
    result = repair(photo, mask, Laplace(trained_hole=32)).astype(int)
    assert np.abs(result - photo)[mask].max() <= 2


def line(height: int, width: int, thickness: int, degrees: float) -> np.ndarray:
    """Everything within half the thickness of a line of 50 pixels through the middle."""
    y, x = np.mgrid[:height, :width] - np.array([height // 2, width // 2])[:, None, None]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    along, across = x * c + y * s, y * c - x * s
    shift = (1 - thickness % 2) / 2  # an even number of pixels has its middle between two of them
    return (abs(along) <= 25) & (abs(across + shift) < thickness / 2)


def trained() -> Grey:
    """A network that paints grey."""
    network = Grey()
    network.trained_hole = 61  # type: ignore[attr-defined]
    return network


@pytest.mark.parametrize("angle", [0, 9, 45, 70, 90])
@pytest.mark.parametrize(("thickness", "thin"), [(1, True), (2, True), (3, True), (4, False), (12, False)])
def test_thin_holes_are_left_to_the_biharmonic_fill(thickness: int, thin: bool, angle: float) -> None:
    """A classical fill, which was not trained for a size, takes all holes itself."""
    photo, mask = noise(80, 100), line(80, 100, thickness, angle)
    by_network, by_fill = (repair(photo, mask, model) for model in (trained(), Grey()))
    assert (by_fill[mask] == 128).all()
    assert (by_network[mask] == 128).all() != thin
    if thin:
        assert np.array_equal(by_network, repair(photo, mask, BiharmonicFill()))


def test_a_thin_hole_longer_than_what_was_trained_goes_in_one_piece() -> None:
    photo, mask = noise(60, 300), box(60, 300, (20, 30, 250, 2))
    assert np.array_equal(repair(photo, mask, trained()), repair(photo, mask, BiharmonicFill()))


def test_what_is_missing_beside_a_thin_hole_stays_missing_for_its_fill() -> None:
    photo, thin, thick = noise(80, 100), box(80, 100, (20, 30, 40, 2)), box(80, 100, (30, 33, 6, 5))
    both = thin | thick
    found = repair(photo, both, trained())
    assert (found[thick] == 128).all()
    assert np.array_equal(found[thin], repair(photo, both, BiharmonicFill())[thin])
    other = photo.copy()
    other[thick] = 0
    assert np.array_equal(found, repair(other, both, trained()))


def test_a_large_hole_near_a_thin_one_is_no_matter_for_its_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """The biharmonic fill solves for all pixels at once."""
    asked: list[float] = []
    fill = BiharmonicFill.reconstruct

    def watched(self: BiharmonicFill, masked: Array, mask: Array) -> Array:
        asked.append(mask.sum().item())
        return fill(self, masked, mask)

    monkeypatch.setattr(BiharmonicFill, "reconstruct", watched)
    photo, mask = noise(200, 200), box(200, 200, (20, 20, 150, 2)) | box(200, 200, (20, 26, 150, 150))
    repair(photo, mask, trained())
    assert asked == [150 * 2 + 150 * 4]


def scratch(height: int, width: int) -> np.ndarray:
    """Two pixels wide, from corner to corner."""
    y, x = np.mgrid[:height, :width]
    return abs(y * width - x * height) < 1.2 * width


class Watched(Grey):
    """Notes how many pixels it is given."""

    def __init__(self, model: Reconstructor, trained_hole: int | None = None) -> None:
        super().__init__()
        self.model = model
        if trained_hole is not None:
            self.trained_hole = trained_hole

    def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        super().reconstruct(masked, mask)
        return self.model.reconstruct(masked, mask)

    @property
    def pixels(self) -> int:
        return sum(n * h * w for n, _, h, w in self.shapes)


@pytest.mark.parametrize("trained_hole", [None, 61])
def test_a_long_thin_hole_is_worked_along_its_length(trained_hole: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where its pieces overlap nothing shows: the photo is smooth, and comes back."""
    photo, mask = ramp(1500, 1600) // 4 * 3, scratch(1500, 1600)
    watched = Watched(BiharmonicFill(), trained_hole)
    monkeypatch.setattr("photomend.app.repair.BIHARMONIC", watched)
    result = repair(photo, mask, watched)
    assert np.array_equal(result[~mask], photo[~mask])
    assert np.abs(result.astype(int) - photo)[mask].max() <= 3
    assert watched.pixels < 2 * mask.size if trained_hole is None else watched.pixels < mask.size


def test_a_thick_stroke_across_a_photo_goes_in_tiles_along_its_length() -> None:
    photo, mask = ramp(1200, 1300), box(1200, 1300, (0, 500, 1300, 5))
    model = Watched(Grey(), trained_hole=61)
    assert (repair(photo, mask, model)[mask] == 128).all()
    assert model.pixels < mask.size


def test_the_harmonic_fill_of_a_frame_takes_its_pixels_and_no_rectangle() -> None:
    photo, mask = ramp(600, 620), np.ones((600, 620), bool)
    mask[15:-15, 15:-15] = False
    pieces = Watched(HarmonicFill())
    assert np.abs(repair(photo, mask, HarmonicFill()).astype(int) - repair(photo, mask, pieces))[mask].max() <= 1


def test_equal_holes_go_through_the_model_together() -> None:
    model = Grey()
    model.trained_hole = 61  # type: ignore[attr-defined]
    corners = [(x, y) for x in range(10, 900, 120) for y in range(10, 700, 120)]
    repair(noise(800, 1000), box(800, 1000, *((x, y, 20, 20) for x, y in corners)), model)
    assert sum(n for n, *_ in model.shapes) == len(corners)
    assert max(n * height * width for n, _, height, width in model.shapes) > BATCH / 2


def test_a_network_gives_the_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.app.side_by_side.cores", lambda: 2)
    model = build("attention", width=8, dilations=(1,), window=64)
    for parameter in model.parameters():  # at first it is the harmonic fill
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter.shape))) / 9
    corners = [(x, y) for x in range(9, 280, 60) for y in (20, 90, 160)]
    photo, mask = noise(200, 300), box(200, 300, *((x, y, 6 + x % 5 * 7, 14) for x, y in corners))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(repair(photo, mask, model))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((5, 8), bool), "the mask is 8×5 pixels, the photo 6×4"),
        (np.zeros((4, 6), bool), "empty"),
        (np.ones((4, 6), bool), "covers the whole photo"),
        (np.ones((4, 6), np.uint8), r"the mask must be bool \(H, W\), not uint8 \(4, 6\)"),
        (np.ones((4, 6, 1), bool), r"the mask must be bool \(H, W\), not bool \(4, 6, 1\)"),
    ],
)
def test_masks_that_cannot_be(mask: np.ndarray, message: str) -> None:
    with pytest.raises(RepairError, match=message):
        repair(noise(4, 6), mask, Grey())


@pytest.mark.parametrize("photo", [np.zeros((4, 6, 3)), np.zeros((4, 6, 4), np.uint8), np.zeros((4, 6), np.uint8)])
def test_photos_that_cannot_be(photo: np.ndarray) -> None:
    with pytest.raises(RepairError, match=r"the photo must be uint8 \(H, W, 3\), not "):
        repair(photo, box(4, 6, (1, 1, 2, 2)), Grey())


class Tinted:
    """Fills with a brown."""

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        return torch.tensor([0.6, 0.5, 0.1])[:, None, None].expand_as(masked)


@pytest.mark.parametrize("look", ["faithful", "natural"])
def test_a_black_and_white_photo_in_rgb_stays_without_colour(look: str) -> None:
    """As scanners write them; one coloured pixel near a hole, and it may have a colour."""
    rng = np.random.default_rng(0)
    photo = np.repeat(rng.integers(40, 200, (90, 300, 1), dtype=np.uint8), 3, axis=2)
    mask = np.zeros((90, 300), np.bool_)
    mask[30:60, 40:70] = mask[30:60, 230:260] = mask[10:14, 140:144] = True
    photo[mask] = (255, 0, 0)
    photo[45, 272] = (10, 20, 30)
    rebuilt = Repairer(Tinted(), look=look).repair(photo, mask).astype(int)
    grey = (np.ptp(rebuilt, axis=2) == 0)[mask.nonzero()]
    assert grey[np.flatnonzero(mask.nonzero()[1] < 200)].all()
    assert not grey[np.flatnonzero(mask.nonzero()[1] > 200)].all()
    assert abs(rebuilt[45, 55].mean() - 255 * 0.4) < (1 if look == "faithful" else 60)
