"""Pooling in plain loops, forwards and backwards: a mean shares its cotangent out, a maximum routes it."""

from __future__ import annotations

import math

import numpy as np

from .windows import Size, output_size, pair

Pixel = tuple[int, int]


def windows(
    size: tuple[int, int],
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> dict[Pixel, list[Pixel]]:
    """For each output pixel, the pixels under its window, in reading order; some lie in the padding, or beyond it."""
    kernel, dilations = pair(kernel_size), pair(dilation)
    paddings = pair(padding)
    strides = kernel if stride is None else pair(stride)
    axes = zip(size, kernel, strides, paddings, dilations, strict=True)
    found: dict[Pixel, list[Pixel]] = {}
    for r, q in np.ndindex(*(output_size(*axis, ceil_mode) for axis in axes)):
        top, left = r * strides[0] - paddings[0], q * strides[1] - paddings[1]
        found[r, q] = [(top + i * dilations[0], left + j * dilations[1]) for i, j in np.ndindex(*kernel)]
    return found


def inside(pixels: list[Pixel], size: tuple[int, int], padding: Size = 0) -> list[Pixel]:
    """Those of the pixels that lie in the image, or in the padding around it."""
    down, across = pair(padding)
    return [(r, q) for r, q in pixels if -down <= r < size[0] + down and -across <= q < size[1] + across]


def out_shape(x: np.ndarray, of_pixel: dict[Pixel, list[Pixel]]) -> tuple[int, int, int, int]:
    last_row, last_column = max(of_pixel)
    return x.shape[0], x.shape[1], last_row + 1, last_column + 1


def max_pool2d(
    x: np.ndarray,
    *,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> np.ndarray:
    """The largest value under each window."""
    size = (x.shape[2], x.shape[3])
    of_pixel = windows(size, kernel_size, stride, padding, dilation, ceil_mode)
    y = np.empty(out_shape(x, of_pixel))
    for n, c, r, q in np.ndindex(y.shape):
        y[n, c, r, q] = max(x[n, c, row, column] for row, column in inside(of_pixel[r, q], size))
    return y


def max_pool2d_backward(
    ȳ: np.ndarray, x: np.ndarray, *, kernel_size: Size, stride: Size | None = None, padding: Size = 0
) -> np.ndarray:
    """All of a window's cotangent goes to the first of its largest elements; a pixel that won two windows gets both."""
    size = (x.shape[2], x.shape[3])
    of_pixel = windows(size, kernel_size, stride, padding)
    x̄ = np.zeros(x.shape)
    for n, c, r, q in np.ndindex(ȳ.shape):
        seen = inside(of_pixel[r, q], size)
        winner = seen[0]
        for pixel in seen:
            if x[(n, c, *pixel)] > x[(n, c, *winner)]:
                winner = pixel
        x̄[(n, c, *winner)] += ȳ[n, c, r, q]
    return x̄


def avg_pool2d(
    x: np.ndarray,
    *,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """The mean under each window. Padding counts as zeros, or doesn't count; what lies beyond it never counts."""
    size = (x.shape[2], x.shape[3])
    of_pixel = windows(size, kernel_size, stride, padding, 1, ceil_mode)
    y = np.zeros(out_shape(x, of_pixel))
    for n, c, r, q in np.ndindex(y.shape):
        counted = inside(of_pixel[r, q], size, padding if count_include_pad else 0)
        for row, column in inside(of_pixel[r, q], size):
            y[n, c, r, q] += x[n, c, row, column] / (divisor_override or len(counted))
    return y


def avg_pool2d_backward(
    ȳ: np.ndarray, x: np.ndarray, *, kernel_size: Size, stride: Size | None = None, padding: Size = 0
) -> np.ndarray:
    """Every pixel under a window gets the same share of its cotangent, padding included (its share is lost)."""
    size = (x.shape[2], x.shape[3])
    of_pixel = windows(size, kernel_size, stride, padding)
    rows, columns = pair(kernel_size)
    x̄ = np.zeros(x.shape)
    for n, c, r, q in np.ndindex(ȳ.shape):
        for row, column in inside(of_pixel[r, q], size):
            x̄[n, c, row, column] += ȳ[n, c, r, q] / (rows * columns)
    return x̄


def adaptive_avg_pool2d(x: np.ndarray, *, output_size: tuple[int, int]) -> np.ndarray:
    """The mean of each of rows × columns areas, which reach to whole pixels."""
    (n_images, channels, height, width), (rows, columns) = x.shape, output_size
    y = np.empty((n_images, channels, rows, columns))
    for n, c, r, q in np.ndindex(y.shape):
        top, bottom = math.floor(r * height / rows), math.ceil((r + 1) * height / rows)
        left, right = math.floor(q * width / columns), math.ceil((q + 1) * width / columns)
        area = [x[n, c, i, j] for i in range(top, bottom) for j in range(left, right)]
        y[n, c, r, q] = sum(area) / len(area)
    return y


def global_avg_pool2d(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) → (N, C, 1, 1)."""
    return avg_pool2d(x, kernel_size=(x.shape[2], x.shape[3]))


def global_max_pool2d(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) → (N, C, 1, 1)."""
    return max_pool2d(x, kernel_size=(x.shape[2], x.shape[3]))
