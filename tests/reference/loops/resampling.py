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


def upsample_nearest(x: np.ndarray, *, scale_factor: int) -> np.ndarray:
    """Every pixel becomes a block."""
    s, (n_images, channels, height, width) = scale_factor, x.shape
    y = np.empty((n_images, channels, height * s, width * s))
    for n, c, row, column in np.ndindex(y.shape):
        y[n, c, row, column] = x[n, c, row // s, column // s]
    return y


def between(position: int, scale: int, size: int) -> list[tuple[int, float]]:
    """Which input positions an output position lies between, and how much of each it takes.

    Pixels are areas: the centre of output pixel i is at (i + ½) / scale of the input's width, and that of input pixel
    k at k + ½. Outside of the outermost centres the edge pixel is held.
    """
    centre = min(max((position + 0.5) / scale - 0.5, 0.0), size - 1.0)
    low = math.floor(centre)
    return [(low, 1 - (centre - low)), (min(low + 1, size - 1), centre - low)]


def upsample_bilinear(x: np.ndarray, *, scale_factor: int) -> np.ndarray:
    """Each output pixel is a weighted mean of the four input pixels around it."""
    s, (n_images, channels, height, width) = scale_factor, x.shape
    y = np.zeros((n_images, channels, height * s, width * s))
    for n, c, row, column in np.ndindex(y.shape):
        for r, of_row in between(row, s, height):
            for q, of_column in between(column, s, width):
                y[n, c, row, column] += of_row * of_column * x[n, c, r, q]
    return y


def upsample_bilinear_backward(ȳ: np.ndarray, x: np.ndarray, *, scale_factor: int) -> np.ndarray:
    """The same four weights the other way: what an output pixel took from an input pixel, its cotangent gives back."""
    s, x̄ = scale_factor, np.zeros(x.shape)
    for n, c, row, column in np.ndindex(ȳ.shape):
        for r, of_row in between(row, s, x.shape[2]):
            for q, of_column in between(column, s, x.shape[3]):
                x̄[n, c, r, q] += of_row * of_column * ȳ[n, c, row, column]
    return x̄
