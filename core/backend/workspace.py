"""Memory that is used again, in huge pages where it fills them.

A large array that is made anew costs a page fault for each 4 KiB of it, and allocators give large blocks back to the
system or can't use them a second time. So convolutions take theirs from here: scratch, which each thread keeps under a
name, and outputs, whose memory comes back by itself when the last array that looks at it is gone. The system is asked
for huge pages (2 MiB): fewer faults, and many streams at once still fit the processor's small table of pages. An output
isn't made larger to fill them: with whole ones a training step took as long, and a tenth more memory.

What is kept is bounded: `LARGEST` for a piece of scratch, `KEPT` for all outputs that wait together; beyond that, the
size that nobody has asked for longest has to go.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import mmap
import threading
import weakref
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from ..tape import Array

MIB = 2**20
_HUGE_PAGE = 2 * MIB
#: Bytes. Smaller outputs are left to torch's allocator, which is faster for them.
SMALLEST = MIB
#: Bytes. Larger scratch is made for its one use and not kept.
LARGEST = 64 * MIB
#: Bytes of outputs that nobody uses any more and that wait for their next use.
KEPT = 1024 * MIB

_scratch = threading.local()
_waiting: defaultdict[int, list[mmap.mmap]] = defaultdict(list)
_asked: dict[int, int] = {}  # when each length was last asked for, in calls
_clock = itertools.count()


def scratch(name: str, shape: Sequence[int], like: Array) -> Array:
    """An array of this shape, of the dtype and device of `like`, with anything in it.

    It shares its memory with every other array of the same name and dtype that this thread asked for, so it is good
    until the thread asks for that name again.
    """
    size = math.prod(shape)
    kept_here = like.device.type == "cpu" and 0 < size * like.element_size() <= LARGEST
    if not kept_here:  # CUDA's allocator keeps memory by itself
        return like.new_empty(shape)
    arrays: dict[tuple[str, torch.dtype], Array] = _scratch.__dict__.setdefault("arrays", {})
    kept = arrays.get((name, like.dtype))
    if kept is None or kept.numel() < size:
        pages = _pages(_rounded(size * like.element_size(), least=_HUGE_PAGE))  # so that small ones seldom grow
        with torch.inference_mode(False):  # what is made inside that mode can't be written into outside
            kept = arrays[name, like.dtype] = torch.frombuffer(pages, dtype=like.dtype)
    return kept[:size].view(shape)


def output(shape: Sequence[int], like: Array) -> Array:
    """A new array of this shape, of the dtype and device of `like`, with anything in it."""
    size = math.prod(shape)
    length = size * like.element_size()
    if like.device.type != "cpu" or length < SMALLEST:
        return like.new_empty(shape)
    length = _rounded(length)
    _asked[length] = next(_clock)
    try:
        pages = _waiting[length].pop()
    except IndexError:
        pages = _pages(length)
    # torch holds on to `owner` for as long as an array looks at this memory, and to nothing else of ours.
    owner = np.frombuffer(pages, dtype=np.uint8)
    weakref.finalize(owner, _give_back, length, pages).atexit = False
    return torch.from_numpy(owner).view(like.dtype)[:size].view(shape)


def _give_back(length: int, pages: mmap.mmap) -> None:
    if length > KEPT:
        return
    _waiting[length].append(pages)
    while sum(size * len(those) for size, those in list(_waiting.items())) > KEPT:
        with contextlib.suppress(ValueError, IndexError):  # another thread has just taken it, or all of them
            _waiting[min((size for size, those in list(_waiting.items()) if those), key=_asked.__getitem__)].pop()


def _rounded(length: int, least: int = 1) -> int:
    """Up to eighths of a power of two, so that nearly equal sizes share, and to multiples of `least`. For outputs that
    isn't a whole huge page: a training step's are a few MiB each, and a third of what they took was never used."""
    step = max(least, 2 ** (length.bit_length() - 3))
    return -(-length // step) * step


def _pages(length: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return mmap.mmap(-1, length)
    # Private: a forked process gets a copy, and writes into that.
    pages = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux only; elsewhere the pages are small, and all works as well
        with contextlib.suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages
