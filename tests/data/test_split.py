from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

from photomend.data.photos import find_photos
from photomend.data.sources import SPLITS, split_of, split_photos


def test_proportions_overall_and_in_every_class() -> None:
    for folder, photos in [("", 20000), ("cat/", 2000), ("dog/", 2000), ("a/b/", 2000)]:
        counts = Counter(split_of(f"{folder}{number:05}.jpg") for number in range(photos))
        for split, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
            deviation = (photos * share * (1 - share)) ** 0.5
            assert abs(counts[split] - photos * share) < 4 * deviation


def test_a_photo_never_changes_sides() -> None:
    # Written down once; if one of these moves, trained models have seen their test photos.
    known = {"cat/0.jpg": "train", "cat/2.jpg": "test", "cat/7.jpg": "validation", "猫/é.png": "validation"}
    assert {path: split_of(path) for path in known} == known


def test_spelling_of_unicode_does_not_matter() -> None:
    for number in range(50):
        path = f"café/{number}.jpg"
        assert split_of(unicodedata.normalize("NFD", path)) == split_of(unicodedata.normalize("NFC", path))


def test_undecodable_name_has_a_split() -> None:
    assert split_of("cat/\udcff.jpg") in SPLITS


def test_split_photos_keeps_order_and_adding_moves_nothing(folder: Path) -> None:
    before = split_photos(folder, find_photos(folder))
    assert list(before) == list(SPLITS)
    assert sorted(path for paths in before.values() for path in paths) == sorted(find_photos(folder))
    for number in range(10, 20):
        (folder / "cat" / f"{number}.png").touch()
    after = split_photos(folder, find_photos(folder))
    for split in SPLITS:
        assert set(before[split]) <= set(after[split])
        assert after[split] == sorted(after[split], key=lambda p: p.relative_to(folder).as_posix())
