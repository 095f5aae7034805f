"""Where photos come from: a folder, the samples, or a prepared dataset all look the same to the loaders.

And to which split each belongs: by a hash of its path, so that no photo changes its split when others come or go.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import skimage

from ..core import PhotomendError
from .masks import Box
from .photos import Photo, PhotoError, decode_photo

SPLITS = ("train", "validation", "test")


class PhotoSource(Protocol):
    """A fixed sequence of photos. Workers get a copy of it, so it must be picklable.

    Attributes:
        origin: the folder or dataset, for messages.
    """

    origin: str

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """The photo's name, unique in this source; for a file, its posix path relative to the root."""

    def class_name(self, index: int) -> str:
        """The photo's class, "" if it has none."""

    def split(self, index: int) -> str:
        """The split that the photo belongs to: train, validation or test."""

    def read(self, index: int, least: int | None = None) -> Photo:
        """The photo, `uint8 (H, W, 3)`; with `least` it may come smaller, but no side below so many pixels.

        Raises PhotoError if it can't be read.
        """

    def box(self, index: int) -> Box | None:
        """The hole that is stored with the photo, if one is."""


class FolderSource:
    """The photos `paths` under the folder `root`; the first folder below the root is a photo's class."""

    def __init__(self, paths: Sequence[Path], root: Path) -> None:
        self.paths = list(paths)
        self.root = Path(root)
        self.origin = str(root)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self.paths[index].relative_to(self.root).as_posix()

    def class_name(self, index: int) -> str:
        folder, slash, _ = self.name(index).partition("/")
        return folder if slash else ""

    def split(self, index: int) -> str:
        return split_of(self.name(index))

    def files(self, index: int) -> tuple[Path, ...]:
        """The files whose change would change the photo."""
        return (self.paths[index],)

    def read(self, index: int, least: int | None = None) -> Photo:
        return decode_photo(self.paths[index], str(self.paths[index]), least)

    def box(self, index: int) -> Box | None:
        return None


@dataclass(frozen=True)
class SamplePhoto:
    """A photo in scikit-image's wheel; `licence` is what scikit-image's documentation says of it."""

    name: str
    path: Path
    licence: str

    @property
    def split(self) -> str:
        """train, validation or test: by name, since so few photos would leave a split empty if a hash decided."""
        return next((split for split, names in _SPLITS.items() if self.name in names), "train")


# From the docstrings of skimage.data. Only photos (no drawings, no data), only public domain and CC0.
_SAMPLES = {
    "astronaut.png": "public domain (NASA)",
    "brick.png": "CC0 (CC0Textures)",
    "camera.png": "CC0 (Lav Varshney)",
    "chelsea.png": "CC0 (Stefan van der Walt)",
    "clock_motion.png": "public domain (Stefan van der Walt)",
    "coffee.png": "CC0 (Rachel Michetti)",
    "grass.png": "CC0 (linolafett)",
    "gravel.png": "CC0 (CC0Textures)",
    "hubble_deep_field.jpg": "public domain (NASA)",
    "retina.jpg": "CC0 (Mikael Häggström)",
    "rocket.jpg": "public domain (SpaceX)",
}
_SPLITS = {"validation": {"camera", "gravel"}, "test": {"chelsea", "coffee", "rocket"}}


def sample_photos() -> list[SamplePhoto]:
    """The sample photos, sorted by name. Raises PhotomendError if this installation of scikit-image lacks one."""
    folder = Path(skimage.__file__).parent / "data"
    samples = []
    for file, licence in _SAMPLES.items():
        if not (folder / file).is_file():
            raise PhotomendError(f"{folder / file}: this sample photo is missing from scikit-image")
        samples.append(SamplePhoto(Path(file).stem, folder / file, licence))
    return samples


class SampleSource(FolderSource):
    """The sample photos that scikit-image ships, or some of them."""

    def __init__(self, samples: Sequence[SamplePhoto] | None = None) -> None:
        self.samples = sample_photos() if samples is None else list(samples)
        super().__init__([sample.path for sample in self.samples], Path())
        self.origin = "sample photos"

    def name(self, index: int) -> str:
        return self.samples[index].name

    def class_name(self, index: int) -> str:
        return "sample"

    def split(self, index: int) -> str:
        return self.samples[index].split

    def files(self, index: int) -> tuple[Path, ...]:
        return ()  # an installation's files don't change, whenever they were written


def require_readable(source: PhotoSource) -> None:
    """Raises PhotomendError if no photo of the source can be read: asked before anything is written."""
    for index in range(len(source)):
        with suppress(PhotoError):
            source.read(index)
            return
    raise PhotomendError(f"{source.origin}: none of the {len(source)} photos can be read")


def names_digest(source: PhotoSource) -> str:
    """A short fingerprint of the names of the photos, in their order: the same photos, the same digest."""
    names = "\0".join(source.name(index) for index in range(len(source)))
    return hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


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
