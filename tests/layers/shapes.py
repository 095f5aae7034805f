"""The shape of a convolution, without one."""

from __future__ import annotations

from typing import Any

import torch
from photomend.layers.convolution import ConvShape


def shape(
    x: tuple[int, ...] = (2, 16, 12, 12), w: tuple[int, ...] = (16, 16, 3, 3), padding: int = 1, **options: Any
) -> ConvShape:
    settings = {"stride": 1, "dilation": 1, "groups": 1} | options
    return ConvShape.of(torch.empty(x), torch.empty(w), None, padding=padding, **settings)
