"""Two-dimensional convolution, tap by tap.

A convolution slides a kernel over an image. Read the other way round: each *tap* (i, j) of the kernel takes the
whole image, shifted by (i, j), through one small matrix, and the taps' results are added up,

    y[n, :, r, c] = Σ over (i, j) of  w[:, :, i, j] · x[n, :, r + i, c + j].

With the pixels as the rows of a matrix X (a pixel's channels side by side), shifting the image by (i, j) is the same
as starting i · W + j rows further down, so a tap is one matrix product on a slice of X, without any copy:

    Y  +=  X[offset : offset + L] · W[i, j]            forward
    X̄[offset : offset + L]  +=  Ȳ · W[i, j]ᵀ          its adjoint in x
    W̄[i, j]  =  X[offset : offset + L]ᵀ · Ȳ           its adjoint in w

At the end of each image row the slice runs on into the next row, where the windows don't exist: those rows of Y are
computed and not used, and in Ȳ they are 0. A stride s first sorts the pixels into s · s planes of every s-th pixel;
within a plane a tap is a shift again. Groups are a batch of smaller products.

Source: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning* (2016). Like every deep-learning
framework this computes what mathematics calls a cross-correlation: the kernel is not flipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..core import Array, Module, Parameter, Pullback, Tensor, init, primitive
from .windows import IntOrPair, Pair, integer, output_size, pair, require_images


@dataclass(frozen=True)
class _Grid:
    """How the pixels of a padded input lie as rows: `phases` planes of N · plane[0] · plane[1] rows each."""

    images: int
    size: Pair  # of the input, (H, W)
    out: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    @property
    def plane(self) -> Pair:
        """Rows and columns of one plane: the padded input, every stride-th pixel."""
        (h, w), (ph, pw), (sh, sw) = self.size, self.padding, self.stride
        return math.ceil((h + 2 * ph) / sh), math.ceil((w + 2 * pw) / sw)

    @property
    def length(self) -> int:
        """How many rows of Y are computed: up to the last output pixel of the last image.

        Without images it isn't above 0, and no rows are there to take a part of.
        """
        rows, columns = self.plane
        return (self.images - 1) * rows * columns + (self.out[0] - 1) * columns + self.out[1]

    @property
    def rows(self) -> int:
        """How many rows one plane of all images has."""
        return self.images * self.plane[0] * self.plane[1]

    def taps(self) -> list[tuple[int, int, int, slice]]:
        """(i, j, phase, rows) of every tap: in which plane it finds its pixels, and in which rows of it."""
        found = []
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                down, phase_row = divmod(i * self.dilation[0], self.stride[0])
                right, phase_column = divmod(j * self.dilation[1], self.stride[1])
                offset = down * self.plane[1] + right
                phase = phase_row * self.stride[1] + phase_column
                found.append((i, j, phase, slice(offset, offset + self.length)))
        return found

    def to_rows(self, x: Array) -> Array:
        """(N, C, H, W) → (phases, groups, rows, C / groups), zero-padded."""
        n, c = x.shape[:2]
        (h, w), (ph, pw), (sh, sw), (rows, columns) = self.size, self.padding, self.stride, self.plane
        pixels = x.permute(0, 2, 3, 1)
        if (rows * sh, columns * sw) != (h, w):
            padded = x.new_zeros(n, rows * sh, columns * sw, c)
            padded[:, ph : ph + h, pw : pw + w] = pixels
            pixels = padded
        sorted_ = pixels.reshape(n, rows, sh, columns, sw, self.groups, c // self.groups)
        return sorted_.permute(2, 4, 5, 0, 1, 3, 6).reshape(sh * sw, self.groups, self.rows, c // self.groups)

    def from_rows(self, x_rows: Array) -> Array:
        """The adjoint of `to_rows`."""
        (h, w), (ph, pw), (sh, sw), (rows, columns) = self.size, self.padding, self.stride, self.plane
        c_group = x_rows.shape[3]
        sorted_ = x_rows.reshape(sh, sw, self.groups, self.images, rows, columns, c_group)
        pixels = sorted_.permute(3, 4, 0, 5, 1, 2, 6).reshape(
            self.images, rows * sh, columns * sw, self.groups * c_group
        )
        return pixels[:, ph : ph + h, pw : pw + w].permute(0, 3, 1, 2)

    def output_from_rows(self, y_rows: Array) -> Array:
        """(groups, rows, O / groups) → (N, O, *out): a view where there is one group."""
        y = y_rows.permute(1, 0, 2).reshape(self.images, *self.plane, self.groups * y_rows.shape[2])
        return y[:, : self.out[0], : self.out[1]].permute(0, 3, 1, 2)

    def output_to_rows(self, ȳ: Array) -> Array:
        """The adjoint of `output_from_rows`: zeros stand in the rows where no window exists."""
        n, o = ȳ.shape[:2]
        padded = ȳ.new_zeros(n, *self.plane, o)
        padded[:, : self.out[0], : self.out[1]] = ȳ.permute(0, 2, 3, 1)
        return padded.reshape(self.rows, self.groups, o // self.groups).permute(1, 0, 2)[:, : self.length]


@primitive
def conv2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> tuple[Array, Pullback]:
    """Convolve x (N, C, H, W) with w (O, C / groups, kernel rows, kernel columns) and add b (O,).

    Returns (N, O, H', W') with H' = ⌊(H + 2 padding − dilation (rows − 1) − 1) / stride⌋ + 1. Beside x itself it
    needs one padded copy of x, kept for the pullback, and one array of the size of y.

    Raises:
        ValueError: shapes, stride, padding, dilation or groups don't fit together.
    """
    grid = _grid(x, w, b, stride, padding, dilation, groups)
    groups = grid.groups
    o, c_group = w.shape[:2]
    # (kernel rows, kernel columns, groups, C / groups, O / groups): each tap's matrices, ready to multiply.
    w_taps = w.reshape(groups, o // groups, c_group, *grid.kernel).permute(3, 4, 0, 2, 1).contiguous()
    x_rows = grid.to_rows(x)
    y_rows = x.new_empty(groups, x_rows.shape[2], o // groups)
    used = y_rows[:, : grid.length]
    for number, (i, j, phase, rows) in enumerate(grid.taps()):
        _accumulate(used, x_rows[phase][:, rows], w_taps[i, j], first=number == 0)
    y = grid.output_from_rows(y_rows)
    w_shape = w.shape
    if b is not None:
        y = y + b[:, None, None]

    def conv2d_pullback(ȳ: Array):
        ȳ_rows = grid.output_to_rows(ȳ)

        def x̄() -> Array:
            x̄_rows = torch.zeros_like(x_rows)
            for i, j, phase, rows in grid.taps():
                _accumulate(x̄_rows[phase][:, rows], ȳ_rows, w_taps[i, j].mT)
            return grid.from_rows(x̄_rows)

        def w̄() -> Array:
            w̄_taps = torch.empty_like(w_taps)
            for i, j, phase, rows in grid.taps():
                torch.bmm(x_rows[phase][:, rows].mT, ȳ_rows, out=w̄_taps[i, j])
            return w̄_taps.permute(2, 4, 3, 0, 1).reshape(w_shape)

        return x̄, w̄, (lambda: ȳ.sum(dim=(0, 2, 3)))

    return y, conv2d_pullback


def _accumulate(total: Array, a: Array, b: Array, *, first: bool = False) -> None:
    """total += a · b for batches of matrices (``=`` if it is the first), in place."""
    if len(total) == 1:  # one group: the plain product, which has less overhead than a batch of one
        total, a, b = total[0], a[0], b[0]
        torch.mm(a, b, out=total) if first else total.addmm_(a, b)
    elif first:
        torch.bmm(a, b, out=total)
    else:
        total.baddbmm_(a, b)


def _grid(
    x: Array,
    w: Array,
    b: Array | None,
    stride: IntOrPair,
    padding: IntOrPair,
    dilation: IntOrPair,
    groups: int,
) -> _Grid:
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
    if b is not None and b.shape != (o,):
        raise ValueError(f"conv2d: bias of shape {tuple(b.shape)} must be ({o},)")
    size, kernel = (x.shape[2], x.shape[3]), (w.shape[2], w.shape[3])
    strides, paddings = pair(stride, "stride", 1), pair(padding, "padding", 0)
    dilations = pair(dilation, "dilation", 1)
    out = output_size(size, kernel, strides, paddings, dilations)
    return _Grid(x.shape[0], size, out, kernel, strides, paddings, dilations, groups)


class Conv2d(Module):
    """A convolution with trained weights: `weight` (O, C / groups, rows, columns) and `bias` (O,).

    Args:
        in_channels, out_channels: C and O; both divisible by `groups`.
        kernel_size, stride, padding, dilation: one number for both axes, or (rows, columns).
        groups: the input channels of each group feed the output channels of the same group only.
        bias: whether a number is added to each output channel.

    Weights start from the Kaiming normal distribution for ReLU (gain √2), the bias from 0.

    >>> Conv2d(3, 8, kernel_size=3, padding=1)(torch.ones(2, 3, 5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        in_channels = integer("Conv2d", "in_channels", in_channels)
        out_channels = integer("Conv2d", "out_channels", out_channels)
        groups = integer("Conv2d", "groups", groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"Conv2d: {name} (={channels}) must be divisible by groups (={groups})")
        kernel = pair(kernel_size, "kernel_size", 1)
        self.stride = pair(stride, "stride", 1)
        self.padding = pair(padding, "padding", 0)
        self.dilation = pair(dilation, "dilation", 1)
        self.groups = groups
        self.weight = Parameter(init.kaiming_normal((out_channels, in_channels // groups, *kernel)))
        self.bias = Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Array | Tensor) -> Tensor:
        return conv2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def extra_repr(self) -> str:
        o, c, *kernel = self.weight.shape
        return (
            f"{c * self.groups}, {o}, kernel_size={tuple(kernel)}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}"
        )
