"""Sizes of sliding windows."""

from __future__ import annotations

Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    """One number stands for rows and columns alike."""
    return (size, size) if isinstance(size, int) else size


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """How many windows fit: counted by sliding one until its last tap leaves the padded image."""
    count = 0
    while count * stride + dilation * (kernel - 1) < size + 2 * padding:
        count += 1
    return count
