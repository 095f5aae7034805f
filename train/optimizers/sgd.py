"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...core import Array
from .checks import at_least_zero, finite, flag
from .optimizer import Group, Optimizer, Slots


class SGD(Optimizer):
    """Stochastic gradient descent with optional momentum.

        g ← ±g + λθ                 λ = weight_decay; − to maximize
        v ← μv + (1 − τ) g          μ = momentum, τ = dampening; the first time v ← g
        θ ← θ − η v                 (Polyak 1964)
        θ ← θ − η (g + μv)          instead, if nesterov (Sutskever et al. 2013, as torch rewrites it)

    Raises TypeError and ValueError: a wrong option, or nesterov without momentum or with dampening.
    """

    options = Optimizer.options | {
        "momentum": at_least_zero,
        "dampening": finite,
        "nesterov": flag,
        "maximize": flag,
    }

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        *,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            parameters,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )

    def checked(self, options: Mapping[str, Any]) -> Group:
        checked = super().checked(options)
        μ, τ = checked["momentum"], checked["dampening"]
        if checked["nesterov"] and (μ == 0 or τ != 0):
            raise ValueError(f"nesterov (=True) needs a momentum (={μ}) above 0 and a dampening (={τ}) of 0")
        return checked

    def slot_names(self, group: Group, θ: Array) -> tuple[str, ...]:
        return ("velocity",) if group["momentum"] else ()

    def update(self, group: Group, t: int, θ: Array, g: Array, slots: Slots) -> None:
        η, μ, λ = group["lr"], group["momentum"], group["weight_decay"]
        sign = -1 if group["maximize"] else 1
        if μ:
            v = slots["velocity"]
            new = 1 if t == 1 else 1 - group["dampening"]
            v.mul_(μ).add_(g, alpha=new * sign).add_(θ, alpha=new * λ)
        if not μ or group["nesterov"]:
            θ.mul_(1 - η * λ).add_(g, alpha=-η * sign)
        if μ:
            θ.add_(v, alpha=-η * μ if group["nesterov"] else -η)
