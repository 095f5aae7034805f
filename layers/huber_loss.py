"""Losses that are squared near 0 and absolute far away, so that a few targets that are far off don't rule the rest.

Source: Huber, *Robust estimation of a location parameter* (1964).
"""

from __future__ import annotations

from typing import Any

from ..core import Array, Pullback, Tensor, primitive
from ..core.ops.half import wide
from .loss import Loss, check_shapes, l1_loss, reduced
from .windows import positive


@primitive
def huber_loss(input: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0) -> tuple[Array, Pullback]:
    """½ d² where |d| ≤ δ, else δ (|d| − ½ δ), with d = input − target and δ = `delta`, of arrays of one shape.

    With c = d held within ±δ both are c (d − ½ c), and the derivative is c: the input's cotangent is c ȳ, the
    target's −c ȳ.

    Raises:
        ValueError: shapes differ, there is no such reduction, or delta isn't above 0.
    """
    check_shapes("huber_loss", reduction, input, target)
    δ, dtype = positive("huber_loss", "delta", delta), input.dtype
    d = wide(input) - wide(target)
    c = d.clamp(-δ, δ)
    y, to_each = reduced(c * (d - 0.5 * c), reduction)

    def huber_loss_pullback(ȳ: Array):
        ℓ̄ = to_each(ȳ)
        return lambda: (ℓ̄ * c).to(dtype), lambda: (-ℓ̄ * c).to(dtype)

    return y.to(dtype), huber_loss_pullback


def smooth_l1_loss(input: Array | Tensor, target: Array | Tensor, reduction: str = "mean", beta: float = 1.0) -> Any:
    """½ d² / β where |d| ≤ β, else |d| − ½ β: the `huber_loss` divided by its δ; `l1_loss` for β = 0.

    Raises:
        ValueError: shapes differ, there is no such reduction, or beta is negative.
    """
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return huber_loss(input, target, reduction=reduction, delta=positive("smooth_l1_loss", "beta", beta)) * (1 / beta)


class HuberLoss(Loss):
    """½ d² near 0, δ (|d| − ½ δ) from |d| = δ on, with δ = `delta`; see `huber_loss`.

    Raises:
        ValueError: there is no such reduction, or delta isn't above 0.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = positive("HuberLoss", "delta", delta)

    def forward(self, input: Array | Tensor, target: Array | Tensor) -> Tensor:
        return huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SmoothL1Loss(Loss):
    """½ d² / β near 0, |d| − ½ β from |d| = β on, with β = `beta`; see `smooth_l1_loss`.

    Raises:
        ValueError: there is no such reduction, or beta is negative.
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta if beta == 0 else positive("SmoothL1Loss", "beta", beta)

    def forward(self, input: Array | Tensor, target: Array | Tensor) -> Tensor:
        return smooth_l1_loss(input, target, self.reduction, self.beta)
