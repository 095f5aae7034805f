"""Paths around layers: added back (residual), joined beside (skip connection), and the residual block of ResNet."""

from __future__ import annotations

from ..core import Array, Module, Tensor, concatenate
from .activation import relu
from .conv import Conv2d
from .norm import BatchNorm2d


class Residual(Module):
    """x + body(x): the body learns what to change, and gradients have a way past it.

    Source: He et al., *Deep residual learning for image recognition* (2016), eq. 1.
    """

    def __init__(self, body: Module) -> None:
        self.body = body

    def forward(self, x: Array | Tensor) -> Tensor:
        return x + self.body(x)


class SkipConnection(Module):
    """(x, inner(x)) joined along the channels: the decoder gets the encoder's detail beside what lies deeper.

    `skip`, if given, works on the part that goes around (for example an attention).
    Source: Ronneberger, Fischer & Brox, *U-Net* (2015).
    """

    def __init__(self, inner: Module, skip: Module | None = None) -> None:
        self.inner = inner
        self.skip = skip

    def forward(self, x: Array | Tensor) -> Tensor:
        return concatenate(x if self.skip is None else self.skip(x), self.inner(x), dim=1)


class ResidualBlock(Module):
    """relu(x + bn(conv(relu(bn(conv(x)))))) with two 3×3 convolutions that keep channels and size.

    At 0 both ReLUs have slope 0, as in torch.

    Source: He et al., *Deep residual learning for image recognition* (2016), fig. 2.
    """

    def __init__(self, channels: int) -> None:
        self.conv1 = Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(channels)

    def forward(self, x: Array | Tensor) -> Tensor:
        inner = relu(self.bn1(self.conv1(x)))
        return relu(x + self.bn2(self.conv2(inner)))
