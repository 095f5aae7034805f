"""The residual block of ResNet."""

from __future__ import annotations

from ..core import Array, Module, Tensor
from .activation import relu
from .conv import Conv2d
from .norm import BatchNorm2d


class ResidualBlock(Module):
    """relu(x + bn(conv(relu(bn(conv(x)))))) with two 3×3 convolutions that keep channels and size.

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
