"""Blocks of images that fit a cache: how images are cut into them, and what a block sees of its images."""

from __future__ import annotations

import itertools

from ...core import Array


def blocks(images: int, rows: int, most: int) -> list[tuple[slice, slice]]:
    """Images and rows, in blocks of at most `most` rows but one at least: several whole images, or rows of one.

    Blocks are as few as there can be, and differ little in size.
    """
    together = max(1, most) // max(1, rows)
    if not images:
        return []
    if together:
        return [(these, slice(0, rows)) for these in _parts(images, -(-images // together))]
    return [(slice(i, i + 1), these) for i in range(images) for these in _parts(rows, -(-rows // max(1, most)))]


def _parts(length: int, count: int) -> list[slice]:
    """range(length) in `count` parts whose sizes differ by one at most."""
    edges = [length * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def zero_padded(pixels: Array, down: slice, across: slice) -> Array:
    """These rows and columns of images (…, H, W, C), a copy; 0 where they reach beyond an image."""
    *n, _, _, c = pixels.shape
    padded = pixels.new_empty(*n, down.stop - down.start, across.stop - across.start, c)
    top, left = max(0, -down.start), max(0, -across.start)
    inside = pixels[..., max(0, down.start) : max(0, down.stop), max(0, across.start) : max(0, across.stop), :]
    bottom, right = top + inside.shape[-3], left + inside.shape[-2]
    padded[..., :top, :, :], padded[..., bottom:, :, :] = 0, 0
    padded[..., top:bottom, :left, :], padded[..., top:bottom, right:, :] = 0, 0
    padded[..., top:bottom, left:right, :] = inside
    return padded
