"""Batches of training crops: the same ones every time, however many workers cut them."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..core import Array, PhotomendError
from ..core.backend.ranks import ALONE, Ranks
from .augment import SCALES, check_crop, training_crop
from .photos import Mask, Photo, PhotoError, SkippedPhotoWarning
from .sources import PhotoSource

#: Seconds from SIGTERM to a worker's end.
GRACE = 10


class Batch(NamedTuple):
    """Training crops: photo `float32 (N, 3, S, S)` in [0, 1], mask `float32 (N, 1, S, S)`, 1 = missing."""

    photo: Array
    mask: Array


class _Crop(NamedTuple):
    """What a worker sends back: a crop and its mask, or neither if nothing can be read; and why names failed."""

    pixels: Photo | None
    mask: Mask | None
    failures: dict[str, str]


@dataclass(eq=False)
class CropLoader(Dataset[_Crop]):
    """An endless stream of batches of training crops.

    Every epoch gives each photo once, in its own random order; batches run across the ends of epochs, so all are full.
    Each crop depends only on (seed, epoch, photo): the stream is the same for any number of workers, and a loader that
    starts at step n gives what another gives from its n-th batch on.

    A photo that can't be read is replaced by the next one that can; a SkippedPhotoWarning names it once, and `skipped`
    lists it with the reason.

    Args:
        source: the photos.
        batch_size: crops per batch.
        size, side, hole, holes: of a crop; see `training_crop`.
        seed: of the order, the crops and the holes.
        workers: processes that read and crop; with 0 this one does.
        start_step: number of the first batch.
        ranks: of several ranks, each of which has a loader, this one's place: it gets its share of every batch, and
            together they get each photo once an epoch.

    Raises:
        PhotomendError: no photos, impossible sizes, or (while iterating) not one photo can be read.
    """

    source: PhotoSource
    batch_size: int = 16
    size: int = 128
    seed: int = 0
    workers: int = 0
    start_step: int = 0
    side: int = 224
    hole: tuple[int, int] = (30, 60)
    holes: int = 1
    ranks: Ranks = ALONE
    skipped: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if len(self.source) == 0:
            raise PhotomendError(f"{self.source.origin}: no photos to train on")
        if self.batch_size < 1:
            raise PhotomendError(f"batch size (={self.batch_size}) must be at least 1")
        check_crop(self.size, self.side, self.hole, self.holes)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, rounded up."""
        return -(-len(self.source) // self.batch_size)

    def __iter__(self) -> Generator[Batch]:
        """The stream; closing it ends the workers."""
        loader = DataLoader(
            self,
            batch_sampler=self._order(self.start_step),
            num_workers=self.workers,
            collate_fn=_collate,
            worker_init_fn=_start_worker,
            generator=torch.Generator().manual_seed(self.seed),  # or it would draw from the global one
        )
        for photos, masks, failures in loader:
            for name, reason in failures.items():
                if name not in self.skipped:
                    self.skipped[name] = reason
                    warnings.warn(f"skipped {reason}", SkippedPhotoWarning, stacklevel=2)
            if photos is None:
                raise PhotomendError(f"{self.source.origin}: none of the {len(self.source)} photos can be read")
            yield Batch(photos.float() / 255, masks.float())

    def names(self, step: int) -> list[str]:
        """The photos of the batch of this step, the first of all being 0, as long as all can be read."""
        return [self.source.name(index) for _, index in next(self._order(step))]

    def _order(self, start_step: int) -> Iterator[list[tuple[int, int]]]:
        """The (epoch, index) pairs of this rank's share of each batch."""
        share = self.ranks.share(self.batch_size)
        for batch in _batch_order(len(self.source), self.batch_size, self.seed, start_step):
            yield batch[share.start : share.stop]

    def __getitem__(self, key: tuple[int, int]) -> _Crop:
        """The crop of photo `index` in an epoch, for the key (epoch, index)."""
        epoch, index = key
        least = round(2 * max(SCALES) * self.side)  # pixels enough for the antialiasing to average
        failures: dict[str, str] = {}
        for candidate in range(index, index + len(self.source)):
            candidate %= len(self.source)
            try:
                photo = self.source.read(candidate, least=least)
            except PhotoError as error:
                failures[self.source.name(candidate)] = str(error)
                continue
            rng = np.random.default_rng(np.random.SeedSequence((self.seed, epoch, index)))
            pixels, mask = training_crop(photo, rng, self.size, self.side, self.hole, self.holes)
            return _Crop(pixels, mask, failures)
        # Returned, not raised: an exception would reach the user wrapped in the worker's traceback.
        return _Crop(None, None, failures)


def _batch_order(photos: int, batch_size: int, seed: int, start_step: int) -> Iterator[list[tuple[int, int]]]:
    """The (epoch, index) pairs of each batch from `start_step` on, without end."""
    first = start_step * batch_size
    skip = first % photos
    batch: list[tuple[int, int]] = []
    for epoch in count(first // photos):
        order = np.random.default_rng(np.random.SeedSequence((seed, epoch))).permutation(photos)
        for index in order[skip:]:
            batch.append((epoch, int(index)))
            if len(batch) == batch_size:
                yield batch
                batch = []
        skip = 0


def _collate(crops: list[_Crop]) -> tuple[Array | None, Array | None, dict[str, str]]:
    """Stack the crops as bytes: a quarter of what floats would take in shared memory."""
    failures = {name: reason for crop in crops for name, reason in crop.failures.items()}
    pixels = [crop.pixels for crop in crops if crop.pixels is not None]
    masks = [crop.mask for crop in crops if crop.mask is not None]
    if not pixels:
        return None, None, failures
    photos = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return photos, torch.from_numpy(np.stack(masks))[:, None], failures


def _start_worker(worker: int) -> None:
    """One thread a worker, or they compete with training for the cores; the parent handles Ctrl-C.

    SIGTERM ends a worker only after `GRACE` seconds: `timeout` and cluster schedulers send it to all processes, and the
    parent still needs photos to finish its step.
    """
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # not on Windows, which has no SIGTERM between processes either
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE))
