"""Sizes of sliding windows."""

from __future__ import annotations

Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    """One number stands for rows and columns alike."""
    return (size, size) if isinstance(size, int) else size


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """How many windows fit: counted by sliding one until its last tap leaves the padded image; in `ceil_mode` until its
    first tap leaves the image and the padding before it, if the one before didn't end where the padding does."""
    count, end = 0, size + 2 * padding
    while count * stride + dilation * (kernel - 1) < end:
        count += 1
    ends_there = (count - 1) * stride + dilation * (kernel - 1) + 1 == end
    if ceil_mode and not ends_there and count * stride < size + padding:
        count += 1
    return count
