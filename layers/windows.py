"""What layers share: checked settings, axes and images, the output size of a sliding window, and its taps."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from numbers import Real
from typing import Any

from ..core import Array, Pullback, Tensor
from ..core.arrays import not_an_array

Pair = tuple[int, int]
IntOrPair = int | Pair


def integer(op: str, name: str, value: Any, least: int = 1) -> int:
    """An argument called `name` as a plain int; NumPy's integers are welcome, 3.0 is not one.

    Raises:
        ValueError: it isn't an integer of at least `least`; the message names `op`, `name` and the value.
    """
    number = _index(value)
    if number is None or number < least:
        raise ValueError(f"{op}: {name} (={value}) must be an integer of at least {least}")
    return number


def _index(value: Any) -> int | None:
    """A value that may count things, as an int; None for any other."""
    try:
        return operator.index(value)
    except TypeError:
        return None


def axis(op: str, name: str, value: Any, ndim: int) -> int:
    """An argument called `name` as an axis of an array with `ndim` axes, counted from the front; −1 is the last one.

    Raises:
        ValueError: it isn't an integer, or there is no such axis; the message names `op`, `name` and the value.
    """
    number, axes = _index(value), max(ndim, 1)  # a single number has an axis 0, as in torch
    if number is None or not -axes <= number < axes:
        raise ValueError(f"{op}: {name} (={value}) must be an axis of an array with {ndim} axes")
    return number % axes


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of `shape` can be repeated to one of the shape `to`."""
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(n in (1, size) for n, size in pairs)


def pair(value: IntOrPair, name: str, least: int) -> Pair:
    """(rows, columns) of a size given as one number or as two.

    Raises:
        ValueError: `value` isn't one or two integers of at least `least`; the message calls it `name`.
    """
    parts = value if isinstance(value, tuple | list) else (value, value)
    numbers = [n for part in parts if (n := _index(part)) is not None and n >= least]
    if len(parts) != 2 or len(numbers) != 2:
        raise ValueError(f"{name} (={value}) must be an integer, or two, of at least {least}")
    return numbers[0], numbers[1]


def positive(op: str, name: str, value: Any) -> float:
    """An argument called `name`, a number above 0.

    Raises:
        ValueError: it isn't one; the message names `op`, `name` and the value.
    """
    if not isinstance(value, Real) or not float(value) > 0:
        raise ValueError(f"{op}: {name} (={value}) must be a number above 0")
    return float(value)


def output_size(
    size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1), ceil_mode: bool = False
) -> Pair:
    """⌊(size + 2 · padding − dilation · (kernel − 1) − 1) / stride⌋ + 1 for rows and columns.

    With `ceil_mode` it is rounded up: a last window may reach beyond the padding, if it starts before its end.
    Source: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning* (2016), relationship 15.

    Raises:
        ValueError: the window is larger than the padded input.
    """

    def along(n: int, k: int, s: int, p: int, d: int) -> int:
        room = n + 2 * p - d * (k - 1) - 1
        if not ceil_mode:
            return room // s + 1
        count = -(-room // s) + 1
        return count - 1 if (count - 1) * s >= n + p else count

    out = tuple(along(*axis) for axis in zip(size, kernel, stride, padding, dilation, strict=True))
    if min(out) < 1:
        raise ValueError(
            f"kernel_size (={kernel}) with dilation (={dilation}) is larger than the input "
            f"(={tuple(size)}) with padding (={padding})"
        )
    return out[0], out[1]


def taps(kernel: Pair, stride: Pair, out: Pair, dilation: Pair = (1, 1)) -> list[Any]:
    """For each tap of a window, row by row, the index of the inputs that all windows have under that tap.

    ``x[index]`` of a padded (N, C, H, W) array is a strided view of shape (N, C, *out).
    """
    rows, columns = (
        [slice(d * i, d * i + s * (n - 1) + 1, s) for i in range(k)]
        for k, s, n, d in zip(kernel, stride, out, dilation, strict=True)
    )
    return [(..., row, column) for row in rows for column in columns]


def single_images(rule: Callable[..., tuple[Array, Pullback]]) -> Callable[..., tuple[Array, Pullback]]:
    """Let a rule for images (N, C, H, W) take a single one (C, H, W) too, as torch does: a batch of one."""

    @functools.wraps(rule)
    def rule_for_both(x: Array, *arguments: Any, **options: Any) -> tuple[Array, Pullback]:
        return _of_one_image(rule, x, *arguments, **options) if x.ndim == 3 else rule(x, *arguments, **options)

    return rule_for_both


def _of_one_image(
    rule: Callable[..., tuple[Array, Pullback]], x: Array, *arguments: Any, **options: Any
) -> tuple[Array, Pullback]:
    y, pullback = rule(x.unsqueeze(0), *arguments, **options)

    def one_image_pullback(ȳ: Array) -> Any:
        returned: Any = pullback(ȳ.unsqueeze(0))
        gradients = list(returned) if isinstance(returned, tuple) else [returned]
        x̄ = gradients[0]
        gradients[0] = lambda: (x̄() if callable(x̄) else x̄).squeeze(0)
        return gradients

    return y.squeeze(0), one_image_pullback


def require_array(x: Any, op: str) -> None:
    """Check that x is a floating-point Tensor or array: for layers that look at it before a primitive does.

    Raises:
        TypeError: it is not; the message says what to write.
    """
    if not isinstance(x, Array | Tensor):
        raise TypeError(f"{op}: input must be an array, {not_an_array(x)}")
    if not x.dtype.is_floating_point:
        raise TypeError(f"{op}: input is {x.dtype}, not floating point; pass input.to(torch.float32)")


def require_images(x: Any, op: str, channels: int | None = None) -> None:
    """Check that x is (N, C, H, W), and that it has `channels` channels if that is given.

    Raises:
        ValueError: it is not, or has not.
    """
    if x.ndim != 4:
        raise ValueError(f"{op}: input of shape {tuple(x.shape)} must be (N, C, H, W), or (C, H, W) for one image")
    if channels is not None and x.shape[1] != channels:
        raise ValueError(f"{op}: input of shape {tuple(x.shape)} must have {channels} channels")
