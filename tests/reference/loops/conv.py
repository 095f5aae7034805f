"""Convolution and the linear layer in plain loops, forwards and backwards.

Read `conv2d` first: seven nested loops and one line of arithmetic. `conv2d_backward` has the same loops around the
transposed lines: whatever was multiplied by w and added to y sends its cotangent back through the same w.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .activation import sigmoid
from .windows import Size, output_size, pair


def connections(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], stride: Size, padding: Size, dilation: Size, groups: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Every (index in y, index in x, index in w) that a convolution multiplies; padded zeros are left out."""
    (n_images, _, height, width), (n_out, c_group, k_rows, k_columns) = x_shape, w_shape
    (s_row, s_column), (p_row, p_column), (d_row, d_column) = pair(stride), pair(padding), pair(dilation)
    out_rows = output_size(height, k_rows, s_row, p_row, d_row)
    out_columns = output_size(width, k_columns, s_column, p_column, d_column)
    for n, o, r, q in np.ndindex(n_images, n_out, out_rows, out_columns):
        group = o // (n_out // groups)
        for c, i, j in np.ndindex(c_group, k_rows, k_columns):
            row = r * s_row + i * d_row - p_row
            column = q * s_column + j * d_column - p_column
            if 0 <= row < height and 0 <= column < width:
                yield (n, o, r, q), (n, group * c_group + c, row, column), (o, c, i, j)


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> np.ndarray:
    """x (N, C, H, W), w (O, C / groups, rows, columns), b (O,) → (N, O, H', W')."""
    if isinstance(padding, str) or padding_mode != "zeros":
        x, padding = framed(x, w, padding, dilation, padding_mode), 0
    sizes = zip(x.shape[2:], w.shape[2:], pair(stride), pair(padding), pair(dilation), strict=True)
    y = np.zeros((x.shape[0], w.shape[0], *(output_size(*size) for size in sizes)))
    for at_y, at_x, at_w in connections(x.shape, w.shape, stride, padding, dilation, groups):
        y[at_y] += x[at_x] * w[at_w]
    if b is not None:
        for n, o, r, q in np.ndindex(y.shape):
            y[n, o, r, q] += b[o]
    return y


def framed(x: np.ndarray, w: np.ndarray, padding: Size | str, dilation: Size, mode: str) -> np.ndarray:
    """x with what lies around it; of "same" padding that is uneven the larger half comes below and on the right."""
    reach = [d * (k - 1) for d, k in zip(pair(dilation), w.shape[2:], strict=True)]
    if padding == "same":
        (top, bottom), (left, right) = ((n // 2, n - n // 2) for n in reach)
    else:
        top, left = bottom, right = (0, 0) if isinstance(padding, str) else pair(padding)
    (n_images, channels, height, width) = x.shape
    y = np.zeros((n_images, channels, top + height + bottom, left + width + right))
    for n, c, r, q in np.ndindex(y.shape):
        row, column = r - top, q - left
        if mode != "zeros":
            row, column = outside(row, height, mode), outside(column, width, mode)
        if 0 <= row < height and 0 <= column < width:
            y[n, c, r, q] = x[n, c, row, column]
    return y


def outside(position: int, size: int, mode: str) -> int:
    """Which pixel of an axis stands at a position that may lie outside of it."""
    if mode == "circular":
        return position % size
    if mode == "replicate":
        return min(max(position, 0), size - 1)
    return size - 1 - abs(size - 1 - abs(position))  # reflect


def conv2d_backward(
    ȳ: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    *,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cotangents (x̄, w̄, b̄) for the cotangent ȳ of `conv2d`'s result."""
    x̄, w̄, b̄ = np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[0])
    for at_y, at_x, at_w in connections(x.shape, w.shape, stride, padding, dilation, groups):
        x̄[at_x] += ȳ[at_y] * w[at_w]
        w̄[at_w] += ȳ[at_y] * x[at_x]
    for n, o, r, q in np.ndindex(ȳ.shape):
        b̄[o] += ȳ[n, o, r, q]
    return x̄, w̄, b̄


def gated_conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, **options: Size) -> np.ndarray:
    """Features times gates: the first half of the convolution's channels times σ of the second half."""
    both = conv2d(x, w, b, **options)  # type: ignore[arg-type]
    half = both.shape[1] // 2
    y = np.empty((both.shape[0], half, *both.shape[2:]))
    for n, c, r, q in np.ndindex(y.shape):
        y[n, c, r, q] = both[n, c, r, q] * sigmoid(both[n, half + c, r, q])
    return y


def linear(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """x (…, in), w (out, in), b (out,) → (…, out)."""
    y = np.zeros((*x.shape[:-1], w.shape[0]))
    for *row, o in np.ndindex(y.shape):
        for i in range(w.shape[1]):
            y[(*row, o)] += x[(*row, i)] * w[o, i]
        if b is not None:
            y[(*row, o)] += b[o]
    return y


def linear_backward(ȳ: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cotangents (x̄, w̄, b̄): each product x w of the sum sends ȳ w to its x and ȳ x to its w."""
    x̄, w̄, b̄ = np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[0])
    for *row, o in np.ndindex(ȳ.shape):
        for i in range(w.shape[1]):
            x̄[(*row, i)] += ȳ[(*row, o)] * w[o, i]
            w̄[o, i] += ȳ[(*row, o)] * x[(*row, i)]
        b̄[o] += ȳ[(*row, o)]
    return x̄, w̄, b̄
