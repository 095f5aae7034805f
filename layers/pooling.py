"""Pooling: the largest or the mean value under a sliding window.

Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), §9.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from ..core import Array, Module, Pullback, Tensor, primitive
from ..core.ops.half import rounded_once
from ..core.ops.masking import moved
from .windows import IntOrPair, Pair, integer, output_size, pair, require_images, single_images, taps


class _Windows(NamedTuple):
    """Where the windows lie: checked settings and what follows from them."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    out: Pair  # how many windows down and across


def _windows(
    x: Array,
    op: str,
    kernel_size: IntOrPair,
    stride: IntOrPair | None,
    padding: IntOrPair,
    dilation: IntOrPair,
    ceil_mode: bool,
) -> _Windows:
    require_images(x, op)
    kernel, dilations = pair(kernel_size, "kernel_size", 1), pair(dilation, "dilation", 1)
    strides = kernel if stride is None else pair(stride, "stride", 1)
    paddings = pair(padding, "padding", 0)
    if any(2 * p > d * (k - 1) + 1 for p, k, d in zip(paddings, kernel, dilations, strict=True)):
        raise ValueError(
            f"{op}: padding (={paddings}) must be at most half of kernel_size (={kernel})"
            + (f" with dilation (={dilations})" if dilations != (1, 1) else "")
        )
    out = output_size((x.shape[2], x.shape[3]), kernel, strides, paddings, dilations, ceil_mode)
    return _Windows(kernel, strides, paddings, dilations, out)


def _padded(x: Array, windows: _Windows, fill: float) -> tuple[Array, tuple[Any, ...]]:
    """x with `fill` around it as far as windows reach, and the index of x inside."""
    (top, left), (h, w) = windows.padding, x.shape[2:]
    reach = [
        s * (out - 1) + d * (k - 1) + 1
        for k, s, d, out in zip(windows.kernel, windows.stride, windows.dilation, windows.out, strict=True)
    ]
    height, width = max(top + h, reach[0]), max(left + w, reach[1])
    inside = (..., slice(top, top + h), slice(left, left + w))
    if (height, width) == (h, w):
        return x, inside
    n, c = x.shape[:2]
    padded = x.new_full((n, height, width, c), fill).permute(0, 3, 1, 2)
    padded[inside] = x
    return padded, inside


@primitive
@single_images
def max_pool2d(
    x: Array,
    *,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Pullback]:
    """The largest value of x (N, C, H, W) or (C, H, W) under each window; that element alone receives the window's ȳ.

    Of several that tie, the first in reading order counts, as in torch. The stride is the kernel size unless given;
    padding never wins. The elements under a window are `dilation` apart, and with `ceil_mode` the last windows may
    reach beyond the padding. A NaN wins over everything; of several the last counts, as in torch.

    Raises:
        ValueError: the window is larger than the padded input, or the padding more than half the window.
    """
    windows = _windows(x, "max_pool2d", kernel_size, stride, padding, dilation, ceil_mode)
    under_taps = taps(windows.kernel, windows.stride, windows.out, windows.dilation)
    padded, _ = _padded(x, windows, -torch.inf)
    y = padded[under_taps[0]].clone()
    for under_tap in under_taps[1:]:
        torch.maximum(y, padded[under_tap], out=y)

    def max_pool2d_pullback(ȳ: Array):
        padded, inside = _padded(x, windows, torch.nan)  # NaN equals nothing: where all is −∞, the padding would win
        x̄, left, taken = torch.zeros_like(padded), ȳ.clone(), torch.empty_like(y)
        for under_tap in under_taps:  # the first input that equals y takes all of ȳ, and nothing is left for the next
            taken = moved(left, torch.eq(padded[under_tap], y, out=taken))
            x̄[under_tap] += taken
        if left.device.type != "cpu" or left.any():  # a NaN doesn't equal itself; a GPU isn't waited for
            padded, _ = _padded(x, windows, fill=-torch.inf)
            for under_tap in reversed(under_taps):
                seen = padded[under_tap]
                x̄[under_tap] += moved(left, torch.ne(seen, seen, out=taken))
        return x̄[inside]

    return y, max_pool2d_pullback


@primitive
@single_images
@rounded_once
def avg_pool2d(
    x: Array,
    *,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> tuple[Array, Pullback]:
    """The mean of x (N, C, H, W) or (C, H, W) under each window of n elements; each receives ȳ / n.

    The stride is the kernel size unless given, and with `ceil_mode` the last windows may reach beyond the padding. The
    padding's zeros are counted in n unless ``count_include_pad=False``, what lies beyond it never is; or n is
    `divisor_override`.

    Raises:
        ValueError: the window is larger than the padded input, the padding more than half the window, or
            divisor_override isn't a whole number above 0.
    """
    windows = _windows(x, "avg_pool2d", kernel_size, stride, padding, 1, ceil_mode)
    padded, inside = _padded(x, windows, 0.0)
    under_taps = taps(windows.kernel, windows.stride, windows.out)
    y = padded[under_taps[0]].clone()
    for under_tap in under_taps[1:]:
        y += padded[under_tap]
    if divisor_override is None:
        n: Any = _counts(windows, (x.shape[2], x.shape[3]), count_include_pad, x.device).to(x.dtype)
    else:
        n = integer("avg_pool2d", "divisor_override", divisor_override)
    like_padded = torch.empty_like(padded, device="meta")  # its shape and layout without its memory

    def avg_pool2d_pullback(ȳ: Array):
        x̄, share = torch.zeros_like(like_padded, device=ȳ.device), ȳ / n
        for under_tap in under_taps:
            x̄[under_tap] += share
        return x̄[inside]

    return y.div_(n), avg_pool2d_pullback


def _counts(windows: _Windows, size: Pair, count_include_pad: bool, device: torch.device) -> Array:
    """How many elements each window has, (rows of windows, columns of windows)."""
    lengths = []
    for n, k, s, p, out in zip(size, windows.kernel, windows.stride, windows.padding, windows.out, strict=True):
        first, last = (-p, n + p) if count_include_pad else (0, n)
        starts = torch.arange(out, device=device) * s - p
        lengths.append((starts + k).clamp_max(last) - starts.clamp_min(first))
    rows, columns = lengths
    return rows[:, None] * columns


class MaxPool2d(Module):
    """The largest value under each window, of several that tie the first; see `max_pool2d`."""

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride = self.kernel_size if stride is None else pair(stride, "stride", 1)
        self.padding = pair(padding, "padding", 0)
        self.dilation = pair(dilation, "dilation", 1)
        self.ceil_mode = ceil_mode

    def forward(self, x: Array | Tensor) -> Tensor:
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean value under each window; see `avg_pool2d`."""

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride = self.kernel_size if stride is None else pair(stride, "stride", 1)
        self.padding = pair(padding, "padding", 0)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Array | Tensor) -> Tensor:
        return avg_pool2d(
            x,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            divisor_override=self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
