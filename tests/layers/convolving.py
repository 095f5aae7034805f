"""Convolutions of drawn arrays by each of the ways, and by torch: what the tests of them compare."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array
from photomend.layers.convolution import Problem, im2col, winograd, winograd_rows
from photomend.layers.convolution.choose import ALGORITHMS

CONTIGUOUS, CHANNELS_LAST = torch.contiguous_format, torch.channels_last
WINOGRADS = ["winograd", "winograd-rows"]


def channels_last(images: Array) -> Array:
    return images.permute(0, 2, 3, 1)


def all_directions(name: str, x: Array, w: Array, b: Array | None, ȳ: Array, **options: Any) -> list[Array]:
    """y, x̄ and, if the algorithm has it, w̄: images (N, C, H, W) as the layer has them."""
    algorithm = ALGORITHMS[name]
    this = Problem.of(x, w, b, **({"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | options))
    assert algorithm.suits(this)
    images = algorithm.forward(channels_last(x), w, b, this), algorithm.input_gradient(channels_last(ȳ), w, this)
    found = [a.permute(0, 3, 1, 2) for a in images]
    if hasattr(algorithm, "weight_gradient"):
        found.append(algorithm.weight_gradient(channels_last(x), channels_last(ȳ), this))
    return found


def by_torch(name: str, x: Array, w: Array, b: Array | None, ȳ: Array, **options: Any) -> list[Array]:
    """The same in float64, as many directions as the algorithm has."""
    x, w = (a.double().clone().requires_grad_() for a in (x, w))
    y = F.conv2d(x, w, None if b is None else b.double(), **options)
    x̄, w̄ = torch.autograd.grad(y, (x, w), ȳ.double())
    return [y.detach(), x̄, w̄] if hasattr(ALGORITHMS[name], "weight_gradient") else [y.detach(), x̄]


def numbers(*sizes: int, seed: int, layout: torch.memory_format = CONTIGUOUS) -> Array:
    drawn = torch.randn(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.contiguous(memory_format=layout) if len(sizes) == 4 else drawn


def drawn(
    x: tuple[int, ...], w: tuple[int, ...], layout: torch.memory_format = CONTIGUOUS, **options: Any
) -> tuple[Array, Array, Array, Array]:
    """x, w, b and ȳ for a convolution of these sizes."""
    out = F.conv2d(torch.empty(x), torch.empty(w), **options).shape
    return (
        numbers(*x, seed=0, layout=layout),
        numbers(*w, seed=1),
        numbers(w[0], seed=2),
        numbers(*out, seed=3, layout=layout),
    )


def agree(name: str, *arrays: Any, **options: Any) -> None:
    ours, theirs = all_directions(name, *arrays, **options), by_torch(name, *arrays, **options)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def in_blocks_of(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every algorithm work on so many bytes at a time."""
    for module in (im2col, winograd, winograd_rows):
        monkeypatch.setattr(module, "BLOCK", size)
    monkeypatch.setattr(winograd, "FEWEST_TILES", 1)


#: A setting that suits: (options, kernel).
SUITED: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "taps": ({"stride": 2, "padding": 1}, (4, 4)),
    "im2col": ({"stride": 2, "padding": 1}, (3, 3)),
    "winograd": ({"padding": 1}, (3, 3)),
    "winograd-rows": ({"padding": (1, 2)}, (3, 4)),
}
