"""The adversarial part again, in torch.nn: same state-dict keys, differentiated by torch's autograd."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


def spectral_norm(w: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The division alone: torch has it only together with the power iteration."""
    return w / torch.einsum("o,ok,k->", u, w.flatten(1), v)


def spectral_conv2d(in_channels: int, out_channels: int, kernel_size: int, **options: Any) -> nn.Module:
    return nn.utils.spectral_norm(nn.Conv2d(in_channels, out_channels, kernel_size, **options))


def hinge_loss(scores: torch.Tensor, patches: torch.Tensor, sign: int) -> torch.Tensor:
    return F.relu(1 - sign * scores[patches > 0]).mean()


def patch_mean(scores: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
    return scores[patches > 0].mean()


class PatchDiscriminator(nn.Module):
    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.body = nn.Sequential(
            spectral_conv2d(4, first, 5, stride=2, padding=2),
            nn.LeakyReLU(0.2),
            spectral_conv2d(first, second, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            spectral_conv2d(second, third, 3, padding=1),
            nn.LeakyReLU(0.2),
            spectral_conv2d(third, 1, 1),
        )

    def forward(self, photo: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.body(torch.cat((2 * photo - 1, mask), 1))


class Scores(nn.Module):
    """A discriminator with a given mask, which is a buffer."""

    def __init__(self, network: nn.Module, mask: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mask", mask)

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        return self.network(photo, self.mask)
