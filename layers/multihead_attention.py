"""Several attentions beside each other, as transformers have them: `dot_product_attention.py` says what one is.

Source: Vaswani et al., *Attention is all you need* (2017), §3.2.2.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ..core import (
    Array,
    Module,
    Parameter,
    Tensor,
    broadcast_to,
    concatenate,
    init,
    matmul,
    mean,
    pad,
    permute,
    reshape,
    squeeze,
    unsqueeze,
)
from .dot_product_attention import later, scaled_dot_product_attention
from .dropout import check_p, dropout
from .linear import Linear, linear
from .softmax import softmax
from .windows import integer


class MultiheadAttention(Module):
    """`num_heads` attentions beside each other, each to its own projections of queries, keys and values (§3.2.2).

    Weights start as in torch: `in_proj_weight` (3 E, E), the projections of queries, keys and values below each other,
    from the Xavier uniform distribution, `out_proj` evenly from ±1 / √E, biases from 0. Where keys or values have their
    own number of features, there are `q_proj_weight`, `k_proj_weight` and `v_proj_weight` instead.

    Args:
        embed_dim: E, divisible by `num_heads`.
        num_heads: H; each head sees E / H features.
        dropout: the probability with which, in training, the weight that a query gives a key is set to 0.
        bias: whether the projections have biases.
        add_bias_kv: every sequence of keys and values gets one more of each, `bias_k` and `bias_v` (1, 1, E), trained.
        add_zero_attn: it gets one more of each that is 0, so that a query may look at nothing.
        kdim, vdim: how many features keys and values have; E unless given.
        batch_first: inputs are (N, L, E), not (L, N, E).

    >>> attention = MultiheadAttention(8, 2, batch_first=True)
    >>> output, weights = attention(*[torch.ones(4, 5, 8)] * 3, is_causal=True)
    >>> output.shape, weights.shape, weights.data[0, 1]
    (torch.Size([4, 5, 8]), torch.Size([4, 5, 5]), tensor([0.5000, 0.5000, 0.0000, 0.0000, 0.0000]))

    Raises:
        ValueError: a size isn't a whole number above 0, the heads don't divide embed_dim, or dropout is outside [0, 1).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        op = "MultiheadAttention"
        self.embed_dim = e = integer(op, "embed_dim", embed_dim)
        self.num_heads = integer(op, "num_heads", num_heads)
        self.kdim = e if kdim is None else integer(op, "kdim", kdim)
        self.vdim = e if vdim is None else integer(op, "vdim", vdim)
        if e % num_heads:
            raise ValueError(f"{op}: embed_dim (={embed_dim}) must be divisible by num_heads (={num_heads})")
        check_p(op, dropout, "dropout")
        self.dropout = dropout
        self.add_zero_attn = add_zero_attn
        self.batch_first = batch_first
        same = self.kdim == self.vdim == e
        self.in_proj_weight = Parameter(init.xavier_uniform((3 * e, e))) if same else None
        if not same:
            self.q_proj_weight = Parameter(init.xavier_uniform((e, e)))
            self.k_proj_weight = Parameter(init.xavier_uniform((e, self.kdim)))
            self.v_proj_weight = Parameter(init.xavier_uniform((e, self.vdim)))
        self.in_proj_bias = Parameter(torch.zeros(3 * e)) if bias else None
        self.bias_k = Parameter(init.xavier_normal((1, 1, e))) if add_bias_kv else None
        self.bias_v = Parameter(init.xavier_normal((1, 1, e))) if add_bias_kv else None
        self.out_proj = Linear(e, e, bias=bias)
        self.out_proj.weight.data = init.uniform((e, e), 1 / math.sqrt(e))

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
            query: (L, N, E), or with `batch_first` (N, L, E), as is the output; or (L, E), a single sequence.
            key: (S, N, kdim), (N, S, kdim) or (S, kdim).
            value: (S, N, vdim), (N, S, vdim) or (S, vdim).
            key_padding_mask: (N, S), or (S,); True (or −∞, which is added) for a key that nobody may look at.
            need_weights: whether the weights (N, L, S), or (L, S), are wanted too; without them it is faster.
            attn_mask: (L, S) or (N H, L, S); True where a query may *not* look at a key, or numbers that are added.
            average_attn_weights: the mean over the heads; otherwise weights are (N, H, L, S), or (H, L, S).
            is_causal: query i may look at keys 0 to i only; with no mask to be given, unlike torch's.

        `bias_k` and the key that is 0 count in S of the weights, and no mask forbids them. A query that may look at no
        key gets NaN with `need_weights` or dropout, and without them `out_proj`'s bias, as in torch.

        Raises:
            ValueError: shapes don't fit.
        """
        self._check(query, key, value)
        batch, single = 0 if self.batch_first else 1, query.ndim == 2
        if single:
            query, key, value = (unsqueeze(x, batch) for x in (query, key, value))
            key_padding_mask = None if key_padding_mask is None else unsqueeze(key_padding_mask, 0)
        q, k, v = (self._heads(x, part) for part, x in enumerate((query, key, value)))
        mask = self._mask(q, (*q.shape[:3], k.shape[2]), key_padding_mask, attn_mask, is_causal)
        k, v = self._with_more(k, self.bias_k), self._with_more(v, self.bias_v)
        if mask is not None and k.shape[2] > mask.shape[-1]:
            mask = pad(mask, pad=(0, k.shape[2] - mask.shape[-1]))
        weights: Any = None
        if need_weights or (self.training and self.dropout):
            y, weights = self._weighed(q, k, v, mask)
        else:
            y = scaled_dot_product_attention(q, k, v, mask)
        y = self._joined(y)
        if need_weights and average_attn_weights:
            weights = mean(weights, dim=1)
        if single:
            y, weights = squeeze(y, batch), None if weights is None else squeeze(weights, 0)
        return y, weights if need_weights else None

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, {self.num_heads}, batch_first={self.batch_first}"

    def _check(self, query: Array | Tensor, key: Array | Tensor, value: Array | Tensor) -> None:
        single, batch = query.ndim == 2, 0 if self.batch_first else 1
        wanted = "(L, {0})" if single else "(N, L, {0})" if self.batch_first else "(L, N, {0})"
        for name, x, features in (
            ("query", query, self.embed_dim),
            ("key", key, self.kdim),
            ("value", value, self.vdim),
        ):
            if x.ndim != (2 if single else 3) or x.shape[-1] != features:
                raise ValueError(
                    f"MultiheadAttention: {name} of shape {tuple(x.shape)} must be {wanted.format(features)}"
                )
        if key.shape[:-1] != value.shape[:-1] or (not single and key.shape[batch] != query.shape[batch]):
            raise ValueError(
                f"MultiheadAttention: key {tuple(key.shape)} and value {tuple(value.shape)} must have as many "
                f"elements, and as many sequences as query {tuple(query.shape)}"
            )

    def _heads(self, x: Array | Tensor, part: int) -> Tensor:
        """Project x with the part 0 (queries), 1 (keys) or 2 (values) of the weights: (N, H, length, E / H)."""
        mine = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        if self.in_proj_weight is None:
            weight: Any = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[part]
        else:
            weight = self.in_proj_weight[mine]
        y = linear(x, weight, None if self.in_proj_bias is None else self.in_proj_bias[mine])
        heads = reshape(y, shape=(*y.shape[:2], self.num_heads, -1))
        return permute(heads, dims=(0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))

    def _with_more(self, x: Tensor, bias: Parameter | None) -> Tensor:
        """Keys or values (N, H, S, E / H), with the trained one and the one that is 0 after them, if asked for."""
        shape, more = (*x.shape[:2], 1, x.shape[3]), []
        if bias is not None:
            more.append(broadcast_to(reshape(bias, shape=(1, *shape[1:])), shape=shape))
        if self.add_zero_attn:
            more.append(torch.zeros(shape, dtype=x.dtype, device=x.device))
        return concatenate(x, *more, dim=2) if more else x

    def _weighed(self, q: Tensor, k: Tensor, v: Tensor, mask: Any) -> tuple[Tensor, Tensor]:
        """The mean of the values that each query takes, and its weights (N, H, L, S)."""
        scores = matmul(q * (1 / math.sqrt(q.shape[-1])), permute(k, dims=(0, 1, 3, 2)))
        weights = softmax(scores if mask is None else scores + mask, -1)
        if self.training and self.dropout:
            keep = torch.rand(weights.shape, device=weights.device) >= self.dropout
            weights = dropout(weights, keep=keep, p=self.dropout)
        return matmul(weights, v), weights

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
