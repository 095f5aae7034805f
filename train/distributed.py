"""Several ranks that train one network: what they tell each other, over torch.distributed's collectives.

Each rank has the same weights and its share of every batch. A sum over ranks is the same on all of them, to the bit, so
the weights stay the same. Alone, and inside `apart`, all of these functions give back what they are given.

Source: Li et al., *PyTorch distributed: experiences on accelerating data parallel training* (2020).
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch

from ..core import Array, PhotomendError
from ..core.backend.ranks import ALONE, Ranks, ranks

#: How long one rank waits for the others: for the slowest photo, a validation's figures, a state's way to the disk.
PATIENCE = timedelta(minutes=10)
#: The key in the ranks' common store under which the first that reports an error leaves a trace.
REPORTED = "photomend/reported"


class LostRankError(PhotomendError):
    """Another rank has ended, or can't be reached."""


@dataclass
class _Joined:
    """The ranks that this process has joined, and what they have in common."""

    place: Ranks
    store: Any = None
    apart: bool = False


_joined = _Joined(ALONE)


def join(device: torch.device) -> Ranks:
    """Join the other ranks, if there are any, for the rest of the process: over NCCL on GPUs, over gloo on CPUs.

    Raises:
        PhotomendError: the environment doesn't say where to meet, or the others don't come.
    """
    if _joined.place.size > 1:
        return here()
    place = ranks()
    if place.size > 1:
        for name in ("MASTER_ADDR", "MASTER_PORT"):
            if name not in os.environ:
                raise PhotomendError(
                    f"environment: {name} isn't set, where (MASTER_ADDR:MASTER_PORT) the {place.size} ranks are to meet"
                )
        import torch.distributed as dist  # here, because one process alone can do without
        from torch.distributed.rendezvous import rendezvous

        if device.type == "cuda":
            torch.cuda.set_device(device)
        with _connected(place):
            if not dist.is_initialized():
                store, rank, size = next(rendezvous("env://", place.rank, place.size, timeout=PATIENCE))
                # A launcher's store outlives its ranks: those that it starts anew must not find dead ones' addresses.
                store = dist.PrefixStore(f"photomend/{place.restarts}", store)  # type: ignore[attr-defined]
                backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
                dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
                _joined.store = store
                atexit.register(_leave)
    _joined.place = place
    return place


def _leave() -> None:
    with suppress(Exception):  # the others may have gone already
        torch.distributed.destroy_process_group()


def here() -> Ranks:
    """This process's place among the ranks it has joined; alone before that, and inside `apart`."""
    return ALONE if _joined.apart else _joined.place


@contextmanager
def apart() -> Iterator[None]:
    """Inside, this rank computes by itself, whatever the others do."""
    before, _joined.apart = _joined.apart, True
    try:
        yield
    finally:
        _joined.apart = before


@contextmanager
def _connected(place: Ranks) -> Iterator[None]:
    """Raise LostRankError where a collective fails: the others have ended, or the network has."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # ValueError: an address that is none
        reason = str(error).partition("\n")[0][:200]
        raise LostRankError(
            f"rank {place.rank} of {place.size} can't go on without the others, of which one has ended or can't be "
            f"reached ({reason}); a run that was saved goes on with --resume"
        ) from error


def total(x: Array) -> Array:
    """The sum of an array over all ranks, on all of them."""
    return x if here().size == 1 else start_total(x.clone(memory_format=torch.contiguous_format)).wait()


class Total:
    """A sum over all ranks on its way: `wait` gives the array, which is the one that was given."""

    def __init__(self, x: Array) -> None:
        self.x = x
        with _connected(here()):
            self.work = torch.distributed.all_reduce(x, async_op=True)

    def wait(self) -> Array:
        with _connected(here()):
            self.work.wait()
        return self.x


def start_total(x: Array) -> Total:
    """Begin to add up a contiguous array, in place, while other things are computed."""
    return Total(x)


def means(count: Array | float, *values: Array) -> tuple[Array, Sequence[Array]]:
    """The means over the batches of all ranks, of which each has `count` things (pixels, samples) and `values`, single
    numbers that are means over its own. Returns its share of all things, 0 to 1, and the means.

    A mean over all is not the mean of the ranks' means: one whose holes are larger counts for more.
    """
    if here().size == 1:
        return torch.ones_like(values[0]), values
    counted = torch.as_tensor(count, device=values[0].device).double()
    sums = total(torch.stack([counted, *(counted * value.double() for value in values)]))
    share = (counted / sums[0]).to(values[0].dtype)
    return share, [(s / sums[0]).to(value.dtype) for s, value in zip(sums[1:], values, strict=True)]


def mean_loss(value: Array, gradient: Array, count: Array | float) -> tuple[Array, Array]:
    """The loss over the batches of all ranks, and its gradient by this rank's prediction, from this rank's own: means
    over `count` things."""
    if here().size == 1:
        return value, gradient
    share, (mean,) = means(count, value)
    return mean, share * gradient


def norm(x: Array) -> Array:
    """‖x‖ of what is spread over all ranks."""
    return x.norm() if here().size == 1 else total(x.double().square().sum()).sqrt().to(x.dtype)


def of_first(*numbers: float) -> list[float]:
    """Rank 0's numbers, such as the time, on which all must agree."""
    place = here()
    if place.size == 1:
        return list(numbers)
    return total(torch.tensor(numbers, dtype=torch.float64) * place.first).tolist()


def any_of(flag: bool) -> bool:
    """Whether one rank says yes."""
    return flag if here().size == 1 else bool(total(torch.tensor(float(flag))))


def copy_from_first(arrays: Iterable[Array]) -> None:
    """Let every rank's arrays be rank 0's, in place."""
    if here().size > 1:
        with _connected(here()):
            for array in arrays:
                dense = array.contiguous()
                torch.distributed.broadcast(dense, src=0)
                array.copy_(dense)


def gathered(array: Array) -> list[Array]:
    """Every rank's array, all of one shape."""
    if here().size == 1:
        return [array]
    arrays = [torch.empty_like(array) for _ in range(here().size)]
    with _connected(here()):
        torch.distributed.all_gather(arrays, array.contiguous())
    return arrays


def of_each(function: Callable[[Array], Array], arrays: Sequence[Array]) -> list[Array]:
    """function(x), of the shape and dtype of x, for each of these arrays, which are the same on all ranks: each rank
    computes some, the largest first, and all get all."""
    place = here()
    if place.size == 1:
        return [function(x) for x in arrays]
    found, work = [torch.zeros_like(x) for x in arrays], [0] * place.size
    for number in sorted(range(len(arrays)), key=lambda number: -arrays[number].numel()):
        rank = work.index(min(work))
        work[rank] += arrays[number].numel()
        if rank == place.rank:
            found[number] = function(arrays[number])
    if not arrays:
        return found
    # What the others have found is 0 here, so that a sum over ranks is exact; gloo adds up no bfloat16.
    wide = torch.promote_types(arrays[0].dtype, torch.float32)
    flat = total(torch.cat([x.reshape(-1).to(wide) for x in found]))
    parts = flat.split([x.numel() for x in arrays])
    return [part.view_as(x).to(x.dtype) for part, x in zip(parts, arrays, strict=True)]


def texts(text: str) -> list[str]:
    """Every rank's text."""
    data = torch.tensor(list(text.encode()), dtype=torch.uint8)
    lengths = [int(length) for length in gathered(torch.tensor([len(data)]))]
    padded = torch.cat((data, data.new_zeros(max(lengths) - len(data))))
    pairs = zip(gathered(padded), lengths, strict=True)
    return [bytes(row[:length].tolist()).decode(errors="replace") for row, length in pairs]


def speaks() -> bool:
    """Whether this rank is the one that reports an error: the first that asks, in the life of the ranks, is.

    So an error that all have is one line, and those that end because another has ended say nothing.
    """
    if here().size == 1 or _joined.store is None:
        return True
    try:
        return _joined.store.add(REPORTED, 1) == 1
    except RuntimeError:  # the store has gone, with rank 0
        return True
