"""Work on images cut into blocks that fit a cache."""

from __future__ import annotations

from ...core.workers import parts


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
