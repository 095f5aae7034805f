"""The fully connected layer."""

from __future__ import annotations

import torch

from ..core import Array, Module, Parameter, Pullback, Tensor, init, primitive
from .windows import integer


@primitive
def linear(x: Array, w: Array, b: Array | None = None) -> tuple[Array, Pullback]:
    """y = x Wᵀ + b for x (…, in), w (out, in), b (out,); x̄ = ȳ W, W̄ = ȳᵀ x, b̄ = Σȳ.

    Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), §6.5.

    Raises:
        ValueError: the sizes don't fit.
    """
    if w.ndim != 2 or x.ndim < 1 or x.shape[-1] != w.shape[1]:
        raise ValueError(f"linear: input {tuple(x.shape)} and weight {tuple(w.shape)} must be (…, in) and (out, in)")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"linear: bias of shape {tuple(b.shape)} must be ({w.shape[0]},)")
    rows, shape = x.reshape(-1, w.shape[1]), x.shape
    y = rows @ w.mT if b is None else torch.addmm(b, rows, w.mT)

    def linear_pullback(ȳ: Array):
        ȳ_rows = ȳ.reshape(-1, w.shape[0])
        return lambda: (ȳ_rows @ w).reshape(shape), lambda: ȳ_rows.mT @ rows, lambda: ȳ_rows.sum(dim=0)

    return y.reshape(*x.shape[:-1], w.shape[0]), linear_pullback


class Linear(Module):
    """y = x Wᵀ + b with trained `weight` (out_features, in_features) and `bias` (out_features,).

    Weights start from the Kaiming normal distribution for ReLU (gain √2), the bias from 0.

    >>> Linear(4, 2)(torch.ones(5, 4)).shape
    torch.Size([5, 2])

    Raises:
        ValueError: a size isn't a whole number above 0.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        in_features = integer("Linear", "in_features", in_features)
        out_features = integer("Linear", "out_features", out_features)
        self.weight = Parameter(init.kaiming_normal((out_features, in_features)))
        self.bias = Parameter(torch.zeros(out_features)) if bias else None

    def forward(self, x: Array | Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}, bias={self.bias is not None}"
