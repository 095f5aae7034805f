"""Two-dimensional convolution: a kernel slides over an image, and at each place the products are summed.

    y[n, o, r, c]  =  b[o]  +  Σ over c', i, j of  w[o, c', i, j] · x[n, c', r + i, c + j]

(with stride s, dilation d and padding p: x at s r + d i − p and s c + d j − p, and 0 where it has no pixel). In x and
in w this is linear, so the gradients are the adjoint maps: x̄ lays the kernel, weighted by ȳ, over every place that it
was taken from, and w̄ sums over all places the products of ȳ with what the kernel saw there:

    x̄[n, c', r + i, c + j]  +=  w[o, c', i, j] · ȳ[n, o, r, c]
    w̄[o, c', i, j]          +=  x[n, c', r + i, c + j] · ȳ[n, o, r, c]
    b̄[o]                    +=  ȳ[n, o, r, c].

Read first: the same in plain loops, tests/reference/loops/conv.py. Then `convolution/taps.py`, the definition as a loop
over the kernel, forwards and backwards. The other files of `layers/convolution/` compute the same sums faster, each
with its derivation, and `choose.py` takes the one that should be the fastest for the sizes at hand. Inside, images have
their channels last in memory.

Source: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning* (2016). Like every deep-learning
framework this computes what mathematics calls a cross-correlation: the kernel is not flipped.
"""

from __future__ import annotations

import torch

from ..core import Array, Module, Parameter, Pullback, Tensor, getitem, init, pad, primitive
from .convolution import Problem, choose
from .windows import IntOrPair, integer, pair, require_array, require_images, single_images

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


@primitive
@single_images
def conv2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair | str = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> tuple[Array, Pullback]:
    """Convolve x (N, C, H, W) or (C, H, W) with w (O, C / groups, kernel rows, kernel columns) and add b (O,).

    Returns (N, O, H', W') with H' = ⌊(H + 2 padding − dilation (rows − 1) − 1) / stride⌋ + 1. ``padding="valid"`` is
    none, and ``padding="same"`` as much as keeps the size, the larger half of an odd number below and on the right.
    The pullback keeps x and w, nothing else.

    A pixel that is NaN or infinite makes the outputs that see it so, and no others. Padding is zeros that are
    multiplied: a weight or a cotangent that isn't finite makes NaN at the edge, too, where torch leaves padding out.

    Raises:
        ValueError: shapes, stride, padding, dilation or groups don't fit together.
    """
    padding, below, right = _padding(w, stride, padding, dilation)
    inside = (slice(None), *(slice(n) for n in x.shape[-2:]))
    if below or right:
        x, _ = pad.rule(x, pad=(0, right, 0, below))
    problem = Problem.of(x, w, b, stride, padding, dilation, groups)
    plan = choose(problem)
    x = _channels_last(x)

    def conv2d_pullback(ȳ: Array):
        ȳ = _channels_last(ȳ)
        return (
            lambda: _channels_first(plan.input_gradient(ȳ, w, problem)[inside]),
            lambda: plan.weight_gradient(x, ȳ, problem),
            lambda: ȳ.sum(dim=(0, 1, 2)),
        )

    return _channels_first(plan.forward(x, w, b, problem)), conv2d_pullback


def _padding(w: Array, stride: IntOrPair, padding: IntOrPair | str, dilation: IntOrPair) -> tuple[IntOrPair, int, int]:
    """`padding` in numbers, and how many more rows below and columns on the right there are."""
    if padding == "valid":
        return 0, 0, 0
    if isinstance(padding, str) and padding != "same":
        raise ValueError(f"conv2d: padding (={padding!r}) must be a number, two, 'same' or 'valid'")
    if not isinstance(padding, str):
        return padding, 0, 0
    if pair(stride, "stride", 1) != (1, 1):
        raise ValueError(f"conv2d: padding='same' goes with a stride of 1 only, not with stride (={stride})")
    rows, columns = (d * (k - 1) for d, k in zip(pair(dilation, "dilation", 1), w.shape[-2:], strict=True))
    return (rows // 2, columns // 2), rows % 2, columns % 2


def _positions(size: int, before: int, after: int, mode: str, device: torch.device) -> Array:
    """Along an axis of so many pixels, the ones that stand `before` it, on it and `after` it by this padding mode."""
    if max(before, after) > (size - 1 if mode == "reflect" else size) and mode != "replicate":
        raise ValueError(f"Conv2d: padding (={max(before, after)}) is too much for {size} pixels with {mode!r}")
    positions = torch.arange(-before, size + after, device=device)
    if mode == "circular":
        return positions % size
    return positions.clamp(0, size - 1) if mode == "replicate" else size - 1 - (size - 1 - positions.abs()).abs()


def _channels_last(images: Array) -> Array:
    """(N, C, H, W) → (N, H, W, C): a view, and contiguous if the layer before was one of ours."""
    return images.permute(0, 2, 3, 1)


def _channels_first(images: Array) -> Array:
    """(N, H, W, C) → (N, C, H, W): a view."""
    return images.permute(0, 3, 1, 2)


class Conv2d(Module):
    """A convolution with trained weights: `weight` (O, C / groups, rows, columns) and `bias` (O,).

    Args:
        in_channels, out_channels: C and O; both divisible by `groups`.
        kernel_size, stride, padding, dilation: one number for both axes, or (rows, columns); `padding` may be "valid"
            (none) or "same" (as much as keeps the size).
        groups: the input channels of each group feed the output channels of the same group only.
        bias: whether a number is added to each output channel.
        padding_mode: what lies outside: "zeros", the "reflect"-ed pixels (without the edge), the edge's own
            ("replicate"), or those of the other side ("circular").

    Weights start from the Kaiming normal distribution for ReLU (gain √2), the bias from 0.

    >>> Conv2d(3, 8, kernel_size=3, padding=1)(torch.ones(2, 3, 5, 7)).shape
    torch.Size([2, 8, 5, 7])

    Raises:
        ValueError: a size isn't a whole number in its range, or the groups don't divide the channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair | str = 0,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        in_channels = integer("Conv2d", "in_channels", in_channels)
        out_channels = integer("Conv2d", "out_channels", out_channels)
        groups = integer("Conv2d", "groups", groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"Conv2d: {name} (={channels}) must be divisible by groups (={groups})")
        kernel = pair(kernel_size, "kernel_size", 1)
        self.stride = pair(stride, "stride", 1)
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"Conv2d: padding_mode (={padding_mode!r}) must be one of {', '.join(PADDING_MODES)}")
        self.padding = padding if isinstance(padding, str) else pair(padding, "padding", 0)
        self.padding_mode = padding_mode
        self.dilation = pair(dilation, "dilation", 1)
        self.groups = groups
        self.weight = Parameter(init.kaiming_normal((out_channels, in_channels // groups, *kernel)))
        self.bias = Parameter(torch.zeros(out_channels)) if bias else None

        _padding(self.weight.data, self.stride, self.padding, self.dilation)

    def forward(self, x: Array | Tensor) -> Tensor:
        padding: IntOrPair | str = self.padding
        if self.padding_mode != "zeros":
            require_array(x, "Conv2d")
            x, padding = self._framed(x), 0
        return conv2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def _framed(self, x: Array | Tensor) -> Tensor:
        """x with pixels of its own around it."""
        if x.ndim not in (3, 4):
            require_images(x, "Conv2d")
        padding, *further = _padding(self.weight.data, self.stride, self.padding, self.dilation)
        rows, columns = (
            _positions(size, before, before + more, self.padding_mode, x.device)
            for size, before, more in zip(x.shape[-2:], pair(padding, "padding", 0), further, strict=True)
        )
        return getitem(x, index=(..., rows[:, None], columns))

    def extra_repr(self) -> str:
        o, c, *kernel = self.weight.shape
        return (
            f"{c * self.groups}, {o}, kernel_size={tuple(kernel)}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}"
            + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")
        )
