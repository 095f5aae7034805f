"""Adam's two forerunners, which divide each weight's step by the size of its gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from ...core import Array
from .checks import at_least_zero, below_one, flag
from .optimizer import Group, Optimizer, Slots


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011, https://jmlr.org/papers/v12/duchi11a.html, figure 1).

        g ← ±g + λθ                                    λ = weight_decay; − to maximize
        s ← s + g²                                     the first s is initial_accumulator_value
        θ ← θ − η / (1 + (t − 1) δ) · g / (√s + ε)     δ = lr_decay

    Raises TypeError and ValueError for a wrong option.
    """

    options = Optimizer.options | {
        "lr_decay": at_least_zero,
        "initial_accumulator_value": at_least_zero,
        "eps": at_least_zero,
        "maximize": flag,
    }

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            parameters,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=maximize,
        )

    def slot_names(self, group: Group, θ: Array) -> tuple[str, ...]:
        return ("sum",)

    def initial(self, slot: str, group: Group, θ: Array) -> Array:
        return torch.full_like(θ, group["initial_accumulator_value"])

    def update(self, group: Group, t: int, θ: Array, g: Array, slots: Slots) -> None:
        s = slots["sum"]
        g = -g if group["maximize"] else g
        g = g.add(θ, alpha=group["weight_decay"])
        s.addcmul_(g, g)
        θ.addcdiv_(g, s.sqrt().add_(group["eps"]), value=-group["lr"] / (1 + (t - 1) * group["lr_decay"]))


class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton, *Neural networks for machine learning*, lecture 6.5, 2012).

        g ← ±g + λθ                         λ = weight_decay; − to maximize
        s ← αs + (1 − α) g²
        d = √s + ε
        d = √(s − m²) + ε                   instead, if centered, with m ← αm + (1 − α) g
                                            (Graves 2013, https://arxiv.org/abs/1308.0850, equations 38–41)
        v ← μv + g / d                      μ = momentum
        θ ← θ − η v

    Raises TypeError and ValueError for a wrong option.
    """

    options = Optimizer.options | {
        "alpha": below_one,
        "eps": at_least_zero,
        "momentum": at_least_zero,
        "centered": flag,
        "maximize": flag,
    }

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            parameters,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
        )

    def slot_names(self, group: Group, θ: Array) -> tuple[str, ...]:
        optional = {"mean": group["centered"], "velocity": group["momentum"]}
        return ("square", *(name for name, kept in optional.items() if kept))

    def update(self, group: Group, t: int, θ: Array, g: Array, slots: Slots) -> None:
        η, α, μ, s = group["lr"], group["alpha"], group["momentum"], slots["square"]
        g = -g if group["maximize"] else g
        g = g.add(θ, alpha=group["weight_decay"])
        s.mul_(α).addcmul_(g, g, value=1 - α)
        if group["centered"]:
            m = slots["mean"].lerp_(g, 1 - α)
            s = s.addcmul(m, m, value=-1)
        d = s.sqrt().add_(group["eps"])
        if μ:
            θ.add_(slots["velocity"].mul_(μ).addcdiv_(g, d), alpha=-η)
        else:
            θ.addcdiv_(g, d, value=-η)
