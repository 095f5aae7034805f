from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from photomend.core import PhotomendError
from photomend.data.masks import Box, box_mask, protocol_box
from photomend.data.preparation.pairs import PairSource, find_hole, find_pairs
from photomend.data.preparation.prepare import prepare
from photomend.data.prepared import PreparedSource
from photomend.data.sources import split_of
from PIL import Image

from .conftest import smooth_photo

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def cut(photo: np.ndarray, box: Box) -> np.ndarray:
    """The photo with a black rectangle."""
    masked = photo.copy()
    masked[box_mask(box, *photo.shape[:2])] = 0
    return masked


def through_jpeg(pixels: np.ndarray, subsampling: int = 2) -> np.ndarray:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75, subsampling=subsampling)
    return np.array(Image.open(buffer))


def edges(box: Box) -> np.ndarray:
    return np.array([box.x, box.y, box.x + box.width, box.y + box.height])


def noisy_photo(seed: int, height: int = 224, width: int = 224, blacks: int = 0) -> np.ndarray:
    """A photo with fine texture, brighter than black but for so many black rectangles in it."""
    rng = np.random.default_rng(seed)
    photo = smooth_photo(seed, height, width) + rng.normal(0, 8, (height, width, 1))
    photo = photo.clip(6, 255).astype(np.uint8)
    for _ in range(blacks):
        x, y, w, h = (rng.uniform(0, 1, 4) * (width, height, width / 2, height / 2)).astype(int)
        photo[y : y + h, x : x + w] = 0
    return photo


def can_be_told(photo: np.ndarray, box: Box, share: float = 0.0, outside: bool = False) -> bool:
    """Whether the lines along the hole's edges, inside or on both sides, aren't black but for `share` of them."""
    black = np.pad((photo == 0).all(axis=2), 1)
    lines = []
    for grown in range(1 + outside):
        x, y = box.x + 1 - grown, box.y + 1 - grown
        part = black[y : y + box.height + 2 * grown, x : x + box.width + 2 * grown]
        lines += [part[0], part[-1], part[:, 0], part[:, -1]]
    return all(line.mean() < 1 - share for line in lines)


@st.composite
def boxes(draw: st.DrawFn, height: int, width: int) -> Box:
    w, h = draw(st.integers(1, width)), draw(st.integers(1, height))
    return Box(draw(st.integers(0, width - w)), draw(st.integers(0, height - h)), w, h)


@few
@given(box=boxes(70, 90), seed=st.integers(0, 999), blacks=st.integers(0, 4))
def test_lossless_masks_are_exact(box: Box, seed: int, blacks: int) -> None:
    photo = noisy_photo(seed, 70, 90, blacks)
    assume(can_be_told(photo, box))
    assert find_hole(photo, cut(photo, box)) == box


@few
@given(
    index=st.integers(0, 10**6), seed=st.integers(0, 999), blacks=st.integers(0, 3), subsampling=st.sampled_from([0, 2])
)
def test_jpeg_is_right_within_a_pixel(index: int, seed: int, blacks: int, subsampling: int) -> None:
    photo, box = noisy_photo(seed, blacks=blacks), protocol_box(0, index)
    assume(can_be_told(photo, box, share=0.25, outside=True))
    before = through_jpeg(photo, subsampling)
    for masked in (cut(photo, box), cut(before, box)):  # cut out before the photo was compressed, or after
        assert np.abs(edges(find_hole(before, through_jpeg(masked, subsampling))) - edges(box)).max() <= 1


def test_a_black_area_over_a_whole_edge_is_known_and_not_missing() -> None:
    photo = noisy_photo(0)
    photo[:, :100] = 0
    found = find_hole(photo, cut(photo, Box(80, 60, 50, 40)))
    assert found == Box(100, 60, 30, 40)


def test_a_night_with_little_light() -> None:
    rng = np.random.default_rng(0)
    photo = rng.poisson(1.2, (224, 224, 3)).astype(np.uint8)
    for index in range(10):
        box = protocol_box(3, index)
        assert find_hole(photo, cut(photo, box)) == box


def test_holes_at_the_edges_of_large_and_narrow_photos() -> None:
    for height, width in [(61, 700), (500, 333), (40, 40)]:
        photo = through_jpeg(noisy_photo(1, height, width))
        for box in (Box(0, 0, 31, 31), Box(width - 35, height - 31, 35, 31)):
            found = find_hole(photo, through_jpeg(cut(photo, box)))
            assert np.abs(edges(found) - edges(box)).max() <= 1


def test_what_shows_no_hole() -> None:
    photo = noisy_photo(0, 50, 60)
    with pytest.raises(PhotomendError, match="is the same"):
        find_hole(photo, photo)
    with pytest.raises(PhotomendError, match=r"another size \(60x50, 50x50\)"):
        find_hole(photo, photo[:, :50])
    with pytest.raises(PhotomendError, match="no black rectangle"):
        find_hole(photo, np.full_like(photo, 255))


@pytest.mark.parametrize("strength", [0.2, 0.4])
@pytest.mark.parametrize("black_rows", [0, 30])
def test_a_darker_copy_has_no_hole(strength: float, black_rows: int) -> None:
    photo = noisy_photo(0)
    photo[:black_rows] = 0
    with pytest.raises(PhotomendError, match="no black rectangle"):
        find_hole(photo, (photo * strength).astype(np.uint8))


@pytest.mark.parametrize("compressed", [False, True])
def test_the_masked_half_of_another_photo_has_no_hole(compressed: bool) -> None:
    for seed in range(10):
        masked = cut(noisy_photo(seed + 1), protocol_box(0, seed))
        with pytest.raises(PhotomendError, match="no black rectangle, or isn't the same photo around it"):
            find_hole(noisy_photo(seed), through_jpeg(masked) if compressed else masked)


def test_strong_compression_still_shows_the_hole() -> None:
    for seed in range(10):
        buffer, box = BytesIO(), protocol_box(0, seed)
        Image.fromarray(cut(noisy_photo(seed), box)).save(buffer, "JPEG", quality=40)
        assert np.abs(edges(find_hole(noisy_photo(seed), np.array(Image.open(buffer)))) - edges(box)).max() <= 2


def write_pair(folder: Path, name: str, seed: int, suffix: str = ".png", masked_suffix: str | None = None) -> Box:
    folder.mkdir(parents=True, exist_ok=True)
    photo, box = noisy_photo(seed, 100, 100), protocol_box(9, seed, 100, 100)
    Image.fromarray(photo).save(folder / f"{name}{suffix}", quality=75)
    Image.fromarray(cut(photo, box)).save(folder / f"{name}_masked{masked_suffix or suffix}", quality=75)
    return box


def test_prepared_pairs_keep_their_holes(tmp_path: Path) -> None:
    root = tmp_path / "pairs"
    written = {f"cat/{number}.png": write_pair(root / "cat", str(number), number) for number in range(6)}
    written |= {f"{number}.jpg": write_pair(root, str(number), number, ".jpg") for number in range(6, 9)}
    written["9.JPG"] = write_pair(root, "9", 9, ".JPG", ".png")
    provenance = prepare(PairSource(find_pairs(root), root), tmp_path / "set", side=100)
    assert sum(sum(classes.values()) for classes in provenance["counts"].values()) == len(written)
    for split in ("train", "validation", "test"):
        stored = PreparedSource(tmp_path / "set", split)
        for index in range(len(stored)):
            name, box = stored.name(index), stored.box(index)
            assert box is not None
            assert split_of(name) == split
            assert np.abs(edges(box) - edges(written[name])).max() <= (0 if name.endswith("png") else 1)
            assert stored.class_name(index) == ("cat" if "/" in name else "")


def test_a_hole_is_scaled_with_its_photo(tmp_path: Path) -> None:
    root = tmp_path / "pairs"
    boxes = {f"{number}.png": write_pair(root, str(number), number) for number in range(4)}
    prepare(PairSource(find_pairs(root), root), tmp_path / "set", side=150)
    stored = PreparedSource(tmp_path / "set", "train")
    for index in range(len(stored)):
        found, box = stored.box(index), boxes[stored.name(index)]
        assert found is not None
        # Every pixel of 150 that the hole of the 100 touches: 1.5 times, rounded outwards.
        assert edges(found).tolist() == [box.x * 3 // 2, box.y * 3 // 2] + [
            -(-end * 3 // 2) for end in (box.x + box.width, box.y + box.height)
        ]


@pytest.mark.filterwarnings("ignore::photomend.data.photos.SkippedPhotoWarning")
def test_a_pair_without_a_hole_is_skipped_with_the_reason(tmp_path: Path) -> None:
    root = tmp_path / "pairs"
    for number in range(4):
        write_pair(root, str(number), number)
    (root / "1_masked.png").write_bytes((root / "1.png").read_bytes())
    (root / "2_masked.png").write_text("no photo")
    (root / "3_masked.png").write_bytes((root / "0_masked.png").read_bytes())
    reasons = prepare(PairSource(find_pairs(root), root), tmp_path / "set", side=100)["skipped"]
    assert reasons["1.png"] == "its masked half is the same, without a hole"
    assert reasons["3.png"].startswith("its masked half has no black rectangle")
    assert reasons["2.png"].startswith("its masked half 2_masked.png: can't be read as a photo")


def test_missing_halves_are_named_and_counted(tmp_path: Path) -> None:
    for number in range(3):
        write_pair(tmp_path, str(number), number)
    (tmp_path / "1_masked.png").unlink()
    with pytest.raises(PhotomendError, match=r"1\.png: its other half, 1_masked\.png, is missing$"):
        find_pairs(tmp_path)
    (tmp_path / "2.png").unlink()
    with pytest.raises(PhotomendError, match=r"is missing; 2 photos lack a half$"):
        find_pairs(tmp_path)
    write_pair(tmp_path, "1", 1)
    write_pair(tmp_path, "2", 2)
    write_pair(tmp_path, "2", 2, ".jpg")
    with pytest.raises(PhotomendError, match="has the same name"):
        find_pairs(tmp_path)
