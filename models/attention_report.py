"""The attention network as the report drew it: from the masked photo straight to the finished one.

Three 4×4 convolutions with stride 2 and batch norm (64, 128, 256 channels), three residual blocks, a decoder of pixel
shuffles with attended skip connections at 1/4 and 1/2 of the resolution, a refinement at full resolution, a sigmoid.
Nothing tells it where the hole is but its blackness, and it starts from noise, not from a fill: the comparison with
`photomend.models.attention` shows what these two are worth.
"""

from __future__ import annotations

from typing import Any

import torch

from ..core import Array, Module, Tensor, concatenate
from ..layers import CBAM, BatchNorm2d, Conv2d, PixelShuffle, ReLU, ResidualBlock, Sequential, Sigmoid
from .geometry import require_hole
from .network import RepairNetwork


class AttentionReportModel(RepairNetwork):
    """The report's architecture, built from the same layers as `photomend.models.attention.AttentionModel`.

    Args:
        window: side of the square crops it is trained on and looks through, pixels; divisible by 8.
    """

    name = "attention-report"

    def __init__(self, window: int = 224) -> None:
        self.window = window
        self._check_settings(window=window)
        self.encoder2 = _down(3, 64)
        self.encoder4 = _down(64, 128)
        self.encoder8 = _down(128, 256)
        self.bottleneck = Sequential(*(ResidualBlock(256) for _ in range(3)))
        self.up4 = _up(256, 128)
        self.skip4 = CBAM(128)
        self.decoder4 = _merge(256, 128)
        self.up2 = _up(128, 64)
        self.skip2 = CBAM(64)
        self.decoder2 = _merge(128, 64)
        self.up1 = _up(64, 32)
        self.refine = Sequential(_merge(32, 32), Conv2d(32, 3, 3, padding=1), Sigmoid())

    @property
    def config(self) -> dict[str, Any]:
        return {"window": self.window}

    def forward(self, masked: Array, mask: Array) -> Tensor:
        """Fill the holes: masked (N, 3, H, W) in [0, 1] and mask (N, 1, H, W) to (N, 3, H, W).

        Raises:
            ValueError: shapes don't fit, height or width isn't divisible by 8, a mask is empty or covers its photo.
        """
        require_hole(masked, mask)
        self._require_divisible(masked)
        known = torch.where(mask > 0.5, 0.0, masked)
        at2 = self.encoder2(known)
        at4 = self.encoder4(at2)
        deep = self.bottleneck(self.encoder8(at4))
        at4 = self.decoder4(concatenate(self.up4(deep), self.skip4(at4), dim=1))
        at2 = self.decoder2(concatenate(self.up2(at4), self.skip2(at2), dim=1))
        return known + self.refine(self.up1(at2)) * mask


def _down(inputs: int, outputs: int) -> Module:
    return Sequential(Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False), BatchNorm2d(outputs), ReLU())


def _up(inputs: int, outputs: int) -> Module:
    return Sequential(Conv2d(inputs, 4 * outputs, 3, padding=1), PixelShuffle(2))


def _merge(inputs: int, outputs: int) -> Module:
    return Sequential(Conv2d(inputs, outputs, 3, padding=1, bias=False), BatchNorm2d(outputs), ReLU())
