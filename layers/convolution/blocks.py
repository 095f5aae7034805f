"""Work on images cut into blocks that fit a cache, and what a block sees of its images."""

from __future__ import annotations

from ...core import Array
from ...core.workers import parts
from ...core.workspace import scratch


def blocks(images: int, rows: int, most: int) -> list[tuple[slice, slice]]:
    """Images and rows, in blocks of at most `most` rows but one at least: several whole images, or rows of one.

    Blocks are as few as there can be, and differ little in size.
    """
    together = max(1, most) // max(1, rows)
    if not images:
        return []
    if together:
        return [(these, slice(0, rows)) for these in parts(images, -(-images // together))]
    return [(slice(i, i + 1), these) for i in range(images) for these in parts(rows, -(-rows // max(1, most)))]


def zero_padded(pixels: Array, down: slice, across: slice) -> Array:
    """These rows and columns of images (N, H, W, C), in scratch; 0 where they reach beyond an image."""
    n, c = len(pixels), pixels.shape[3]
    padded = scratch("padded", (n, down.stop - down.start, across.stop - across.start, c), pixels)
    top, left = max(0, -down.start), max(0, -across.start)
    inside = pixels[:, max(0, down.start) : max(0, down.stop), max(0, across.start) : max(0, across.stop)]
    bottom, right = top + inside.shape[1], left + inside.shape[2]
    padded[:, :top], padded[:, bottom:] = 0, 0
    padded[:, top:bottom, :left], padded[:, top:bottom, right:] = 0, 0
    padded[:, top:bottom, left:right] = inside
    return padded
