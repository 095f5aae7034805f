"""Work shared among CPU threads block by block.

torch splits each single operation among its threads, and all of them wait for the slowest at its end. For a chain of
short operations on a block that fits a core's cache, it is better that each thread takes whole blocks: nobody waits,
the block stays in the cache of the core that made it, and a thread whose core is disturbed takes fewer of them.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import torch

_pools: dict[int, ThreadPoolExecutor] = {}  # by how many threads they have
_making = threading.Lock()
_here = threading.local()  # has `inside` in the threads that work for `share`


def share(block: Callable[..., None], jobs: Sequence[tuple[Any, ...]]) -> None:
    """Call ``block(*job)`` for every job, on as many threads as torch has now, whichever is free next.

    Blocks must not depend on one another. Inside a block torch computes on one thread, and a block that calls `share`
    itself has its own blocks done one after the other. After an exception no further block is begun, and it is raised
    here when those that were begun are done.
    """
    count = min(torch.get_num_threads(), len(jobs))
    if count <= 1 or hasattr(_here, "inside"):  # a worker that waited for others could wait for itself
        for job in jobs:
            block(*job)
        return
    waiting = iter(jobs)
    taking = threading.Lock()
    failed = threading.Event()
    inference = torch.is_inference_mode_enabled()  # each thread has a mode of its own

    @torch.inference_mode(inference)
    def work() -> None:
        while not failed.is_set():
            with taking:
                job = next(waiting, None)
            if job is None:
                return
            try:
                block(*job)
            except BaseException:
                failed.set()
                raise

    threads = torch.get_num_threads()
    pool = _threads(threads)
    torch.set_num_threads(1)  # the matrix library asks the process, not the thread, how many threads it may take
    try:
        working = [pool.submit(work) for _ in range(count)]
        wait(working)
    finally:
        torch.set_num_threads(threads)
    for worker in working:
        worker.result()


def _threads(count: int) -> ThreadPoolExecutor:
    """As many threads, on each of which torch computes alone."""
    with _making:
        if count not in _pools:
            together = threading.Barrier(count)
            pool = ThreadPoolExecutor(count, "photomend", initializer=_begin)
            list(pool.map(lambda _: together.wait(), range(count)))  # every thread is there and has been told
            torch.set_num_threads(count)  # telling them told torch as a whole: what holds elsewhere is said again
            _pools[count] = pool
        return _pools[count]


def _begin() -> None:
    _here.inside = True
    torch.set_num_threads(1)


def _forget() -> None:
    """A forked process has none of its parent's threads, and nobody to open a lock that one of them held."""
    global _making
    _making = threading.Lock()
    _pools.clear()


os.register_at_fork(after_in_child=_forget)


def parts(length: int, count: int) -> list[slice]:
    """range(length) in `count` parts, or fewer, that differ by one at most."""
    count = max(1, min(length, count))
    edges = [length * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]
