"""Work side by side: jobs that ask models to fill crops, and get the answers in batches.

A single crop is little work for a processor, which spends half of the time on calling operations. So a job doesn't call
a model itself: it is a generator that yields what is to be filled and is sent the answers. Several jobs go on in turn,
and what they want of one model at a time is computed together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from ..core import Array
from ..core.backend.cores import cores
from ..data.photos import Mask
from ..models.holes import Hole
from ..models.reconstructor import Fill, Reconstructor, ReconstructsEach, fill_each
from .photo.canvas import Colours

Work = TypeVar("Work")

#: Pixels in a batch, as in 16 windows of 128 by 128, and crops: in larger batches none takes less time.
BATCH, CROPS = 2**18, 64
#: Jobs that go on at a time, enough for large batches of specks, and the pixels that they may work on together: one job
#: always does.
JOBS, PIXELS = 512, 2**22


class Request(NamedTuple):
    """A crop (h, w, 3) that a model is to fill where it is missing (h, w)."""

    model: Reconstructor
    crop: Colours
    missing: Mask


#: Like `map` of a function over a list.
RunAll = Callable[[Callable[[list[int]], list[Colours]], list[list[int]]], Iterable[list[Colours]]]
#: Yields what it wants filled, is sent these crops, filled, and returns its result.
Job = Generator[list[Request], list[Colours], Colours]


def side_by_side(jobs: Iterable[tuple[Work, int, Job]], device: torch.device | str) -> Iterator[tuple[Work, Colours]]:
    """Do all jobs, of which each comes with what it works on and how many pixels that has.

    They are started in their order, when there is room. Yields what was worked on and the result as each is done.
    """
    rest = iter(jobs)
    coming, going = next(rest, None), list[tuple[Work, int, Job, list[Request]]]()
    with workers(device) as run_all:
        while coming is not None or going:
            filled = iter(fill([request for *_, requests in going for request in requests], device, run_all))
            turns: list[tuple[Work, int, Job, list[Colours] | None]]  # a job's first turn brings no answers
            turns = [(work, size, job, [*islice(filled, len(requests))]) for work, size, job, requests in going]
            room = PIXELS - sum(size for _, size, *_ in turns)
            while coming is not None and len(turns) < JOBS and (not turns or coming[1] <= room):
                room -= coming[1]
                turns.append((*coming, None))
                coming = next(rest, None)
            going = []
            for work, size, job, answers in turns:
                try:
                    going.append((work, size, job, next(job) if answers is None else job.send(answers)))
                except StopIteration as ended:
                    yield work, ended.value


@contextmanager
def workers(device: torch.device | str) -> Iterator[RunAll]:
    """A function like `map` that runs as many calls at a time as torch has threads, each with one of them.

    Threads that share the work of each operation wait for each other at its end, thousands of times in a photo; batches
    that go on by themselves don't, so that this is faster, most of all beside other programs. With one core, or another
    device than the CPU, it is `map` itself.
    """
    threads = torch.get_num_threads()
    count = min(threads, cores()) if torch.device(device).type == "cpu" else 1
    if count == 1:
        yield map
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)


def fill(requests: Sequence[Request], device: torch.device | str, run_all: RunAll = map) -> list[Colours]:
    """The crops, filled: those for one model in batches, and of a network those with windows of one size.

    Small operations are mostly calling, and two threads that call wait for each other in Python: windows of specks take
    1.3 times as long in batches of 16 as in batches of 64, and in two threads 2 times as long.

    The batches depend on the requests alone, not on the number of threads; so do the results. The largest come first,
    so that threads end together, and the classical fills, which take little time for their pixels, come last.
    """
    alike: defaultdict[tuple[int, int | None], list[int]] = defaultdict(list)
    sizes, works = list[int](), defaultdict[int, int](int)
    for number, request in enumerate(requests):
        side, model = window_side(request), id(request.model)
        alike[model, side].append(number)
        sizes.append(request.missing.size if side is None else side**2)
        works[model] += sizes[-1]
    batches = [
        [numbers[i] for i in batch]
        for (model, _), numbers in alike.items()
        for batch in in_batches([sizes[n] for n in numbers], works[model])
    ]
    batches.sort(key=lambda batch: (isinstance(requests[batch[0]].model, Fill), -sum(sizes[n] for n in batch)))

    def fill_batch(numbers: list[int]) -> list[Colours]:
        arrays = [to_arrays(requests[n].crop, requests[n].missing) for n in numbers]
        crops, masks = ([array.to(device) for array in each] for each in zip(*arrays, strict=True))
        answers = fill_each(requests[numbers[0]].model, crops, masks)
        return [answer.permute(1, 2, 0).cpu().numpy() for answer in answers]

    filled: dict[int, Colours] = {}
    for numbers, answers in zip(batches, run_all(fill_batch, batches), strict=True):
        filled.update(zip(numbers, answers, strict=True))
    return [filled[number] for number in range(len(requests))]


def window_side(request: Request) -> int | None:
    """The side of the window that a network computes of a crop; None for another model, which computes all of it."""
    if not isinstance(request.model, ReconstructsEach):
        return None
    window = Hole(*np.nonzero(request.missing)).window
    return request.model.window_side(max(side.stop - side.start for side in window))


def in_batches(sizes: Sequence[int], total: int) -> list[list[int]]:
    """Crops of so many pixels in parts of nearly the same work, by their numbers: those of a part have at most BATCH
    pixels, and half of the `total` of all for this model, so that two threads have work; but for the size of one crop.
    There are at most CROPS."""
    work = np.cumsum(sizes)
    least = max(-(-int(work[-1]) // BATCH), -(-2 * int(work[-1]) // total), -(-len(sizes) // CROPS))
    count = min(len(sizes), least)
    part = ((work - np.asarray(sizes) / 2) * count // work[-1]).astype(int)  # where the middle of each crop falls
    return [found for number in range(count) if (found := np.flatnonzero(part == number).tolist())]


def to_arrays(crop: Colours, missing: Mask) -> tuple[Array, Array]:
    """A crop (h, w, 3) and what is missing of it (h, w) as models take them: (3, h, w) and (1, h, w)."""
    return torch.from_numpy(crop).permute(2, 0, 1).contiguous(), torch.from_numpy(missing.astype(np.float32))[None]
