"""The photos of an evaluation, each with the hole that the protocol gives it, the same every time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from copy import copy
from typing import NamedTuple

import torch

from ..core import Array, PhotomendError
from .masks import Box, box_mask, protocol_box
from .photos import Photo, PhotoError, SkippedPhotoWarning, resize
from .sources import PhotoSource


class MaskedPhoto(NamedTuple):
    """A photo `float32 (3, H, W)` in [0, 1] and its mask `float32 (1, H, W)`, 1 = missing; a rectangular hole's box."""

    name: str
    class_name: str
    photo: Array
    mask: Array
    box: Box | None = None


class EvaluationSet:
    """The photos of a source under the protocol, in its order; iterate for `MaskedPhoto`s, as often as wanted.

    Photos are resized to `side` × `side` and get the hole `protocol_box(seed, index)`, index being the photo's in the
    source. A photo with a stored hole is taken as it is, whatever `seed` and `side` are. An unreadable photo is left
    out with a SkippedPhotoWarning and listed in `skipped`; the holes of the others stay. `len()` counts all photos,
    readable or not. With `limit`, at most so many are read, evenly spread over the source; each keeps its hole.

    Raises:
        PhotomendError: no photos, or (at the end of an iteration) not one could be read.
    """

    def __init__(self, source: PhotoSource, seed: int = 0, side: int = 224, limit: int | None = None) -> None:
        if len(source) == 0:
            raise PhotomendError(f"{source.origin}: no photos to evaluate on")
        self.source = source
        self.seed = seed
        self.side = side
        self.indices: Sequence[int] = range(0, len(source), 1 if limit is None else -(-len(source) // limit))
        self.skipped: dict[str, str] = {}
        self.is_part = False

    def part(self, share: range) -> EvaluationSet:
        """Those of its photos that have these places, each with its hole; where none can be read it is empty."""
        part = copy(self)
        part.indices, part.is_part = [self.indices[place] for place in share], len(share) < len(self)
        return part

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[MaskedPhoto]:
        read = 0
        for index in self.indices:
            if (sample := self.read(index)) is not None:
                read += 1
                yield sample
        if not read and not self.is_part:
            raise self.nothing_read()

    def read(self, index: int) -> MaskedPhoto | None:
        """The photo of this index, with its hole; None if it can't be read, which is warned of at its first hole."""
        name = self.source.name(index)
        try:
            photo = self.source.read(index)
        except PhotoError as error:
            if name not in self.skipped:
                self.skipped[name] = str(error)
                if index == next(first for first in self.indices if self.source.name(first) == name):
                    warnings.warn(f"skipped {error}", SkippedPhotoWarning, stacklevel=3)
            return None
        box = self.source.box(index)
        if box is None:
            photo = resize(photo, self.side, self.side)
            box = protocol_box(self.seed, index, self.side, self.side)
        mask = torch.from_numpy(box_mask(box, *photo.shape[:2])).float()[None]
        return MaskedPhoto(name, self.source.class_name(index), to_array(photo), mask, box)

    def nothing_read(self) -> PhotomendError:
        """The error where not one of the photos could be read."""
        return PhotomendError(f"{self.source.origin}: none of the {len(self)} photos can be read")


def to_array(photo: Photo) -> Array:
    """`uint8 (H, W, 3)` as `float32 (3, H, W)` in [0, 1]."""
    return torch.from_numpy(photo).permute(2, 0, 1).contiguous().float() / 255
