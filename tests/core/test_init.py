"""Initial weights: their spread is the theory's, torch's agrees, and a seed fixes them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from photomend.core import Array, init, runtime
from photomend.core.init import kaiming_normal, undrawn, uniform
from photomend.layers import Conv2d, Linear

SHAPE = (64, 48, 3, 3)
FAN_IN, FAN_OUT = 48 * 9, 64 * 9

#: initialiser, its standard deviation, its largest value (None: unbounded), torch's counterpart
INITIALISERS: list[tuple[Callable[..., Array], float, float | None, Callable[..., Array]]] = [
    (init.kaiming_normal, math.sqrt(2 / FAN_IN), None, torch.nn.init.kaiming_normal_),
    (init.kaiming_uniform, math.sqrt(2 / FAN_IN), math.sqrt(6 / FAN_IN), torch.nn.init.kaiming_uniform_),
    (init.xavier_normal, math.sqrt(2 / (FAN_IN + FAN_OUT)), None, torch.nn.init.xavier_normal_),
    (
        init.xavier_uniform,
        math.sqrt(2 / (FAN_IN + FAN_OUT)),
        math.sqrt(6 / (FAN_IN + FAN_OUT)),
        torch.nn.init.xavier_uniform_,
    ),
]


@pytest.mark.parametrize(
    ("initialiser", "deviation", "bound", "twin"), INITIALISERS, ids=lambda f: getattr(f, "__name__", "")
)
def test_spread(initialiser, deviation: float, bound: float | None, twin) -> None:
    """27,648 draws: their deviation is known to about 0.5 %, their mean to deviation / 166."""
    torch.manual_seed(0)
    w = initialiser(SHAPE)
    assert (w.shape, w.dtype) == (SHAPE, torch.float32)
    assert w.std().item() == pytest.approx(deviation, rel=0.02)
    assert abs(w.mean().item()) < 4 * deviation / math.sqrt(w.numel())
    assert twin(torch.empty(SHAPE)).std().item() == pytest.approx(deviation, rel=0.02)
    if bound is not None:
        assert 0.99 * bound < w.abs().max().item() <= bound
    else:
        assert w.abs().max().item() > 3.5 * deviation  # a bell has tails


def test_gain_scales() -> None:
    for initialiser, deviation, _, _ in INITIALISERS:
        torch.manual_seed(1)
        one = initialiser(SHAPE, gain=1.0)
        torch.manual_seed(1)
        assert torch.allclose(initialiser(SHAPE, gain=3.0), 3 * one, rtol=1e-5)
        assert deviation > 0
    assert init.leaky_gain(0) == pytest.approx(math.sqrt(2))
    assert init.leaky_gain(0.2) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.2))


def test_signals_keep_their_size_through_relu() -> None:
    """The reason for Kaiming's √2: ten layers deep, the mean square is still about 1."""
    torch.manual_seed(0)
    x = torch.randn(64, 256)
    for _ in range(10):
        x = (x.clamp_min(0)) @ init.kaiming_normal((256, 256)).T
    assert 0.5 < x.square().mean().item() < 2


def test_fans() -> None:
    assert init.fans((5, 3)) == (3, 5)
    assert init.fans((8, 4, 3, 2)) == (24, 48)
    with pytest.raises(ValueError, match=r"shape \(=\(3,\)\) must have at least two axes"):
        init.fans((3,))


def test_a_seed_fixes_the_weights() -> None:
    def weights(seed: int) -> list[Array]:
        runtime.seed_everything(seed)
        return [*Conv2d(3, 4, 3).state_dict().values(), *Linear(5, 2).state_dict().values()]

    first, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_layers_start_from_kaiming_and_zero() -> None:
    torch.manual_seed(0)
    conv, linear = Conv2d(48, 64, 3), Linear(432, 64)
    assert conv.weight.data.std().item() == pytest.approx(math.sqrt(2 / 432), rel=0.02)
    assert linear.weight.data.std().item() == pytest.approx(math.sqrt(2 / 432), rel=0.02)
    for layer in (conv, linear):
        assert layer.bias is not None
        assert not layer.bias.data.any()


def test_undrawn_weights_are_0_and_the_generator_stays() -> None:
    before = torch.get_rng_state()
    with undrawn():
        assert not any(array.any() for array in (kaiming_normal((4, 3)), uniform((5,), 1.0)))
    assert torch.equal(torch.get_rng_state(), before)
    assert kaiming_normal((4, 3)).all()
