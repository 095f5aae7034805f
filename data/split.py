"""Train, validation and test: by a hash of the path, so that no photo changes its split when others come or go."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from pathlib import Path

SPLITS = ("train", "validation", "test")


def split_of(relative_path: str) -> str:
    """The split of the photo at `relative_path` (posix, relative to the folder of all photos).

    70 % train, 10 % validation, 20 % test, by a BLAKE2 hash of the path alone: adding photos moves no other, and every
    class folder is split in these proportions in expectation. Unicode is normalised (NFC) first, because file systems
    differ in how they spell é. Since the path counts from the folder of all photos, a subfolder has other splits.

    >>> [split_of(f"cat/{number}.jpg") for number in range(4)]
    ['train', 'train', 'test', 'train']
    """
    path = unicodedata.normalize("NFC", relative_path).encode("utf-8", "surrogateescape")
    share = int.from_bytes(hashlib.blake2b(path, digest_size=8).digest(), "big") / 2**64
    return "train" if share < 0.7 else "validation" if share < 0.8 else "test"


def split_photos(root: Path, paths: Iterable[Path]) -> dict[str, list[Path]]:
    """`paths` under `root` by split, in the order given; all three splits are there, if empty."""
    splits: dict[str, list[Path]] = {name: [] for name in SPLITS}
    for path in paths:
        splits[split_of(path.relative_to(root).as_posix())].append(path)
    return splits
