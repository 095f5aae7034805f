"""The matrix product."""

from __future__ import annotations

from ..primitive import primitive, sum_to_shape
from ..tape import Array, Pullback


@primitive
def matmul(a: Array, b: Array) -> tuple[Array, Pullback]:
    """A B for (…, n, k) and (…, k, m), leading axes broadcast; Ā = Ȳ Bᵀ, B̄ = Aᵀ Ȳ.

    Source: Giles, *Collected matrix derivative results for forward and reverse mode AD* (2008), §2.2.1.

    Raises:
        ValueError: an argument has fewer than two axes, or the inner sizes differ.
    """
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"matmul: a {tuple(a.shape)} and b {tuple(b.shape)} must both have at least two axes")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"matmul: a {tuple(a.shape)} has {a.shape[-1]} columns but b {tuple(b.shape)} {b.shape[-2]} rows"
        )

    def matmul_pullback(Ȳ: Array):
        return lambda: sum_to_shape(Ȳ @ b.mT, a.shape), lambda: sum_to_shape(a.mT @ Ȳ, b.shape)

    return a @ b, matmul_pullback
