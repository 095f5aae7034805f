"""Pooling: the largest or the mean value under a sliding window, or over the whole image.

Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), §9.3.
"""

from __future__ import annotations

from typing import Any

import torch

from ..core import Array, Module, Pullback, Tensor, amax, mean, primitive
from .windows import IntOrPair, Pair, output_size, pair, require_images, taps


def _padded(x: Array, padding: Pair, fill: float) -> tuple[Array, tuple[Any, ...]]:
    """x with `fill` around it, and the index of x inside."""
    (ph, pw), (h, w) = padding, x.shape[2:]
    inside = (..., slice(ph, ph + h), slice(pw, pw + w))
    if padding == (0, 0):
        return x, inside
    n, c = x.shape[:2]
    padded = x.new_full((n, h + 2 * ph, w + 2 * pw, c), fill).permute(0, 3, 1, 2)
    padded[inside] = x
    return padded, inside


def _geometry(
    x: Array, op: str, kernel_size: IntOrPair, stride: IntOrPair | None, padding: IntOrPair
) -> tuple[Pair, Pair, Pair, Pair]:
    """(kernel, stride, padding, output size), checked."""
    require_images(x, op)
    kernel = pair(kernel_size, "kernel_size", 1)
    strides = kernel if stride is None else pair(stride, "stride", 1)
    paddings = pair(padding, "padding", 0)
    if any(2 * p > k for p, k in zip(paddings, kernel, strict=True)):
        raise ValueError(f"{op}: padding (={paddings}) must be at most half of kernel_size (={kernel})")
    return kernel, strides, paddings, output_size((x.shape[2], x.shape[3]), kernel, strides, paddings)


@primitive
def max_pool2d(
    x: Array, *, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0
) -> tuple[Array, Pullback]:
    """The largest value of x (N, C, H, W) under each window; that element alone receives the window's ȳ.

    Of several that tie, the first in reading order counts, as in torch. The stride is the kernel size unless given;
    padding never wins. A NaN shows, as in torch, but a window that has one passes no gradient on.

    Raises:
        ValueError: the window is larger than the padded input, or the padding more than half the window.
    """
    kernel, strides, paddings, out = _geometry(x, "max_pool2d", kernel_size, stride, padding)
    windows = taps(kernel, strides, out)
    padded, _ = _padded(x, paddings, -torch.inf)
    y = padded[windows[0]].clone()
    for under_tap in windows[1:]:
        torch.maximum(y, padded[under_tap], out=y)

    def max_pool2d_pullback(ȳ: Array):
        padded, inside = _padded(x, paddings, torch.nan)  # NaN equals nothing: where all is −∞, the padding would win
        x̄, left, taken = torch.zeros_like(padded), ȳ.clone(), torch.empty_like(y)
        for under_tap in windows:  # the first input that equals y takes all of ȳ, and nothing is left for the next
            torch.eq(padded[under_tap], y, out=taken).mul_(left)
            left -= taken
            x̄[under_tap] += taken
        return x̄[inside]

    return y, max_pool2d_pullback


@primitive
def avg_pool2d(
    x: Array, *, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0
) -> tuple[Array, Pullback]:
    """The mean of x (N, C, H, W) under each window of n elements, padded zeros included; each receives ȳ / n.

    The stride is the kernel size unless given.

    Raises:
        ValueError: the window is larger than the padded input, or the padding more than half the window.
    """
    kernel, strides, paddings, out = _geometry(x, "avg_pool2d", kernel_size, stride, padding)
    padded, inside = _padded(x, paddings, 0.0)
    windows = taps(kernel, strides, out)
    y = padded[windows[0]].clone()
    for under_tap in windows[1:]:
        y += padded[under_tap]
    like_padded = torch.empty_like(padded, device="meta")  # its shape and layout without its memory

    def avg_pool2d_pullback(ȳ: Array):
        x̄, share = torch.zeros_like(like_padded, device=ȳ.device), ȳ / len(windows)
        for under_tap in windows:
            x̄[under_tap] += share
        return x̄[inside]

    return y.div_(len(windows)), avg_pool2d_pullback


class _Pool2d(Module):
    """What both window poolings share: the window's settings."""

    def __init__(self, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0) -> None:
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride = self.kernel_size if stride is None else pair(stride, "stride", 1)
        self.padding = pair(padding, "padding", 0)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest value under each window, of several that tie the first; see `max_pool2d`."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return max_pool2d(x, kernel_size=self.kernel_size, stride=self.stride, padding=self.padding)


class AvgPool2d(_Pool2d):
    """The mean value under each window; see `avg_pool2d`."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return avg_pool2d(x, kernel_size=self.kernel_size, stride=self.stride, padding=self.padding)


class GlobalAvgPool2d(Module):
    """(N, C, H, W) → (N, C, 1, 1): the mean over all pixels."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return mean(x, dim=(2, 3), keepdim=True)


class GlobalMaxPool2d(Module):
    """(N, C, H, W) → (N, C, 1, 1): the largest value over all pixels; several that tie share its gradient evenly.

    So do ties under torch's `amax`; its `AdaptiveMaxPool2d(1)`, of the same value, gives everything to the first.
    """

    def forward(self, x: Array | Tensor) -> Tensor:
        return amax(x, dim=(2, 3), keepdim=True)
