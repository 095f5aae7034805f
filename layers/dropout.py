"""Dropout: in training, set each element to 0 with probability p and scale up the rest."""

from __future__ import annotations

import torch

from ..core import Array, Module, Pullback, Tensor, primitive
from .windows import require_array


@primitive
def dropout(x: Array, *, keep: Array, p: float) -> tuple[Array, Pullback]:
    """x / (1 − p) where the bool array `keep` holds, else 0; the cotangent passes the same way.

    Dividing by 1 − p keeps the expected value, so that nothing needs scaling in evaluation ("inverted" dropout).
    Source: Srivastava et al., *Dropout* (2014), §10.

    Raises:
        ValueError: p is outside [0, 1).
    """
    check_p("dropout", p)
    scale = keep.to(x.dtype) / (1 - p)

    def dropout_pullback(ȳ: Array):
        return ȳ * scale

    return x * scale, dropout_pullback


def check_p(op: str, p: float, name: str = "p") -> None:
    """Raise ValueError unless the argument called `name` is a probability below 1."""
    if not 0 <= p < 1:
        raise ValueError(f"{op}: {name} (={p}) must be in [0, 1)")


class Dropout(Module):
    """In training each element is set to 0 with probability `p` and the others are divided by 1 − p; in evaluation
    nothing happens.

    Raises:
        ValueError: p is outside [0, 1).
    """

    def __init__(self, p: float = 0.5) -> None:
        check_p("Dropout", p)
        self.p = p

    def forward(self, x: Array | Tensor) -> Array | Tensor:
        require_array(x, "Dropout")
        if not self.training or self.p == 0:
            return x
        return dropout(x, keep=torch.rand(x.shape, device=x.device) >= self.p, p=self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
