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

import torch

from ..core import Array, Parameter
from .optimizers import AdamW

#: Least number of rows and columns; a kernel (O, C, rows, columns) counts as a matrix (O, C · rows · columns). Smaller
#: ones are left to AdamW, as vectors are: the last layer's few outputs, the few hidden units of channel attention.
MIN_SIDE = 32
#: AdamW's learning rate, as a share of the matrices'.
ADAMW_RATE = 0.5
#: Of the polynomial a x + b x³ + c x⁵, which five times over takes what lies from 0.003 to 1 to between 0.7 and 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(AdamW):
    """Momentum and its orthogonal factor for matrices, AdamW at half the learning rate for all others.

        M ← μM + (1 − μ) g
        O ← orthogonal((1 − μ) g + μM)                Nesterov's momentum
        θ ← θ − ηλθ − 0.2 η √max(rows, columns) · O   a step whose entries are as large as AdamW's usually are

    Args:
        parameters, lr, weight_decay: η and λ as everywhere; the latter decoupled, as in AdamW.
        momentum: μ.
        dtype: what the orthogonal factor is computed in; bfloat16 is enough for it.

    Raises ValueError for a negative lr or weight_decay and for a momentum outside [0, 1).
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 1e-2,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum (={momentum}) must lie in [0, 1)")
        super().__init__(parameters, lr, weight_decay=weight_decay)
        self.slots["square"] = [v.new_empty(0) if is_matrix(v) else v for v in self.slots["square"]]
        self.momentum = float(momentum)
        self.dtype = dtype

    def update(self, t: int, θ: Array, g: Array, *slots: Array) -> None:
        if not is_matrix(θ):
            η = ADAMW_RATE * self.lr
            θ.mul_(1 - η * self.weight_decay)
            self.descend(t, η, θ, g, *slots)
            return
        m, μ = slots[0], self.momentum
        m.lerp_(g, 1 - μ)
        factor = orthogonal(g.lerp(m, μ).flatten(1).to(self.dtype))
        θ.mul_(1 - self.lr * self.weight_decay)
        θ.add_(factor.to(θ.dtype).reshape(θ.shape), alpha=-0.2 * self.lr * sqrt(max(factor.shape)))


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
