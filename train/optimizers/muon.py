"""Muon: momentum, orthogonalised, for the weights that are matrices; AdamW for all others.

A gradient's singular values differ by orders of magnitude. Muon takes the momentum M = U Σ Vᵀ of a matrix and steps
along U Vᵀ: every direction by the same amount.

Sources: Jordan, *Muon: an optimizer for hidden layers in neural networks* (2024),
https://kellerjordan.github.io/posts/muon/; Liu et al., *Muon is scalable for LLM training* (2025),
https://arxiv.org/abs/2502.16982, §2.2, for the size of the step.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

import torch

from ...core import Array
from ..distributed import of_each
from .adam import AdamW
from .checks import below_one
from .optimizer import Group, Optimizer, Slots

#: Least number of rows and columns; a kernel (O, C, rows, columns) counts as a matrix (O, C · rows · columns). Smaller
#: ones are left to AdamW, as vectors are: the last layer's few outputs, the few hidden units of channel attention.
MIN_SIDE = 32
#: AdamW's learning rate, as a share of the matrices', and its other options.
ADAMW_RATE = 0.5
ADAMW = {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False, "maximize": False}
#: Of the polynomial a x + b x³ + c x⁵, which five times over takes what lies from 0.003 to 1 to between 0.7 and 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(AdamW):
    """Momentum and its orthogonal factor for matrices, AdamW at half the learning rate for all others.

        M ← μM + (1 − μ) g
        O ← orthogonal((1 − μ) g + μM)                Nesterov's momentum
        θ ← θ − ηλθ − 0.2 η √max(rows, columns) · O   a step whose entries are as large as AdamW's usually are

    The factors are as much work as the backward pass of some photos; several ranks share it, matrix by matrix.

    Args:
        parameters, lr, weight_decay: η and λ as everywhere; the latter decoupled, as in AdamW.
        momentum: μ.
        dtype: what the orthogonal factor is computed in; bfloat16 is enough for it.

    Raises TypeError and ValueError for a negative lr or weight_decay, a momentum outside [0, 1) and wrong parameters.
    """

    options = Optimizer.options | {"momentum": below_one}

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 1e-2,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise TypeError(f"dtype (={dtype!r}) must be a floating-point torch.dtype")
        self.dtype = dtype
        self.matrices: list[tuple[Group, Array, Array]] = []
        Optimizer.__init__(self, parameters, lr=lr, momentum=momentum, weight_decay=weight_decay)

    def slot_names(self, group: Group, θ: Array) -> tuple[str, ...]:
        return ("mean",) if is_matrix(θ) else ("mean", "square")

    def step(self) -> None:
        self.matrices = []
        super().step()  # all but the matrices, of which it moves the momentum
        groups, weights, momenta = zip(*self.matrices, strict=True) if self.matrices else ((), (), ())
        for group, θ, factor in zip(groups, weights, of_each(orthogonal, momenta), strict=True):
            θ.mul_(1 - group["lr"] * group["weight_decay"])
            θ.add_(factor.to(θ.dtype).reshape(θ.shape), alpha=-0.2 * group["lr"] * sqrt(max(factor.shape)))
        self.matrices = []

    def update(self, group: Group, t: int, θ: Array, g: Array, slots: Slots) -> None:
        if not is_matrix(θ):
            super().update(ADAMW | group | {"lr": ADAMW_RATE * group["lr"]}, t, θ, g, slots)
            return
        μ, m = group["momentum"], slots["mean"]
        m.lerp_(g, 1 - μ)
        self.matrices.append((group, θ, g.lerp(m, μ).flatten(1).to(self.dtype)))


def is_matrix(weight: Array) -> bool:
    """Whether a weight is updated as a matrix."""
    return weight.ndim >= 2 and min(len(weight), weight.numel() // max(1, len(weight))) >= MIN_SIDE


def orthogonal(matrix: Array) -> Array:
    """About U Vᵀ for the matrix U Σ Vᵀ: its singular values come to lie around 1.

    With X of norm 1 at most, X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X applies the polynomial to every singular value and
    leaves U and V alone (a Newton–Schulz iteration). The smaller of the two products, X Xᵀ or Xᵀ X, is formed.
    """
    a, b, c = COEFFICIENTS
    x = matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if matrix.shape[0] > matrix.shape[1] else x
