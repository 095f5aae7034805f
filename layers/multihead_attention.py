"""Attention as transformers have it: each query takes a mean of values, weighted by how well it matches their keys.

"Attention" has two meanings: here it is this look-up, in `attention.py` a gate on channels and pixels.

Source: Vaswani et al., *Attention is all you need* (2017), §3.2.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ..core import Array, Module, Parameter, Pullback, Tensor, init, matmul, mean, permute, primitive, reshape
from ..core.primitive import sum_to_shape
from .linear import Linear, linear
from .softmax import softmax, softmax_along, softmax_cotangent
from .standardise import wide
from .windows import broadcasts, integer


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


class MultiheadAttention(Module):
    """`num_heads` attentions beside each other, each to its own projections of queries, keys and values (§3.2.2).

    Weights start as in torch: `in_proj_weight` (3 E, E), the projections of queries, keys and values below each other,
    from the Xavier uniform distribution, `out_proj` evenly from ±1 / √E, biases from 0. There is no dropout of the
    attention's weights, and keys and values have as many features as queries.

    Args:
        embed_dim: E, divisible by `num_heads`.
        num_heads: H; each head sees E / H features.
        bias: whether the projections have biases.
        batch_first: inputs are (N, L, E), not (L, N, E).

    >>> attention = MultiheadAttention(8, 2, batch_first=True)
    >>> output, weights = attention(*[torch.ones(4, 5, 8)] * 3, is_causal=True)
    >>> output.shape, weights.shape, weights.data[0, 1]
    (torch.Size([4, 5, 8]), torch.Size([4, 5, 5]), tensor([0.5000, 0.5000, 0.0000, 0.0000, 0.0000]))

    Raises:
        ValueError: a size isn't a whole number above 0, or the heads don't divide embed_dim.
    """

    def __init__(self, embed_dim: int, num_heads: int, *, bias: bool = True, batch_first: bool = False) -> None:
        self.embed_dim = integer("MultiheadAttention", "embed_dim", embed_dim)
        self.num_heads = integer("MultiheadAttention", "num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim (={embed_dim}) must be divisible by num_heads (={num_heads})"
            )
        self.batch_first = batch_first
        self.in_proj_weight = Parameter(init.xavier_uniform((3 * embed_dim, embed_dim)))
        self.in_proj_bias = Parameter(torch.zeros(3 * embed_dim)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias)
        self.out_proj.weight.data = init.uniform((embed_dim, embed_dim), 1 / math.sqrt(embed_dim))

    def forward(
        self,
        query: Array | Tensor,
        key: Array | Tensor,
        value: Array | Tensor,
        key_padding_mask: Array | None = None,
        need_weights: bool = True,
        attn_mask: Array | Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """The output, and the weights or None.

        Args:
            query: (L, N, E), or with `batch_first` (N, L, E), as is the output.
            key, value: (S, N, E), or (N, S, E).
            key_padding_mask: (N, S); True (or −∞, which is added) for a key that nobody may look at.
            need_weights: whether the weights (N, L, S) are wanted too; without them it is faster.
            attn_mask: (L, S) or (N H, L, S); True where a query may *not* look at a key, or numbers that are added.
            average_attn_weights: the mean over the heads; otherwise weights are (N, H, L, S).
            is_causal: query i may look at keys 0 to i only; with no mask to be given, unlike torch's.

        A query that may look at no key gets NaN with `need_weights`, and without it `out_proj`'s bias, as in torch.

        Raises:
            ValueError: shapes don't fit.
        """
        self._check(query, key, value)
        q, k, v = (self._heads(x, part) for part, x in enumerate((query, key, value)))
        shape = (*q.shape[:3], k.shape[2])
        mask = self._mask(q, shape, key_padding_mask, attn_mask, is_causal)
        if not need_weights:
            return self._joined(scaled_dot_product_attention(q, k, v, mask)), None
        scores = matmul(q * (1 / math.sqrt(q.shape[-1])), permute(k, dims=(0, 1, 3, 2)))
        weights = softmax(scores if mask is None else scores + mask, -1)
        return self._joined(matmul(weights, v)), mean(weights, dim=1) if average_attn_weights else weights

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, {self.num_heads}, batch_first={self.batch_first}"

    def _check(self, query: Array | Tensor, key: Array | Tensor, value: Array | Tensor) -> None:
        wanted = "(N, L, {0})" if self.batch_first else "(L, N, {0})"
        for name, x in (("query", query), ("key", key), ("value", value)):
            if x.ndim != 3 or x.shape[2] != self.embed_dim:
                raise ValueError(
                    f"MultiheadAttention: {name} of shape {tuple(x.shape)} must be {wanted.format(self.embed_dim)}"
                )
        batch = 0 if self.batch_first else 1
        if key.shape != value.shape or key.shape[batch] != query.shape[batch]:
            raise ValueError(
                f"MultiheadAttention: key {tuple(key.shape)} and value {tuple(value.shape)} must have one shape, and "
                f"as many sequences as query {tuple(query.shape)}"
            )

    def _heads(self, x: Array | Tensor, part: int) -> Tensor:
        """Project x with the part 0 (queries), 1 (keys) or 2 (values) of the weights: (N, H, length, E / H)."""
        mine = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[mine]
        y = linear(x, self.in_proj_weight[mine], bias)
        heads = reshape(y, shape=(*y.shape[:2], self.num_heads, -1))
        return permute(heads, dims=(0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))

    def _joined(self, y: Tensor) -> Tensor:
        """(N, H, L, E / H) → the output."""
        y = permute(y, dims=(0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3))
        return self.out_proj(reshape(y, shape=(*y.shape[:2], self.embed_dim)))

    def _mask(
        self,
        q: Tensor,
        shape: tuple[int, ...],
        key_padding_mask: Array | None,
        attn_mask: Array | Tensor | None,
        is_causal: bool,
    ) -> Any:
        """What all masks together add to the scores of `shape` (N, H, L, S); None if there are none."""
        n, h, length, keys = shape
        masks: list[Any] = []
        if key_padding_mask is not None:
            if tuple(key_padding_mask.shape) != (n, keys):
                raise ValueError(
                    f"MultiheadAttention: key_padding_mask of shape {tuple(key_padding_mask.shape)} must be {(n, keys)}"
                )
            masks.append(reshape(_added(key_padding_mask, q), shape=(n, 1, 1, keys)))
        if attn_mask is not None:
            if tuple(attn_mask.shape) not in ((length, keys), (n * h, length, keys)):
                raise ValueError(
                    f"MultiheadAttention: attn_mask of shape {tuple(attn_mask.shape)} must be {(length, keys)} or "
                    f"{(n * h, length, keys)}"
                )
            masks.append(reshape(_added(attn_mask, q), shape=(-1, h if attn_mask.ndim == 3 else 1, length, keys)))
        if is_causal:
            masks.append(_added(later((length, keys), q.device), q))
        return sum(masks[1:], masks[0]) if masks else None


def _added(mask: Any, like: Tensor) -> Any:
    """−∞ where a bool mask forbids, 0 elsewhere; any other mask as it is."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -torch.inf)
