from __future__ import annotations

import numpy as np
import pytest
from photomend.core import PhotomendError
from photomend.data.augment import GAP, _turned_crop, training_crop
from PIL import Image
from scipy import ndimage

from .conftest import smooth_photo


def holes(masks: list[np.ndarray]) -> np.ndarray:
    """(left, top, right, bottom) of each mask's hole, after checking that it is a full rectangle."""
    edges = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert mask.sum() == len(rows) * len(columns)
        edges.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return np.array(edges)


def test_shapes_and_determinism(photo: np.ndarray) -> None:
    crop, mask = training_crop(photo, np.random.default_rng(4), size=64)
    assert (crop.shape, crop.dtype) == ((64, 64, 3), np.dtype(np.uint8))
    assert (mask.shape, mask.dtype) == ((64, 64), np.dtype(np.bool_))
    again, mask_again = training_crop(photo, np.random.default_rng(4), size=64)
    assert np.array_equal(crop, again)
    assert np.array_equal(mask, mask_again)
    assert not np.array_equal(crop, training_crop(photo, np.random.default_rng(5), size=64)[0])


def test_holes_have_the_protocols_sides_and_lie_inside(photo: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    left, top, right, bottom = holes([training_crop(photo, rng)[1] for _ in range(1500)]).T
    assert set(right - left) == set(bottom - top) == set(range(31, 62))
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) <= 128


def test_hole_touches_the_crops_edge_only_at_the_photos_edge() -> None:
    """Under the protocol about 1 hole in 179 begins in column 0, and the same at each of the four edges."""
    rng = np.random.default_rng(1)
    left, top, right, bottom = holes([training_crop(smooth_photo(0, 60, 60), rng)[1] for _ in range(4000)]).T
    for touching in (left == 0, top == 0, right == 128, bottom == 128):
        assert 5 <= touching.sum() <= 50
    # Elsewhere at least a quarter of the room is left on either side; near the photo's edge less.
    assert np.median(np.minimum(left, 128 - right)) >= (128 - 61) // 4


@pytest.mark.parametrize("hole", [(0, 0), (7, 7), (30, 60), (0, 94)])
def test_any_hole_that_fits(photo: np.ndarray, hole: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    left, top, right, bottom = holes([training_crop(photo, rng, 96, hole=hole)[1] for _ in range(100)]).T
    for side in (right - left, bottom - top):
        assert hole[0] + 1 <= side.min()
        assert side.max() <= hole[1] + 1


def test_several_holes_keep_their_distance_from_each_other_and_from_the_sides(photo: np.ndarray) -> None:
    rng, counts, near_a_side = np.random.default_rng(5), [], 0
    for _ in range(300):
        crop, mask = training_crop(photo, rng, 128, holes=6)
        assert crop.shape == (128, 128, 3)
        labels, count = ndimage.label(mask)
        each = holes([labels == number for number in range(1, count + 1)])
        for left, top, right, bottom in each:
            assert all(31 <= side <= 61 for side in (right - left, bottom - top))
            around = mask[max(top - GAP, 0) : bottom + GAP, max(left - GAP, 0) : right + GAP]
            assert around.sum() == (right - left) * (bottom - top)
        near = ((each[:, :2] < GAP) | (each[:, 2:] > 128 - GAP)).any(axis=1).sum()
        assert near <= 1  # the first one, where it is as near to the photo's side
        near_a_side += near
        counts.append(count)
    assert near_a_side < 0.2 * 300
    assert max(counts) >= 3
    assert 1.7 < np.mean(counts) < 2.2  # how many find room


def test_there_are_no_more_holes_than_asked_for_and_one_where_there_is_no_room(photo: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    masks = [training_crop(photo, rng, 160, holes=2)[1] for _ in range(20)]
    assert {ndimage.label(mask)[1] for mask in masks} == {2}
    for size in (62, 64, 77):
        assert ndimage.label(training_crop(photo, rng, size, holes=6)[1])[1] == 1


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (50, 30), (224, 224), (900, 1300)])
def test_photos_of_any_size(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    photo = np.full((*shape, 3), 77, np.uint8)
    for size in (64, 128, 224):
        for _ in range(8):
            crop, mask = training_crop(photo, rng, size)
            assert crop.shape == (size, size, 3)
            assert mask.any()
            assert (crop == 77).all()  # nothing from outside the photo, turned or not


def test_unturned_crop_equals_resizing_the_whole_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.data.augment.ROTATION_SHARE", 0.0)
    monkeypatch.setattr("photomend.data.augment.SCALES", (1.0, 1.0))
    monkeypatch.setattr("photomend.data.augment.ASPECTS", (1.0, 1.0))
    photo = smooth_photo(1, 256, 384)
    whole = np.array(Image.fromarray(photo).resize((224, 224), Image.Resampling.BICUBIC)).astype(int)
    for seed in range(6):
        crop, _ = training_crop(photo, np.random.default_rng(seed), 128)
        best = min(
            np.abs(whole[y : y + 128, x : x + 128] - side).max()
            for side in (crop.astype(int), crop[:, ::-1].astype(int))
            for y in range(97)
            for x in range(97)
            if np.abs(whole[y, x] - side[0, 0]).max() <= 1
        )
        assert best <= 2  # grey levels: Pillow rounds its filter weights, and between its two passes


def test_turned_crop_turns_about_its_centre_and_stays_inside() -> None:
    picture = Image.fromarray(smooth_photo(2, 200, 260))
    straight = np.array(picture.crop((100, 60, 164, 124))).astype(int)
    assert np.array_equal(np.array(_turned_crop(picture, 100, 60, 64, angle=0.0)), straight)

    # The reference: Pillow turns the whole picture about the crop's centre, then the crop is cut out.
    centre = (100 + 32, 60 + 32)
    reference = picture.rotate(9.0, Image.Resampling.BICUBIC, center=centre).crop((100, 60, 164, 124))
    turned = np.array(_turned_crop(picture, 100, 60, 64, angle=-9.0)).astype(int)
    other = np.array(_turned_crop(picture, 100, 60, 64, angle=9.0)).astype(int)
    difference = min(np.abs(np.array(reference) - side).mean() for side in (turned, other))
    assert difference < 1

    grey = Image.new("RGB", (200, 200), (9, 9, 9))
    for left, top in [(0, 0), (136, 136), (0, 70), (5, 131)]:
        for angle in (-10.0, 10.0):
            assert (np.array(_turned_crop(grey, left, top, 64, angle)) == 9).all()


def test_mirrored_with_its_mask(photo: np.ndarray) -> None:
    """A photo that is white where the hole will be black tells whether mask and pixels are flipped alike."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, 0).repeat(3, 2)
    rising = 0
    for seed in range(200):
        crop, _ = training_crop(ramp, np.random.default_rng(seed), 64)
        rising += int(crop[32, 60, 0]) > int(crop[32, 4, 0])
    assert 70 < rising < 130


def test_impossible_sizes_name_both_numbers(photo: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(PhotomendError, match=r"crop or window \(=256\) must be from 1 to 224"):
        training_crop(photo, rng, size=256)
    with pytest.raises(PhotomendError, match=r"crop or window \(=61\) must be above 61, the longest side"):
        training_crop(photo, rng, size=61)
    with pytest.raises(PhotomendError, match=r"hole \(=9\.\.8\) must be a range"):
        training_crop(photo, rng, hole=(9, 8))
    with pytest.raises(PhotomendError, match=r"crop or window \(=0\)"):
        training_crop(photo, rng, size=0)
    with pytest.raises(PhotomendError, match=r"holes \(=0\) must be at least 1"):
        training_crop(photo, rng, holes=0)
