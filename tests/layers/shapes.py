"""A convolution's problem, without the convolution."""

from __future__ import annotations

from typing import Any

import torch
from photomend.layers.convolution import Problem


def problem(
    x: tuple[int, ...] = (2, 16, 12, 12), w: tuple[int, ...] = (16, 16, 3, 3), padding: Any = 1, **options: Any
) -> Problem:
    """What `conv2d` is asked to do with images and weights of these sizes."""
    settings = {"stride": 1, "dilation": 1, "groups": 1} | options
    dtype = settings.pop("dtype", torch.float32)
    return Problem.of(torch.empty(x, dtype=dtype), torch.empty(w, dtype=dtype), None, padding=padding, **settings)
