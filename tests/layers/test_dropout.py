"""Dropout in training, where torch's twin draws another mask: its statistics, seeds and gradient."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array, Tensor, gradcheck
from photomend.layers import Dropout


def seeded(layer: Dropout, x: Array | Tensor) -> Array | Tensor:
    torch.manual_seed(0)
    return layer(x)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_and_scale(p: float) -> None:
    """100,000 elements: the share that is kept is known to 0.16 % and the mean stays 1."""
    y = seeded(Dropout(p), torch.ones(100_000))
    assert isinstance(y, Array)
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    assert (y > 0).double().mean().item() == pytest.approx(1 - p, abs=0.008)
    assert y.mean().item() == pytest.approx(1, abs=0.05)


def test_a_seed_fixes_the_mask() -> None:
    layer, x = Dropout(0.5), torch.ones(200)
    first = seeded(layer, x)
    assert torch.equal(first, seeded(layer, x))  # type: ignore[arg-type]
    assert not torch.equal(first, layer(x))  # type: ignore[arg-type]


def test_gradient_passes_where_values_did() -> None:
    layer = Dropout(0.4)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert gradcheck(lambda t: seeded(layer, t), x) < 1e-8


def test_evaluation_and_p_zero_change_nothing() -> None:
    x = torch.ones(3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.0, 2])
def test_p_must_be_a_probability_below_one(p: float) -> None:
    with pytest.raises(ValueError, match=rf"p \(={p}\) must be in \[0, 1\)"):
        Dropout(p)
