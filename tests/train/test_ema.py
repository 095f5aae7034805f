"""The average against its recursion, and the swap in and out."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array, Module, Parameter
from photomend.train.ema import EMA


class Scale(Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = Parameter(torch.ones(3, dtype=torch.float64))

    def forward(self, x: Array) -> Array:
        return x * self.factor.data


def run(module: Scale, ema: EMA, steps: range) -> list[torch.Tensor]:
    seen = []
    for step in steps:
        module.factor.data.add_(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) * (step + 1))
        seen.append(module.factor.data.clone())
        ema.update()
    return seen


def test_recursion() -> None:
    module = Scale()
    ema = EMA(module, 0.5)
    expected = module.factor.data.clone()
    for t, value in enumerate(run(module, ema, range(20)), start=1):
        decay = min(0.5, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * value
    torch.testing.assert_close(ema.weights["factor"], expected, rtol=1e-12, atol=0)


def leave_halfway(swapped: Module, averaged: torch.Tensor) -> None:
    assert torch.equal(swapped.state_dict()["factor"], averaged)
    raise RuntimeError("inside")


def test_swap_in_and_out() -> None:
    module = Scale()
    ema = EMA(module, 0.9)
    run(module, ema, range(3))
    own, averaged = module.factor.data.clone(), ema.weights["factor"].clone()
    assert not torch.equal(own, averaged)
    with pytest.raises(RuntimeError, match="inside"), ema.averaged() as swapped:
        leave_halfway(swapped, averaged)
    assert torch.equal(module.factor.data, own)
    assert torch.equal(ema.weights["factor"], averaged)


def test_state_continues_identically() -> None:
    whole = EMA(Scale(), 0.9)
    run(whole.module, whole, range(8))  # type: ignore[arg-type]
    first = EMA(Scale(), 0.9)
    run(first.module, first, range(5))  # type: ignore[arg-type]
    second = EMA(first.module, 0.9)
    second.load_state_dict(first.state_dict())
    run(second.module, second, range(5, 8))  # type: ignore[arg-type]
    assert torch.equal(whole.weights["factor"], second.weights["factor"])


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"decay \(=1\)"):
        EMA(Scale(), 1)
    with pytest.raises(ValueError, match=r"weights\.factor"):
        EMA(Scale(), 0.9).load_state_dict({"updates": 1})
