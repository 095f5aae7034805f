"""Pooling in plain loops, forwards and backwards: a mean shares its cotangent out, a maximum routes it."""

from __future__ import annotations

import numpy as np

from .windows import Size, output_size, pair

Pixel = tuple[int, int]


def windows(size: tuple[int, int], kernel_size: Size, stride: Size | None, padding: Size) -> dict[Pixel, list[Pixel]]:
    """For each output pixel, the input pixels under its window, in reading order (padding left out)."""
    kernel, paddings = pair(kernel_size), pair(padding)
    strides = kernel if stride is None else pair(stride)
    out = tuple(output_size(*of_axis) for of_axis in zip(size, kernel, strides, paddings, strict=True))
    found: dict[Pixel, list[Pixel]] = {}
    for r, q in np.ndindex(*out):
        found[r, q] = []
        for i, j in np.ndindex(*kernel):
            row, column = r * strides[0] + i - paddings[0], q * strides[1] + j - paddings[1]
            if 0 <= row < size[0] and 0 <= column < size[1]:
                found[r, q].append((row, column))
    return found


def out_shape(x: np.ndarray, of_pixel: dict[Pixel, list[Pixel]]) -> tuple[int, int, int, int]:
    last_row, last_column = max(of_pixel)
    return x.shape[0], x.shape[1], last_row + 1, last_column + 1


def max_pool2d(x: np.ndarray, *, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> np.ndarray:
    """The largest value under each window."""
    of_pixel = windows((x.shape[2], x.shape[3]), kernel_size, stride, padding)
    y = np.empty(out_shape(x, of_pixel))
    for n, c, r, q in np.ndindex(y.shape):
        y[n, c, r, q] = max(x[n, c, row, column] for row, column in of_pixel[r, q])
    return y


def max_pool2d_backward(
    ȳ: np.ndarray, x: np.ndarray, *, kernel_size: Size, stride: Size | None = None, padding: Size = 0
) -> np.ndarray:
    """All of a window's cotangent goes to the first of its largest elements; a pixel that won two windows gets both."""
    of_pixel = windows((x.shape[2], x.shape[3]), kernel_size, stride, padding)
    x̄ = np.zeros(x.shape)
    for n, c, r, q in np.ndindex(ȳ.shape):
        winner = of_pixel[r, q][0]
        for pixel in of_pixel[r, q]:
            if x[(n, c, *pixel)] > x[(n, c, *winner)]:
                winner = pixel
        x̄[(n, c, *winner)] += ȳ[n, c, r, q]
    return x̄


def avg_pool2d(x: np.ndarray, *, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> np.ndarray:
    """The mean under each window, in which padding counts as zeros."""
    of_pixel = windows((x.shape[2], x.shape[3]), kernel_size, stride, padding)
    rows, columns = pair(kernel_size)
    y = np.zeros(out_shape(x, of_pixel))
    for n, c, r, q in np.ndindex(y.shape):
        for row, column in of_pixel[r, q]:
            y[n, c, r, q] += x[n, c, row, column] / (rows * columns)
    return y


def avg_pool2d_backward(
    ȳ: np.ndarray, x: np.ndarray, *, kernel_size: Size, stride: Size | None = None, padding: Size = 0
) -> np.ndarray:
    """Every pixel under a window gets the same share of its cotangent, padding included (its share is lost)."""
    of_pixel = windows((x.shape[2], x.shape[3]), kernel_size, stride, padding)
    rows, columns = pair(kernel_size)
    x̄ = np.zeros(x.shape)
    for n, c, r, q in np.ndindex(ȳ.shape):
        for row, column in of_pixel[r, q]:
            x̄[n, c, row, column] += ȳ[n, c, r, q] / (rows * columns)
    return x̄


def global_avg_pool2d(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) → (N, C, 1, 1)."""
    return avg_pool2d(x, kernel_size=(x.shape[2], x.shape[3]))


def global_max_pool2d(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) → (N, C, 1, 1)."""
    return max_pool2d(x, kernel_size=(x.shape[2], x.shape[3]))
