"""Which mask of a folder belongs to which photo: the one of the same subfolder and name.

Names that look the same are the same, however they are stored: macOS writes an ä as a letter and two dots (NFD), Linux
and Windows as one letter (NFC). Those that differ in case alone are the same, too, where nothing fits exactly. Letters
that merely resemble each other (NFKC: ² and 2) stay different.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from ...core import PhotomendError
from ...data.photos import find_photos
from ..photo.formats import readable

#: What a mask's name may have behind the photo's.
ENDINGS = ("_mask", "-mask")
#: How many unused masks are named one by one.
NAMED = 10


class PairingError(PhotomendError):
    """A photo that no mask, or more than one, belongs to."""


class Named(NamedTuple):
    """A photo: where it is, and its path in the folder that was named, or its bare name."""

    path: Path
    name: Path


def exact(name: Path) -> str:
    """What a path in a folder is known by: itself without the suffix, in composed letters (NFC)."""
    return normalize("NFC", name.with_suffix("").as_posix())


def folded(name: Path) -> str:
    """The same without regard to case, so that ß is ss: canonical caseless matching (Unicode 16, section 3.13)."""
    return normalize("NFC", normalize("NFD", exact(name)).casefold())


def without_ending(key: str) -> str:
    """`cat` for `cat_mask`; "" for what has no such ending."""
    return next((key[: -len(ending)] for ending in ENDINGS if key.casefold().endswith(ending)), "")


def without_masks(photos: Sequence[Named], root: Path) -> list[Named]:
    """The photos without those that are masks: `root`, the folder of masks, may be theirs, or lie in theirs.

    There, what is called as a photo with an ending is its mask; all that is in a folder of masks of their own is one.
    """
    within, keys = root.resolve(), {folded(name) for _, name in photos}

    def is_mask(path: Path, name: Path) -> bool:
        folder = path.resolve().parents[len(name.parts) - 1]
        if within not in path.resolve().parents:
            return False
        return folder in within.parents or without_ending(folded(name)) in keys

    return [photo for photo in photos if not is_mask(*photo)]


class MaskFolder:
    """The masks in a folder and its subfolders.

    Args:
        root: the folder.
        photos: all that masks are wanted for. One of them that lies in the folder itself is no mask.

    Raises PhotomendError: there is no such folder, or no mask in it.
    """

    def __init__(self, root: Path, photos: Sequence[Named]) -> None:
        self.root = root
        own = {path.resolve() for path, _ in photos}
        self.masks = [path for path in find_photos(root, readable(), "masks") if path.resolve() not in own]
        if not self.masks:
            raise PhotomendError(f"{root}: no masks in this folder, only the photos themselves")
        self._exact, self._folded = (self._by(key) for key in (exact, folded))
        claims = [(name, self._exact.get(exact(name), [])) for _, name in photos]
        self._claimed = {mask for _, masks in claims for mask in masks}
        self._doubtful: set[Path] = set()
        self._rivals: dict[str, set[str]] = defaultdict(set)
        for name, masks in claims:
            if not masks:
                self._rivals[folded(name)].add(exact(name))

    def _by(self, key: Callable[[Path], str]) -> dict[str, list[Path]]:
        """The masks by the keys of the photos that they fit."""
        found: dict[str, list[Path]] = defaultdict(list)
        for path in self.masks:
            own = key(path.relative_to(self.root))
            for each in filter(None, (own, without_ending(own))):
                found[each].append(path)
        return dict(found)

    def mask_of(self, name: Path) -> Path:
        """The mask of the photo with this path. Raises PairingError where none fits, or more than one."""
        found = self._exact.get(exact(name), [])
        if not found:
            found = [path for path in self._folded.get(folded(name), []) if path not in self._claimed]
            rivals = self._rivals[folded(name)]
            if found and len(rivals) > 1:
                self._doubtful.update(found)
                raise PairingError(f"the mask {found[0]} fits several photos: {', '.join(sorted(rivals))}")
        if len(found) > 1:
            self._doubtful.update(found)
            raise PairingError(f"{len(found)} masks fit: {', '.join(map(str, found))}")
        if not found:
            raise PairingError(f"no mask named {exact(name)!r} in {self.root}{self._nearest(name)}")
        return found[0]

    def _nearest(self, name: Path) -> str:
        """The mask whose name comes nearest, for the end of a message."""
        names = {folded(path.relative_to(self.root)): path for path in self.masks}
        near = get_close_matches(folded(name), names, n=1)
        return f"; the nearest name is {names[near[0]].relative_to(self.root).as_posix()!r}" if near else ""

    def unused(self, used: Iterable[Path]) -> list[Path]:
        """The masks that aren't among those `used`, nor among those of which `mask_of` didn't know which to take."""
        gone = {*used, *self._doubtful}
        return [path for path in self.masks if path not in gone]


def say_unused(masks: Sequence[Path]) -> str:
    """The sentence that counts and names masks that no photo took."""
    more = ", …" if len(masks) > NAMED else ""
    what = "1 mask is" if len(masks) == 1 else f"{len(masks)} masks are"
    return f"{what} without a photo: {', '.join(map(str, masks[:NAMED]))}{more}"
