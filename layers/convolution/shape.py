"""What a convolution is asked to do, and what an algorithm for it must be able to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ...core import Array
from ..windows import IntOrPair, Pair, integer, output_size, pair, require_images


@dataclass(frozen=True)
class ConvShape:
    """Sizes, settings, dtype and device of one convolution: all that the choice of an algorithm depends on."""

    images: int
    channels: int
    out_channels: int
    size: Pair  # of the input, (H, W)
    out: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    dtype: torch.dtype
    device: str

    @staticmethod
    def of(
        x: Array,
        w: Array,
        b: Array | None,
        stride: IntOrPair,
        padding: IntOrPair,
        dilation: IntOrPair,
        groups: int,
    ) -> ConvShape:
        """The shape of this convolution.

        Raises:
            ValueError: shapes, stride, padding, dilation or groups don't fit together.
        """
        require_images(x, "conv2d")
        if w.ndim != 4:
            raise ValueError(f"conv2d: weight of shape {tuple(w.shape)} must be (O, C / groups, rows, columns)")
        o, c_group = w.shape[:2]
        groups = integer("conv2d", "groups", groups)
        if o % groups:
            raise ValueError(f"conv2d: out_channels (={o}) must be divisible by groups (={groups})")
        if x.shape[1] != c_group * groups:
            raise ValueError(
                f"conv2d: input of shape {tuple(x.shape)} must have {c_group * groups} channels, as weight "
                f"{tuple(w.shape)} with groups (={groups}) expects"
            )
        if min(w.shape[2:]) < 1:
            raise ValueError(f"conv2d: weight of shape {tuple(w.shape)} must have a kernel of at least one tap")
        if b is not None and b.shape != (o,):
            raise ValueError(f"conv2d: bias of shape {tuple(b.shape)} must be ({o},)")
        size, kernel = (x.shape[2], x.shape[3]), (w.shape[2], w.shape[3])
        strides, paddings = pair(stride, "stride", 1), pair(padding, "padding", 0)
        dilations = pair(dilation, "dilation", 1)
        out = output_size(size, kernel, strides, paddings, dilations)
        n, c = x.shape[:2]
        return ConvShape(n, c, o, size, out, kernel, strides, paddings, dilations, groups, x.dtype, str(x.device))

    def __str__(self) -> str:
        kernel, size = (f"{rows}×{columns}" for rows, columns in (self.kernel, self.size))
        extra = [f"stride {self.stride}"] if self.stride != (1, 1) else []
        extra += [f"padding {self.padding}"] if self.padding != (0, 0) else []
        extra += [f"dilation {self.dilation}"] if self.dilation != (1, 1) else []
        extra += [f"groups {self.groups}"] if self.groups > 1 else []
        extra += [f"{self.dtype}".removeprefix("torch.")] if self.dtype != torch.float32 else []
        return ", ".join([f"{kernel}, {self.channels}→{self.out_channels} at {size}, ×{self.images}", *extra])

    @property
    def plain(self) -> bool:
        """Without stride, dilation and groups."""
        return (self.stride, self.dilation, self.groups) == ((1, 1), (1, 1), 1)

    def adjoint(self) -> ConvShape:
        """The convolution of ȳ that gives x̄ where there is no stride: by the kernel turned by half a turn, with its two
        channel axes exchanged. Its padding, d (k − 1) − p, is negative where p is larger than the kernel reaches."""
        rows, columns = (d * (k - 1) - p for d, k, p in zip(self.dilation, self.kernel, self.padding, strict=True))
        return replace(
            self,
            channels=self.out_channels,
            out_channels=self.channels,
            size=self.out,
            out=self.size,
            padding=(rows, columns),
        )


@dataclass(frozen=True)
class Algorithm:
    """One way to convolve. All of them give the same, up to rounding.

    Attributes:
        name: what the planner's table calls it.
        suits: whether it can do a convolution of this shape.
        forward: (x, w, b, shape) → y, for x (N, C, H, W), w (O, C / groups, *kernel), b (O,) or None, y (N, O, *out).
        input_gradient: (ȳ, w, shape) → x̄, the adjoint in x.
        weight_gradient: (x, ȳ, shape) → w̄, the adjoint in w.
    """

    name: str
    suits: Callable[[ConvShape], bool]
    forward: Callable[[Array, Array, Array | None, ConvShape], Array]
    input_gradient: Callable[[Array, Array, ConvShape], Array]
    weight_gradient: Callable[[Array, Array, ConvShape], Array]
