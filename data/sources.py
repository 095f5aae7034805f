"""Where photos come from: a folder, the samples, or a prepared dataset all look the same to the loaders."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..core import PhotomendError
from .masks import Box
from .photos import Photo, PhotoError, decode_photo
from .samples import SamplePhoto, sample_photos
from .split import split_of


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
    """Make sure, before anything is written, that there is something to work on.

    Raises:
        PhotomendError: no photo of the source can be read.
    """
    for index in range(len(source)):
        with suppress(PhotoError):
            source.read(index)
            return
    raise PhotomendError(f"{source.origin}: none of the {len(source)} photos can be read")


def names_digest(source: PhotoSource) -> str:
    """A short fingerprint of the names of the photos, in their order: the same photos, the same digest."""
    names = "\0".join(source.name(index) for index in range(len(source)))
    return hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
