"""How exactly the ways to convolve compute, in float32 and bfloat16, and the same bits each time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from photomend.layers.convolution.choose import ALGORITHMS

from .convolving import (
    SUITED,
    all_directions,
    by_torch,
    drawn,
    in_blocks_of,
)

#: Largest error beside the largest entry, with 64 channels.
ROUNDING = {"winograd": 1e-4, "winograd-rows": 1e-5}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_rounding_in_float32(name: str) -> None:
    options, kernel = SUITED[name]
    arrays = drawn((2, 64, 40, 40), (64, 64, *kernel), **options)
    exact = by_torch(name, *arrays, **options)
    for ours, theirs in zip(all_directions(name, *(a.float() for a in arrays), **options), exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).abs().max() < ROUNDING.get(name, 2e-6) * theirs.abs().max()


@pytest.mark.parametrize("name", ["taps", "im2col"])
@pytest.mark.parametrize("stride", [1, 2])
def test_rounding_in_bfloat16(name: str, stride: int) -> None:
    """A product is summed in float32; what taps give is rounded to 8 bits each time."""
    limit = 4e-3 if name == "im2col" else 8e-3
    options: dict[str, Any] = {"stride": stride, "padding": 1}
    arrays = [a.bfloat16() for a in drawn((2, 16, 20, 20), (16, 16, 3, 3), **options)]
    exact = by_torch(name, *arrays, **options)
    for ours, theirs in zip(all_directions(name, *arrays, **options), exact, strict=True):
        assert ours.dtype == torch.bfloat16
        assert (ours - theirs).abs().max() < limit * theirs.abs().max()


def test_bfloat16_in_blocks_is_summed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight gradient whose blocks are added up in bfloat16 would lose a bit with each."""
    in_blocks_of(1, monkeypatch)
    arrays = [a.bfloat16() for a in drawn((8, 16, 40, 40), (16, 16, 3, 3), padding=1)]
    (*_, ours), (*_, theirs) = (f("im2col", *arrays, padding=1) for f in (all_directions, by_torch))
    assert (ours - theirs).abs().max() < 4e-3 * theirs.abs().max()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_two_calls_give_the_same_bits(name: str) -> None:
    options, kernel = SUITED[name]
    arrays = drawn((3, 16, 17, 17), (16, 16, *kernel), **options)
    once, again = (all_directions(name, *arrays, **options) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
