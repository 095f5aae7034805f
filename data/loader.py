"""Batches for training and samples for evaluation, the same ones every time."""

from __future__ import annotations

import hashlib
import signal
import warnings
from collections.abc import Generator, Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..core import Array, PhotomendError
from .augment import SCALES, check_crop, training_crop
from .masks import Box, box_mask, protocol_box
from .photos import Mask, Photo, PhotoError, SkippedPhotoWarning, resize
from .sources import PhotoSource

#: Seconds from SIGTERM to a worker's end.
GRACE = 10


class Batch(NamedTuple):
    """Training crops: photo `float32 (N, 3, S, S)` in [0, 1], mask `float32 (N, 1, S, S)`, 1 = missing."""

    photo: Array
    mask: Array


class Sample(NamedTuple):
    """A photo under the protocol: `float32 (3, H, W)` in [0, 1], and its mask `float32 (1, H, W)`, 1 = missing."""

    name: str
    class_name: str
    photo: Array
    mask: Array
    box: Box


class CropLoader:
    """An endless stream of batches of training crops.

    Epoch after epoch, every photo comes once in an order of its own; batches run on across the epochs' ends,
    so all are full. Each crop depends only on (seed, epoch, photo): the stream is the same for any number of
    workers, and a loader that starts at step n gives what another gives from its n-th batch on.

    A photo that can't be read is replaced by the next one that can; a SkippedPhotoWarning names it once and
    `skipped` lists it with the reason.

    Args:
        source: the photos.
        batch_size: crops a batch.
        size: side of a crop, pixels.
        seed: of everything random here.
        workers: processes that read and crop; 0 does it in this one.
        start_step: number of the first batch.
        side: side that photos are scaled to, see `training_crop`.
        hole: range of the holes' sides, see `training_crop`.
        holes: at most so many in a crop, see `training_crop`.

    Raises:
        PhotomendError: no photos, impossible sizes, or (while iterating) not one photo can be read.
    """

    def __init__(
        self,
        source: PhotoSource,
        batch_size: int = 16,
        size: int = 128,
        seed: int = 0,
        workers: int = 0,
        start_step: int = 0,
        side: int = 224,
        hole: tuple[int, int] = (30, 60),
        holes: int = 1,
    ) -> None:
        if len(source) == 0:
            raise PhotomendError(f"{source.origin}: no photos to train on")
        if batch_size < 1:
            raise PhotomendError(f"batch size (={batch_size}) must be at least 1")
        check_crop(size, side, hole, holes)
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers
        self.start_step = start_step
        self.skipped: dict[str, str] = {}
        self._crops = _Crops(source, seed, size, side, hole, holes)

    @property
    def steps_per_epoch(self) -> int:
        """Batches until every photo has been seen once more, rounded up."""
        return -(-len(self.source) // self.batch_size)

    def batches(self) -> Generator[Batch]:
        """The stream; closing it ends the workers."""
        order = _Order(len(self.source), self.batch_size, self.seed, self.start_step)
        # The stream never ends, so the workers live until the iterator is dropped.
        loader = DataLoader(
            self._crops,
            batch_sampler=order,
            num_workers=self.workers,
            collate_fn=_collate,
            worker_init_fn=_start_worker,
            generator=torch.Generator().manual_seed(self.seed),  # or it would draw from the global one
        )
        for photos, masks, failures in loader:
            self._note(failures)
            if photos is None:
                raise PhotomendError(f"{self.source.origin}: none of the {len(self.source)} photos can be read")
            yield Batch(photos.float() / 255, masks.float())

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def _note(self, failures: dict[str, str]) -> None:
        for name, reason in failures.items():
            if name not in self.skipped:
                self.skipped[name] = reason
                warnings.warn(f"skipped {reason}", SkippedPhotoWarning, stacklevel=3)


class EvaluationSet:
    """The photos of a source under the protocol, in its order; iterate for `Sample`s, as often as wanted.

    Photos are resized to `side` × `side` and get the hole `protocol_box(seed, index)`, index being the photo's
    in the source. A photo that comes with a stored hole is taken as it is, and `seed` and `side` don't touch
    it. An unreadable photo is left out with a SkippedPhotoWarning and listed in `skipped`; it changes nobody
    else's hole. `len()` counts all photos listed, readable or not.

    With `limit`, at most so many photos are read, spread evenly over the source; each keeps its hole.

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

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Sample]:
        unread = 0
        for index in self.indices:
            name = self.source.name(index)
            try:
                photo = self.source.read(index)
            except PhotoError as error:
                unread += 1
                if name not in self.skipped:
                    self.skipped[name] = str(error)
                    warnings.warn(f"skipped {error}", SkippedPhotoWarning, stacklevel=2)
                continue
            box = self.source.box(index)
            if box is None:
                photo = resize(photo, self.side, self.side)
                box = protocol_box(self.seed, index, self.side, self.side)
            mask = torch.from_numpy(box_mask(box, *photo.shape[:2])).float()[None]
            yield Sample(name, self.source.class_name(index), to_array(photo), mask, box)
        if unread == len(self.indices):
            raise PhotomendError(f"{self.source.origin}: none of the {unread} photos can be read")


def require_readable(source: PhotoSource) -> None:
    """Make sure that there is something to work on before anything is written.

    Raises:
        PhotomendError: no photo of the source can be read.
    """
    for index in range(len(source)):
        try:
            source.read(index)
            return
        except PhotoError:
            continue
    raise PhotomendError(f"{source.origin}: none of the {len(source)} photos can be read")


def names_digest(source: PhotoSource) -> str:
    """A short fingerprint of the names of the photos, in their order: the same photos, the same digest."""
    names = "\0".join(source.name(index) for index in range(len(source)))
    return hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def to_array(photo: Photo) -> Array:
    """`uint8 (H, W, 3)` as `float32 (3, H, W)` in [0, 1]."""
    return torch.from_numpy(photo).permute(2, 0, 1).contiguous().float() / 255


class _Order:
    """The (epoch, index) pairs of each batch from `start_step` on, without end."""

    def __init__(self, photos: int, batch_size: int, seed: int, start_step: int) -> None:
        self.photos = photos
        self.batch_size = batch_size
        self.seed = seed
        self.start_step = start_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        first = self.start_step * self.batch_size
        skip = first % self.photos
        batch: list[tuple[int, int]] = []
        for epoch in count(first // self.photos):
            order = np.random.default_rng(np.random.SeedSequence((self.seed, epoch))).permutation(self.photos)
            for index in order[skip:]:
                batch.append((epoch, int(index)))
                if len(batch) == self.batch_size:
                    yield batch
                    batch = []
            skip = 0


class _Crop(NamedTuple):
    """What a worker sends back: a crop and its mask, or neither if nothing can be read; who failed, and why."""

    pixels: Photo | None
    mask: Mask | None
    failures: dict[str, str]


class _Crops(Dataset[_Crop]):
    """(epoch, index) → the crop of that photo in that epoch."""

    def __init__(self, source: PhotoSource, seed: int, size: int, side: int, hole: tuple[int, int], holes: int) -> None:
        self.source = source
        self.seed = seed
        self.size = size
        self.side = side
        self.hole, self.holes = hole, holes
        # Twice what the largest scale shows, so that the antialiasing has something to average.
        self.least = round(2 * max(SCALES) * side)

    def __getitem__(self, key: tuple[int, int]) -> _Crop:
        epoch, index = key
        failures: dict[str, str] = {}
        for candidate in range(index, index + len(self.source)):
            candidate %= len(self.source)
            try:
                photo = self.source.read(candidate, least=self.least)
            except PhotoError as error:
                failures[self.source.name(candidate)] = str(error)
                continue
            rng = np.random.default_rng(np.random.SeedSequence((self.seed, epoch, index)))
            pixels, mask = training_crop(photo, rng, self.size, self.side, self.hole, self.holes)
            return _Crop(pixels, mask, failures)
        # Returned, not raised: an exception would reach the user wrapped in the worker's traceback.
        return _Crop(None, None, failures)


def _collate(crops: list[_Crop]) -> tuple[Array | None, Array | None, dict[str, str]]:
    """Stack the crops as bytes, a quarter of what floats would take through shared memory."""
    failures = {name: reason for crop in crops for name, reason in crop.failures.items()}
    pixels = [crop.pixels for crop in crops if crop.pixels is not None]
    masks = [crop.mask for crop in crops if crop.mask is not None]
    if not pixels:
        return None, None, failures
    photos = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return photos, torch.from_numpy(np.stack(masks))[:, None], failures


def _start_worker(worker: int) -> None:
    """One thread a worker, or they fight the training for the cores; Ctrl-C is the parent's to handle.

    SIGTERM ends a worker `GRACE` seconds later. What ends programs (`timeout`, the scheduler of a cluster) sends it to
    all of their processes, and the parent still needs its photos until the step in hand is done.
    """
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # not on Windows, which has no SIGTERM between processes either
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE))
