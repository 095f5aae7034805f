"""The networks again, in torch.nn: same state-dict keys, differentiated by torch's autograd.

The harmonic fill isn't learned and carries no gradient; it has a test of its own, and the twin takes it as given.
"""

from __future__ import annotations

import torch
from photomend.models.attention import features
from torch import nn

from .twins import CBAM, Residual, ResidualBlock, SpatialAttention, SqueezeExcitation


class AttentionModel(nn.Module):
    def __init__(self, width: int, dilations: tuple[int, ...], without: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.without = without
        skips = "skips" not in without
        half, quarter, eighth = width, 2 * width, 4 * width
        weigh = "channel" not in without
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(20, half, 3, padding=1))
        self.encoder2 = block(half, 1, weigh)
        self.encoder4 = nn.Sequential(*halved(half, quarter), block(quarter, 1, weigh))
        self.encoder8 = nn.Sequential(*halved(quarter, eighth))
        self.bottleneck = nn.Sequential(*(block(eighth, dilation, weigh) for dilation in dilations))
        self.up4 = normed_up(eighth, quarter)
        self.skip4 = skip(without) if skips else None
        self.decoder4 = nn.Sequential(nn.Conv2d((1 + skips) * quarter, quarter, 1), block(quarter, 1, weigh))
        self.up2 = normed_up(quarter, half)
        self.skip2 = skip(without) if skips else None
        self.decoder2 = nn.Sequential(nn.Conv2d((1 + skips) * half, half, 1), block(half, 1, weigh))
        self.head = nn.Sequential(
            nn.GroupNorm(8, half), nn.SiLU(), nn.Conv2d(half, 12, 3, padding=1), nn.PixelShuffle(2)
        )

    def forward(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        fill, contrast, seen = features(masked, mask, self.without)
        return fill + self.residual(seen) * (contrast * mask)

    def residual(self, seen: torch.Tensor) -> torch.Tensor:
        at2 = self.encoder2(self.stem(seen))
        at4 = self.encoder4(at2)
        deep = self.up4(self.bottleneck(self.encoder8(at4)))
        at4 = self.decoder4(deep if self.skip4 is None else torch.cat((deep, self.skip4(at4)), 1))
        deep = self.up2(at4)
        at2 = self.decoder2(deep if self.skip2 is None else torch.cat((deep, self.skip2(at2)), 1))
        return self.head(at2)


def skip(without: tuple[str, ...]) -> nn.Module:
    return nn.Sequential() if "spatial" in without else SpatialAttention(7, norm=True)


def halved(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.GroupNorm(8, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)


def normed_up(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.GroupNorm(8, inputs), nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2))


def up(inputs: int, outputs: int, kernel: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, kernel, padding=kernel // 2), nn.PixelShuffle(2))


def block(channels: int, dilation: int, weigh: bool) -> nn.Module:
    return Residual(
        nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            *((SqueezeExcitation(channels, 8),) if weigh else ()),
        )
    )


class AttentionReportModel(nn.Module):
    def __init__(self, width: int = 64) -> None:
        super().__init__()
        full, half, quarter, eighth = width // 2, width, 2 * width, 4 * width
        self.encoder2 = normed(3, half, 4, 2)
        self.encoder4 = normed(half, quarter, 4, 2)
        self.encoder8 = normed(quarter, eighth, 4, 2)
        self.bottleneck = nn.Sequential(*(ResidualBlock(eighth) for _ in range(3)))
        self.up4 = up(eighth, quarter, 3)
        self.skip4 = CBAM(quarter, 16, 7)
        self.decoder4 = normed(2 * quarter, quarter, 3, 1)
        self.up2 = up(quarter, half, 3)
        self.skip2 = CBAM(half, 16, 7)
        self.decoder2 = normed(2 * half, half, 3, 1)
        self.up1 = up(half, full, 3)
        self.refine = nn.Sequential(normed(full, full, 3, 1), nn.Conv2d(full, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        known = masked * (1 - mask)
        at2 = self.encoder2(known)
        at4 = self.encoder4(at2)
        deep = self.bottleneck(self.encoder8(at4))
        at4 = self.decoder4(torch.cat((self.up4(deep), self.skip4(at4)), 1))
        at2 = self.decoder2(torch.cat((self.up2(at4), self.skip2(at2)), 1))
        return known + self.refine(self.up1(at2)) * mask


def normed(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class OnPhotos(nn.Module):
    """A network on given photos, which are buffers."""

    def __init__(self, network: nn.Module, masked: torch.Tensor, mask: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("masked", masked)
        self.register_buffer("mask", mask)

    def forward(self) -> torch.Tensor:
        return self.network(self.masked, self.mask)


class AttentionResidual(nn.Module):
    """What the attention model adds to the fill."""

    def __init__(self, network: AttentionModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return self.network.residual(seen)
