"""`detect_anomaly` in a backward pass: only where it is asked for, and only of a cotangent that is finite."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Tensor, detect_anomaly
from photomend.core.anomaly import AnomalyError
from photomend.core.primitive import Primitive


def _spoils(x):
    def spoils_pullback(ȳ):
        return ȳ / 0

    return x * 1, spoils_pullback


def backward(cotangent: float) -> list[float]:
    x = Tensor(torch.ones(2))
    Primitive(_spoils)(x).backward(torch.tensor([1.0, cotangent]))
    assert x.grad is not None
    return x.grad.tolist()


def test_a_pullback_that_spoils_a_finite_cotangent_is_named() -> None:
    with (
        detect_anomaly(),
        pytest.raises(AnomalyError, match="_spoils: 2 of 2 numbers of the gradient of argument x"),
    ):
        backward(1)


def test_nobody_looks_unless_asked() -> None:
    assert backward(1) == [torch.inf, torch.inf]


def test_a_cotangent_that_was_infinite_before_is_no_fault_of_the_pullback() -> None:
    with detect_anomaly():
        assert backward(torch.inf) == [torch.inf, torch.inf]
