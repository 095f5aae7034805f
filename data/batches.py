"""Batches of any arrays: of x and y as they are, of a dataset, or as somebody else has made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count, islice
from typing import Any

import numpy as np
import torch

from ..core import Array, PhotomendError, Tensor
from ..core.backend.ranks import ALONE, Ranks

#: What the model sees, one array or several, and last what it should say.
Batch = tuple[Array, ...]
DEFAULT_SIZE = 32


class Batches:
    """An endless stream of batches (x, y), one epoch after another, from any step on.

    Floating-point numbers come in `dtype`, all others (labels, tokens) in int64. An epoch's order depends on (seed,
    epoch) alone: a stream that starts at step n gives what another gives from its n-th batch on.

    Args:
        data: one of three:
            - a tuple of arrays (x, y), one sample a row: tensors, NumPy arrays, lists of numbers. There may be more
              than two for a model that takes several; the last is the target.
            - a dataset: `len(data)` samples, each `data[i]` such a tuple, of single rows.
            - another iterable, such as torch's DataLoader: of batches, each such a tuple. It is gone through once an
              epoch, in its own order, which is drawn from torch's generator if from any.
        batch_size: samples per batch, an epoch's last may have fewer; of arrays and datasets.
        shuffle: whether every epoch has its own random order; of arrays and datasets.
        seed: of the order.
        dtype: of all that isn't whole numbers.

    Raises:
        PhotomendError: the data is none of these or empty, or the arrays differ in length; so does the stream where a
            sample or batch is no such tuple.
    """

    def __init__(
        self,
        data: Any,
        batch_size: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.data, self.shuffle, self.seed, self.dtype = data, shuffle, seed, dtype
        self.batch_size = DEFAULT_SIZE if batch_size is None else batch_size
        if not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise PhotomendError(f"batch_size (={batch_size!r}) must be a whole number above 0")
        self.arrays: Batch | None = None
        self.samples: int | None = None
        if isinstance(data, tuple):
            self.arrays = as_batch(data, dtype)
            self.samples = len(self.arrays[0])
            _require_finite(self.arrays)
        elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
            self.samples = len(data)
        elif not isinstance(data, Iterable):
            raise PhotomendError(f"data: must be arrays (x, y), a dataset or batches, not {type(data).__name__}")
        if 0 in (self.samples, self.steps_per_epoch):
            raise PhotomendError("data: is empty")

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches in an epoch; None where an iterable doesn't say how many it gives."""
        if self.samples is not None:
            return -(-self.samples // self.batch_size)
        return len(self.data) if hasattr(self.data, "__len__") else None

    def probe(self) -> Batch:
        """What tells this data from other data: the arrays, or a dataset's first, middle and last sample, unless it
        gives them differently each time. Nothing of an iterable."""
        if self.arrays is not None or self.samples is None:
            return self.arrays or ()
        places = (0, self.samples // 2, self.samples - 1)
        with torch.random.fork_rng(devices=()):
            once, again = ([a for i in places for a in _arrays(self.data[i], self.dtype)] for _ in range(2))
        return tuple(once) if all(map(torch.equal, once, again)) else ()

    def stream(self, start_step: int = 0, place: Ranks = ALONE) -> Iterator[Batch]:
        """The batches from `start_step` on, without end; of several ranks, this one's share of each.

        Raises PhotomendError at a batch that has fewer samples than there are ranks.
        """
        first, skip = divmod(start_step, self.steps_per_epoch) if self.steps_per_epoch else (0, start_step)
        for epoch in count(first):
            skipped, batches = self._start(epoch, skip, place)
            yield from batches
            skip -= skipped

    def epoch(self, place: Ranks = ALONE) -> Iterator[Batch]:
        """The first epoch alone; of several ranks, every so manieth batch."""
        return islice(self._start(0, 0, ALONE)[1], place.rank, None, place.size)

    def _start(self, epoch: int, skip: int, place: Ranks) -> tuple[int, Iterator[Batch]]:
        """An epoch without its first `skip` batches, and how many of those it had."""
        if self.samples is not None:
            order = np.arange(self.samples)
            if self.shuffle:
                order = np.random.default_rng(np.random.SeedSequence((self.seed, epoch))).permutation(self.samples)
            starts = range(skip * self.batch_size, self.samples, self.batch_size)
            return skip, (self._gather(_part(order[start : start + self.batch_size], place)) for start in starts)
        with torch.random.fork_rng(devices=()):  # where an iterable draws its order, and what is skipped draws
            torch.manual_seed(int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0]))
            iterator = iter(self.data)
            ahead = list(islice(iterator, 1))
            skipped = min(skip, 1) + sum(1 for _ in islice(iterator, max(0, skip - 1)))
        if not ahead:
            again = "; an iterator can be gone through once, a list of batches in a DataLoader's place again and again"
            raise PhotomendError(f"data: gives no batches in epoch {epoch + 1}{again if epoch else ''}")
        batches = (as_batch(batch, self.dtype) for batch in chain(ahead[skip:], iterator))
        return skipped, (tuple(_part(array, place) for array in batch) for batch in batches)

    def _gather(self, indices: np.ndarray[Any, Any]) -> Batch:
        """The samples at these places as one batch."""
        if self.arrays is not None:
            rows = torch.from_numpy(indices)
            return tuple(array[rows.to(array.device)] for array in self.arrays)
        samples = [_arrays(self.data[int(i)], self.dtype) for i in indices]
        try:
            return tuple(torch.stack(rows) for rows in zip(*samples, strict=True))
        except (RuntimeError, ValueError) as error:
            raise PhotomendError(f"data: its samples differ in shape ({error})") from error


def as_batch(values: Any, dtype: torch.dtype) -> Batch:
    """(x, y) as tensors of equally many rows. Raises PhotomendError."""
    arrays = _arrays(values, dtype)
    for name, array in zip(_names(arrays), arrays, strict=True):
        if array.ndim == 0:
            raise PhotomendError(f"data: {name} is a single number; it must have a row for each sample")
        if len(array) != len(arrays[0]):
            raise PhotomendError(f"data: x has {len(arrays[0])} samples, but {name} has {len(array)}")
    return arrays


def _part(rows: Any, place: Ranks) -> Any:
    """This rank's share of the rows of a batch."""
    if place.size == 1:
        return rows
    if len(rows) < place.size:
        raise PhotomendError(
            f"data: a batch of {len(rows)} can't be split among {place.size} ranks; choose a batch_size"
        )
    share = place.share(len(rows))
    return rows[share.start : share.stop]


def _require_finite(arrays: Batch) -> None:
    """Raise PhotomendError naming the first sample that holds ∞ or a NaN."""
    for name, array in zip(_names(arrays), arrays, strict=True):
        strange = (~array.isfinite()).reshape(len(array), -1).any(dim=1) if array.numel() else array.new_zeros(0)
        if len(found := strange.nonzero()):
            raise PhotomendError(f"data: {name} holds ∞ or NaN, first in sample {int(found[0])}")


def _arrays(values: Any, dtype: torch.dtype) -> Batch:
    """The values as tensors in the types that `Batches` promises."""
    if not isinstance(values, tuple | list) or len(values) < 2:
        raise PhotomendError(f"data: a sample or batch must be a tuple (x, y), not {_kind(values)}")
    return tuple(_as_array(value, dtype, name) for name, value in zip(_names(values), values, strict=True))


def _as_array(value: Any, dtype: torch.dtype, name: str) -> Array:
    value = value.data if isinstance(value, Tensor) else value
    try:
        array = value if isinstance(value, Array) else torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise PhotomendError(f"data: {name} can't be made a tensor ({str(error).splitlines()[0]})") from error
    return array.to(dtype if array.is_floating_point() else torch.int64)


def _names(values: Sequence[Any]) -> list[str]:
    return ["x", *(f"x{i}" for i in range(2, len(values))), "y"]


def _kind(values: Any) -> str:
    return f"a {type(values).__name__} of {len(values)}" if isinstance(values, tuple | list) else type(values).__name__
