"""Gated convolution: the network learns where to trust its own features."""

from __future__ import annotations

from ..core import Array, Module, Tensor
from .activation import glu
from .conv import Conv2d
from .windows import IntOrPair, require_array


class GatedConv2d(Module):
    """a · σ(g), where one convolution gives the features a and the gates g (N, out_channels, H', W') each.

    A plain convolution treats missing pixels like black ones; a gate can close where the hole is.
    Arguments are `Conv2d`'s. Source: Yu et al., *Free-form image inpainting with gated convolution* (2019), eq. 3,
    with the identity as the activation of the features.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
    ) -> None:
        self.conv = Conv2d(in_channels, 2 * out_channels, kernel_size, stride, padding, dilation)

    def forward(self, x: Array | Tensor) -> Tensor:
        require_array(x, "GatedConv2d")
        if x.ndim == 3:  # a single image, whose channels aren't the axis that glu halves
            return self.forward(x.unsqueeze(0)).squeeze(0)
        return glu(self.conv(x), dim=-3)
