"""What optimizers are tried on: badly scaled quadratics, with a drift."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from photomend.core import Parameter


def drawn(shapes: Sequence[tuple[int, ...]]) -> list[Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in shapes]


def gradient(weight: torch.Tensor, step: int) -> torch.Tensor:
    """Of Σ cᵢ wᵢ² / 2 + a drift that changes sign, with curvatures from 0.1 to 10."""
    curvature = torch.logspace(-1, 1, max(weight.numel(), 2), dtype=torch.float64)[: weight.numel()]
    return curvature.reshape(weight.shape) * weight + (-1) ** step * 0.3
