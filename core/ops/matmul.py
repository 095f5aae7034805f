"""The matrix product."""

from __future__ import annotations

import torch

from ..primitive import primitive, sum_to_shape
from ..tape import HALF_PRECISION, Array, Pullback


@primitive
def matmul(a: Array, b: Array) -> tuple[Array, Pullback]:
    """A B for (…, n, k) and (…, k, m), leading axes broadcast; Ā = Ȳ Bᵀ, B̄ = Aᵀ Ȳ.

    A vector (k,) is a row (1, k) on the left and a column (k, 1) on the right, and the result lacks that axis.

    Source: Giles, *Collected matrix derivative results for forward and reverse mode AD* (2008), §2.2.1.

    Raises:
        ValueError: an argument is a single number, or the inner sizes differ.
    """
    if not a.ndim or not b.ndim:
        raise ValueError(f"matmul: a {tuple(a.shape)} and b {tuple(b.shape)} must both have at least one axis")
    left = a if a.ndim > 1 else a[None]
    right = b if b.ndim > 1 else b[:, None]
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(
            f"matmul: a {tuple(a.shape)} has {left.shape[-1]} columns but b {tuple(b.shape)} {right.shape[-2]} rows"
        )
    y = left @ right
    shape = y.shape  # and not y, which the pullback would keep alive, and whose changes it would mind

    def matmul_pullback(Ȳ: Array):
        Ȳ = Ȳ.reshape(shape)
        return (
            lambda: _product(Ȳ, right.mT, left.shape).reshape(a.shape),
            lambda: _product(left.mT, Ȳ, right.shape).reshape(b.shape),
        )

    lacks = tuple([axis for axis, vector in ((-2, a), (-1, b)) if vector.ndim == 1])
    return (y.squeeze(lacks) if lacks else y), matmul_pullback


def _product(p: Array, q: Array, shape: torch.Size) -> Array:
    """p q, summed over the axes along which an array of `shape` was repeated; that sum is kept in float32 at least."""
    if p.dtype in HALF_PRECISION and p.ndim > len(shape):
        return sum_to_shape(p.to(torch.float32) @ q.to(torch.float32), shape).to(p.dtype)
    return sum_to_shape(p @ q, shape)
