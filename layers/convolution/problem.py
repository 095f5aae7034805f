"""What a convolution is asked to do: everything that the choice of an algorithm depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from ...core import Array
from ..windows import IntOrPair, Pair, integer, output_size, pair, require_images


@dataclass(frozen=True)
class Problem:
    """Sizes, settings, dtype and device of one convolution.

    The algorithms take images with their channels last, x (N, H, W, C) and ȳ (N, H', W', O), and weights
    w (O, C / groups, rows, columns).
    """

    images: int
    channels: int
    out_channels: int
    size: Pair  # of the input, (H, W)
    out: Pair  # of the output, (H', W')
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
    ) -> Problem:
        """The problem that these arguments of `conv2d` pose, with x as the layer gets it: (N, C, H, W).

        Raises:
            ValueError: shapes, stride, padding, dilation or groups do not fit together.
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
        return Problem(n, c, o, size, out, kernel, strides, paddings, dilations, groups, x.dtype, str(x.device))

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

    @property
    def pointwise(self) -> bool:
        """With a kernel of one tap and no padding: each output sees one pixel."""
        return (self.kernel, self.padding) == ((1, 1), (0, 0))

    @property
    def pixels(self) -> int:
        """Pixels of the output, in all images."""
        return self.images * math.prod(self.out)

    @property
    def taps(self) -> int:
        """Weights of the kernel for each pair of an input and an output channel."""
        return math.prod(self.kernel)

    def seen(self, rows: slice) -> tuple[slice, slice]:
        """The rows and columns of an image that these rows of outputs see; some of them may lie outside."""
        outputs = (rows, slice(0, self.out[1]))
        settings = zip(outputs, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        down, across = (
            slice(s * these.start - p, s * (these.stop - 1) + d * (k - 1) + 1 - p) for these, k, s, p, d in settings
        )
        return down, across

    def adjoint(self) -> Problem:
        """The convolution of ȳ that gives x̄ where there is no stride, with the weights `rotated`.

        Its padding, d (k − 1) − p, is negative where p is larger than the kernel reaches.
        """
        rows, columns = (d * (k - 1) - p for d, k, p in zip(self.dilation, self.kernel, self.padding, strict=True))
        return replace(
            self,
            channels=self.out_channels,
            out_channels=self.channels,
            size=self.out,
            out=self.size,
            padding=(rows, columns),
        )


def rotated(w: Array) -> Array:
    """The weights of `Problem.adjoint`: the kernel rotated by half a turn, (C, O, rows, columns)."""
    return w.flip(2, 3).transpose(0, 1)
