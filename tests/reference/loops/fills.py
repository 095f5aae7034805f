"""The classical fills in plain loops: the mean border colour, and Laplace's equation relaxed pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Pixel = tuple[int, int]


def neighbours(pixel: Pixel, size: tuple[int, int], diagonal: bool) -> Iterator[Pixel]:
    """The pixels beside a pixel that lie in the photo: up to four, or up to eight with the diagonal ones."""
    for down, right in np.ndindex(3, 3):
        step = abs(down - 1) + abs(right - 1)
        row, column = pixel[0] + down - 1, pixel[1] + right - 1
        if (step == 1 or (diagonal and step == 2)) and 0 <= row < size[0] and 0 <= column < size[1]:
            yield row, column


def border_fill(masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """masked (N, 3, H, W), mask (N, 1, H, W): the hole in the mean colour of the known pixels that touch it."""
    y = masked.copy()
    for n in range(len(masked)):
        missing = [pixel for pixel in np.ndindex(mask.shape[2:]) if mask[(n, 0, *pixel)]]
        touching = {at for pixel in missing for at in neighbours(pixel, mask.shape[2:], diagonal=True)}
        known = [at for at in touching if not mask[(n, 0, *at)]]
        for c in range(masked.shape[1]):
            mean = sum(masked[(n, c, *at)] for at in known) / len(known)
            for pixel in missing:
                y[(n, c, *pixel)] = mean
    return y


def harmonic_fill(masked: np.ndarray, mask: np.ndarray, sweeps: int) -> np.ndarray:
    """Every missing pixel becomes the mean of its neighbours, over and over, until nothing changes any more.

    This is the Gauss–Seidel method: slow (a hole of n pixels across takes some n² sweeps), but it is the equation
    itself.
    """
    y = masked.copy()
    for n in range(len(masked)):
        missing = [pixel for pixel in np.ndindex(mask.shape[2:]) if mask[(n, 0, *pixel)]]
        for c in range(masked.shape[1]):
            for pixel in missing:
                y[(n, c, *pixel)] = 0
            for _ in range(sweeps):
                for pixel in missing:
                    beside = [y[(n, c, *at)] for at in neighbours(pixel, mask.shape[2:], diagonal=False)]
                    y[(n, c, *pixel)] = sum(beside) / len(beside)
    return y
