"""The attention network as the report drew it: from the masked photo straight to the finished one.

Three 4×4 convolutions with stride 2 and batch norm (64, 128, 256 channels), three residual blocks, a decoder of pixel
shuffles with attended skip connections at 1/4 and 1/2 of the resolution, a refinement at full resolution, a sigmoid.
It is told nothing of where the hole is, which is black, and starts from noise, not from a fill.
"""

from __future__ import annotations

import torch

from ..core import Array, Module, Tensor, cast, concatenate
from ..layers import CBAM, BatchNorm2d, Conv2d, PixelShuffle, ReLU, ResidualBlock, Sequential, Sigmoid
from .network import RepairNetwork


class AttentionReportModel(RepairNetwork):
    """The report's architecture, built from the same layers as `photomend.models.attention.AttentionModel`.

    Args:
        width: channels at half the resolution; twice as many at a quarter, four times at an eighth, half at the full.
        window: side of the square crops it is trained on, and looks through unless a hole is small, pixels;
            divisible by 8.
    """

    name = "attention-report"

    def __init__(self, width: int = 64, window: int = 224) -> None:
        self.width, self.window = width, window
        self._check_settings(width=width, window=window)
        full, half, quarter, eighth = width // 2, width, 2 * width, 4 * width
        self.encoder2 = _down(3, half)
        self.encoder4 = _down(half, quarter)
        self.encoder8 = _down(quarter, eighth)
        self.bottleneck = Sequential(*(ResidualBlock(eighth) for _ in range(3)))
        self.up4, self.skip4, self.decoder4 = _up(eighth, quarter), CBAM(quarter), _merge(2 * quarter, quarter)
        self.up2, self.skip2, self.decoder2 = _up(quarter, half), CBAM(half), _merge(2 * half, half)
        self.up1 = _up(half, full)
        self.refine = Sequential(_merge(full, full), Conv2d(full, 3, 3, padding=1), Sigmoid())

    def prepare(self, masked: Array, mask: Array) -> tuple[Array, ...]:
        """The photo, black where it is missing, and the mask."""
        return torch.where(mask > 0.5, 0.0, masked), mask

    def predict(self, known: Array, mask: Array) -> Tensor:
        at2 = self.encoder2(known.to(self.dtype))
        at4 = self.encoder4(at2)
        deep = self.bottleneck(self.encoder8(at4))
        at4 = self.decoder4(concatenate(self.up4(deep), self.skip4(at4), dim=1))
        at2 = self.decoder2(concatenate(self.up2(at4), self.skip2(at2), dim=1))
        return known + cast(self.refine(self.up1(at2)), dtype=known.dtype) * mask


def _down(inputs: int, outputs: int) -> Module:
    return Sequential(Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False), BatchNorm2d(outputs), ReLU())


def _up(inputs: int, outputs: int) -> Module:
    return Sequential(Conv2d(inputs, 4 * outputs, 3, padding=1), PixelShuffle(2))


def _merge(inputs: int, outputs: int) -> Module:
    return Sequential(Conv2d(inputs, outputs, 3, padding=1, bias=False), BatchNorm2d(outputs), ReLU())
