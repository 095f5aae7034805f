"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

import torch

from ...core import Array
from .checks import at_least_zero, betas, flag
from .optimizer import Group, Optimizer, Slots


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1).

        g ← ±g + λθ                                   λ = weight_decay; − to maximize
        m ← β₁m + (1 − β₁) g        m̂ = m / (1 − β₁ᵗ)
        v ← β₂v + (1 − β₂) g²       v̂ = v / (1 − β₂ᵗ)
        θ ← θ − η m̂ / (√v̂ + ε)

    The corrections of m and v are taken into the step size and into ε, as at the end of the paper's section 2:

        η m̂ / (√v̂ + ε) = η' m / (√v + ε')      η' = η √(1 − β₂ᵗ) / (1 − β₁ᵗ),  ε' = ε √(1 − β₂ᵗ)

    With `amsgrad` the largest v so far takes v's place in the last line (Reddi, Kale & Kumar 2018,
    https://arxiv.org/abs/1904.09237, algorithm 2; with the corrections, as in torch).

    Raises TypeError and ValueError for a negative lr, eps or weight_decay, betas that aren't two numbers in [0, 1), and
    other wrong options.
    """

    options = Optimizer.options | {"betas": betas, "eps": at_least_zero, "amsgrad": flag, "maximize": flag}

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize
        )

    def slot_names(self, group: Group, θ: Array) -> tuple[str, ...]:
        return ("mean", "square", "largest_square") if group["amsgrad"] else ("mean", "square")

    def update(self, group: Group, t: int, θ: Array, g: Array, slots: Slots) -> None:
        if group["maximize"]:
            g = -g
        if group["weight_decay"]:
            g = g.add(θ, alpha=group["weight_decay"])
        self.descend(group, group["lr"], t, θ, g, slots)

    def descend(self, group: Group, η: float, t: int, θ: Array, g: Array, slots: Slots) -> None:
        """The algorithm's last three lines, at the learning rate η."""
        (β1, β2), ε = group["betas"], group["eps"]
        m, v = slots["mean"], slots["square"]
        correction = sqrt(1 - β2**t)
        m.lerp_(g, 1 - β1)
        v.mul_(β2).addcmul_(g, g, value=1 - β2)
        if group["amsgrad"]:
            v = torch.maximum(slots["largest_square"], v, out=slots["largest_square"])
        θ.addcdiv_(m, v.sqrt().add_(ε * correction), value=-η * correction / (1 - β1**t))


class AdamW(Adam):
    """Adam with the weight decay taken out of the gradient (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101).

    θ ← θ − ηλθ, then Adam's step with λ = 0
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update(self, group: Group, t: int, θ: Array, g: Array, slots: Slots) -> None:
        θ.mul_(1 - group["lr"] * group["weight_decay"])
        self.descend(group, group["lr"], t, θ, -g if group["maximize"] else g, slots)
