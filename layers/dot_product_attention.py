"""Attention as transformers have it: each query takes a mean of values, weighted by how well it matches their keys.

"Attention" has two meanings: here it is this look-up, in `attention.py` a gate on channels and pixels.

Source: Vaswani et al., *Attention is all you need* (2017), §3.2.
"""

from __future__ import annotations

import math

import torch

from ..core import Array, Pullback, primitive
from ..core.ops.half import wide
from ..core.primitive import sum_to_shape
from .softmax import softmax_along, softmax_cotangent
from .windows import broadcasts


@primitive
def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Array, Pullback]:
    """Y = softmax(s Q Kᵀ + M) V for Q (…, L, E), K (…, S, E), V (…, S, D): (…, L, D); eq. 1 of the source.

    Write Z = s Q Kᵀ + M for the scores and P = softmax(Z) for the weights, a row of S for each query. Backwards through
    the product P V, the softmax of each row, and the product Q Kᵀ:

        V̄ = Pᵀ Ȳ,   P̄ = Ȳ Vᵀ,   Z̄ = P ∘ (P̄ − Σ P ∘ P̄),   Q̄ = s Z̄ K,   K̄ = s Z̄ᵀ Q,   M̄ = Z̄.

    What a mask hides stays hidden if it is NaN or infinite, too, where torch's result may be NaN. Matrices in half
    precision are multiplied as they are, so Z and Z̄ are rounded, too.

    Args:
        query, key, value: leading axes broadcast.
        attn_mask: broadcasts to (…, L, S). Either M itself, or bool: True where a query may look at a key, and −∞
            elsewhere (the reverse of `MultiheadAttention`'s, as in torch). A query that may look at no key gets 0.
        is_causal: query i may look at keys 0 to i only.
        scale: s, 1 / √E unless given: so much smaller is the standard deviation of a product of E random numbers then.

    Raises:
        ValueError: shapes don't fit.
    """
    _check_shapes(query, key, value, attn_mask)
    s = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = wide(query @ key.mT) * s
    added = attn_mask if attn_mask is not None and attn_mask.is_floating_point() else None
    if added is not None:
        scores = scores + added
    elif attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    if is_causal:
        scores = scores.masked_fill(later(scores.shape[-2:], scores.device), -torch.inf)
    weights = softmax_along(scores, -1)
    weights = weights.masked_fill_((scores == -torch.inf).all(dim=-1, keepdim=True), 0).to(query.dtype)

    def scaled_dot_product_attention_pullback(Ȳ: Array):
        Z̄ = softmax_cotangent(wide(Ȳ @ value.mT), wide(weights), -1).to(query.dtype)
        return (
            lambda: sum_to_shape(s * (Z̄ @ key), query.shape),
            lambda: sum_to_shape(s * (Z̄.mT @ query), key.shape),
            lambda: sum_to_shape(weights.mT @ Ȳ, value.shape),
            None if added is None else lambda: sum_to_shape(Z̄, added.shape),
        )

    return weights @ value, scaled_dot_product_attention_pullback


def later(shape: tuple[int, ...], device: torch.device) -> Array:
    """True for the keys that come after a query: (L, S)."""
    return torch.ones(shape, dtype=torch.bool, device=device).triu(1)


def _check_shapes(query: Array, key: Array, value: Array, attn_mask: Array | None) -> None:
    """Raise ValueError if the arguments of the attention don't fit together."""
    op, shapes = "scaled_dot_product_attention", [tuple(a.shape) for a in (query, key, value)]
    if min(map(len, shapes)) < 2 or query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"{op}: query {shapes[0]}, key {shapes[1]} and value {shapes[2]} must be (…, L, E), (…, S, E) and (…, S, D)"
        )
    try:
        leading = torch.broadcast_shapes(*(shape[:-2] for shape in shapes))
    except RuntimeError:
        raise ValueError(
            f"{op}: the leading axes of query {shapes[0]}, key {shapes[1]} and value {shapes[2]} don't broadcast"
        ) from None
    full = (*leading, query.shape[-2], key.shape[-2])
    if attn_mask is not None and not broadcasts(attn_mask.shape, full):
        raise ValueError(f"{op}: attn_mask of shape {tuple(attn_mask.shape)} doesn't broadcast to {full}")
    if attn_mask is not None and not (attn_mask.is_floating_point() or attn_mask.dtype == torch.bool):
        raise ValueError(f"{op}: attn_mask must be bool or floating point, not {attn_mask.dtype}")
