"""Shuffling pixels into channels and back, and upsampling, in plain loops; the bilinear kind backwards as well."""

from __future__ import annotations

import math

import numpy as np


def pixel_shuffle(x: np.ndarray, *, upscale_factor: int) -> np.ndarray:
    """(N, C r², H, W) → (N, C, r H, r W): channel c r² + i r + j becomes row i, column j of each r × r block."""
    r, (n_images, channels, height, width) = upscale_factor, x.shape
    y = np.empty((n_images, channels // r**2, height * r, width * r))
    for n, c, row, column in np.ndindex(y.shape):
        y[n, c, row, column] = x[n, c * r**2 + (row % r) * r + column % r, row // r, column // r]
    return y


def pixel_unshuffle(x: np.ndarray, *, downscale_factor: int) -> np.ndarray:
    """(N, C, r H, r W) → (N, C r², H, W), the way back."""
    r, (n_images, channels, height, width) = downscale_factor, x.shape
    y = np.empty((n_images, channels * r**2, height // r, width // r))
    for n, c, row, column in np.ndindex(x.shape):
        y[n, c * r**2 + (row % r) * r + column % r, row // r, column // r] = x[n, c, row, column]
    return y


Size = int | tuple[int, int] | None
Factor = float | tuple[float, float] | None


def resized(length: int, axis: int, size: Size, scale_factor: Factor) -> tuple[int, float]:
    """How long the axis of so many pixels becomes, and how many of them an output pixel stands for."""
    if size is not None:
        out = size if isinstance(size, int) else size[axis]
        return out, length / out
    factor = scale_factor[axis] if isinstance(scale_factor, tuple) else scale_factor
    assert factor is not None
    out = math.floor(length * factor)
    return out, 1 if out == length else 1 / factor  # torch's convention: what keeps its size is copied


def upsample_nearest(x: np.ndarray, *, size: Size = None, scale_factor: Factor = None) -> np.ndarray:
    """Every output pixel is the input pixel at its upper left corner."""
    n_images, channels, height, width = x.shape
    rows, down = resized(height, 0, size, scale_factor)
    columns, across = resized(width, 1, size, scale_factor)
    # What becomes twice as large is doubled, by whatever factor: torch's convention for this mode.
    down, across = (0.5 if rows == 2 * height else down), (0.5 if columns == 2 * width else across)
    y = np.empty((n_images, channels, rows, columns))
    for n, c, row, column in np.ndindex(y.shape):
        # A corner on the edge of two pixels belongs to the later one, whichever way the product was rounded.
        r, q = math.floor(row * down + 1e-6), math.floor(column * across + 1e-6)
        y[n, c, row, column] = x[n, c, r, q]
    return y


def between(
    position: int, ratio: float, size: int, out: int = 0, align_corners: bool = False
) -> list[tuple[int, float]]:
    """Which input positions an output position lies between, and how much of each it takes.

    Pixels are areas: an output pixel is as wide as `ratio` input pixels, the centre of output pixel i is at (i + ½) ·
    ratio, and that of input pixel k at k + ½. Outside of the outermost centres the edge pixel is held. Or, with
    `align_corners`, the outermost centres of input and output are the same points.
    """
    centre = (position + 0.5) * ratio - 0.5
    if align_corners:
        centre = position * (size - 1) / (out - 1) if out > 1 else 0.0
    centre = min(max(centre, 0.0), size - 1.0)
    low = math.floor(centre)
    return [(low, 1 - (centre - low)), (min(low + 1, size - 1), centre - low)]


def upsample_bilinear(
    x: np.ndarray, *, size: Size = None, scale_factor: Factor = None, align_corners: bool = False
) -> np.ndarray:
    """Each output pixel is a weighted mean of the four input pixels around it."""
    n_images, channels, height, width = x.shape
    rows, down = resized(height, 0, size, scale_factor)
    columns, across = resized(width, 1, size, scale_factor)
    y = np.zeros((n_images, channels, rows, columns))
    for n, c, row, column in np.ndindex(y.shape):
        for r, of_row in between(row, down, height, rows, align_corners):
            for q, of_column in between(column, across, width, columns, align_corners):
                y[n, c, row, column] += of_row * of_column * x[n, c, r, q]
    return y


def upsample_bilinear_backward(ȳ: np.ndarray, x: np.ndarray, *, scale_factor: int) -> np.ndarray:
    """The same four weights the other way: what an output pixel took from an input pixel, its cotangent gives back."""
    ratio, x̄ = 1 / scale_factor, np.zeros(x.shape)
    for n, c, row, column in np.ndindex(ȳ.shape):
        for r, of_row in between(row, ratio, x.shape[2]):
            for q, of_column in between(column, ratio, x.shape[3]):
                x̄[n, c, r, q] += of_row * of_column * ȳ[n, c, row, column]
    return x̄
