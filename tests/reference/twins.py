"""The torch.nn twin of every layer that torch.nn doesn't have itself, with the same state-dict keys.

Everything here is written with torch's own layers and differentiated by torch's own autograd: what the engine's layers
are compared with, and where weights travel to and from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Call(nn.Module):
    """A function with its options as a module; options that are arrays become buffers, so that they move along."""

    def __init__(self, function: Callable[..., torch.Tensor], **options: Any) -> None:
        super().__init__()
        self.function = function
        self.options = {k: v for k, v in options.items() if not isinstance(v, torch.Tensor)}
        for name, option in options.items():
            if name not in self.options:
                self.register_buffer(name, option.clone())

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs, **self.options, **dict(self.named_buffers()))


def mlp(channels: int, reduction: int) -> nn.Sequential:
    hidden = channels // reduction
    return nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.mlp = mlp(channels, reduction)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.mlp(x.mean((2, 3))))[:, :, None, None]


class ChannelAttention(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.mlp = mlp(channels, reduction)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        return x * torch.sigmoid(scores)[:, :, None, None]


class SpatialAttention(nn.Module):
    def __init__(self, kernel_size: int, norm: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.GroupNorm(1, 1) if norm else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)
        return x * torch.sigmoid(self.norm(self.conv(maps)))


class CBAM(nn.Module):
    def __init__(self, channels: int, reduction: int, kernel_size: int) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(kernel_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.spatial(self.channel(x))


class GatedConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int], **options: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 2 * out_channels, kernel_size, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.glu(self.conv(x), dim=1)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class SkipConnection(nn.Module):
    def __init__(self, inner: nn.Module, skip: nn.Module | None = None) -> None:
        super().__init__()
        self.inner = inner
        self.skip = skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x if self.skip is None else self.skip(x), self.inner(x)), 1)


def concatenate(*xs: torch.Tensor, dim: int) -> torch.Tensor:
    return torch.cat(xs, dim)


def where(a: torch.Tensor, b: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    return torch.where(condition, a, b)


def dropout(x: torch.Tensor, keep: torch.Tensor, p: float) -> torch.Tensor:
    """torch draws its own mask and can't be told one, so this twin is the formula."""
    return x * keep / (1 - p)


def batch_norm(
    x: torch.Tensor, weight: torch.Tensor | None = None, bias: torch.Tensor | None = None, **options: Any
) -> torch.Tensor:
    return F.batch_norm(x, weight=weight, bias=bias, **options)


def group_norm(
    x: torch.Tensor, weight: torch.Tensor | None = None, bias: torch.Tensor | None = None, **options: Any
) -> torch.Tensor:
    return F.group_norm(x, weight=weight, bias=bias, **options)


def layer_norm(
    x: torch.Tensor, weight: torch.Tensor | None = None, bias: torch.Tensor | None = None, **options: Any
) -> torch.Tensor:
    return F.layer_norm(x, weight=weight, bias=bias, **options)


def rms_norm(x: torch.Tensor, weight: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
    return F.rms_norm(x, weight=weight, **options)


def embedding(weight: torch.Tensor, indices: torch.Tensor, padding_idx: int | None = None) -> torch.Tensor:
    return F.embedding(indices, weight, padding_idx)


def upsample(mode: str) -> Callable[..., torch.Tensor]:
    def upsample_to(x: torch.Tensor, scale_factor: Any = None, **options: Any) -> torch.Tensor:
        factor = float(scale_factor) if isinstance(scale_factor, int) else scale_factor
        return F.interpolate(x, scale_factor=factor, mode=mode, **options)

    return upsample_to


def upsample_one(mode: str) -> Callable[..., torch.Tensor]:
    """Of a single image, which torch's interpolation doesn't take."""
    return lambda x, **options: upsample(mode)(x[None], **options)[0]
