"""Scratch memory that is used again.

A large array that is made anew costs a page fault for every 4 KiB of it, and lies in nobody's cache. A block of a
convolution needs the same few arrays as the block before it; each thread keeps them under their names.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import torch

from .tape import Array

#: Bytes. A larger array is made for its one use and not kept.
LARGEST = 64 * 2**20

_kept = threading.local()


def scratch(name: str, shape: Sequence[int], like: Array) -> Array:
    """An array of this shape, of the dtype and device of `like`, with anything in it.

    It shares its memory with every other array of the same name, dtype and device that this thread asked for, so it is
    good until the thread asks for that name again.
    """
    size = math.prod(shape)
    if size * like.element_size() > LARGEST or like.device.type != "cpu":  # CUDA's allocator keeps memory by itself
        return like.new_empty(shape)
    key = (name, like.dtype)
    arrays: dict[tuple[str, torch.dtype], Array] = _kept.__dict__.setdefault("arrays", {})
    kept = arrays.get(key)
    if kept is None or kept.numel() < size:
        kept = arrays[key] = torch.empty(size, dtype=like.dtype)
    return kept[:size].view(shape)
