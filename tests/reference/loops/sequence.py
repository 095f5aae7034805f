"""Embedding and the attention of transformers in plain loops, forwards and backwards."""

from __future__ import annotations

import math

import numpy as np

from .conv import linear
from .core import matmul
from .softmax import softmax_backward, softmax_of


def embedding(weight: np.ndarray, indices: np.ndarray, padding_idx: int | None = None) -> np.ndarray:
    """The row of each word."""
    y = np.empty((*indices.shape, weight.shape[1]))
    for at in np.ndindex(indices.shape):
        y[at] = weight[indices[at]]
    return y


def embedding_backward(
    ȳ: np.ndarray, weight: np.ndarray, indices: np.ndarray, padding_idx: int | None = None
) -> np.ndarray:
    """Each row adds up what comes from the places where it was taken; the padding's row stays as it is."""
    W̄ = np.zeros(weight.shape)
    for at in np.ndindex(indices.shape):
        if indices[at] != padding_idx:
            W̄[indices[at]] += ȳ[at]
    return W̄


def _scores(
    query: np.ndarray, key: np.ndarray, attn_mask: np.ndarray | None, is_causal: bool, scale: float | None
) -> np.ndarray:
    """How well each query matches each key: their scaled product, and −∞ where the query may not look."""
    s = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = matmul(query, np.swapaxes(key, -1, -2)) * s
    mask = None if attn_mask is None else np.broadcast_to(attn_mask, scores.shape)
    for at in np.ndindex(scores.shape):
        if mask is not None and mask.dtype != bool:
            scores[at] += mask[at]
        elif mask is not None and not mask[at]:
            scores[at] = -math.inf
        if is_causal and at[-1] > at[-2]:
            scores[at] = -math.inf
    return scores


def attention_weights(scores: np.ndarray) -> np.ndarray:
    """The softmax of each query's scores; 0 for a query that may look at nothing."""
    weights = np.zeros(scores.shape)
    for at in np.ndindex(scores.shape[:-1]):
        if scores[at].max() > -math.inf:
            weights[at] = softmax_of(scores[at].tolist())
    return weights


def scaled_dot_product_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    attn_mask: np.ndarray | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> np.ndarray:
    """For each query the mean of all values, weighted by how well their keys match it."""
    return matmul(attention_weights(_scores(query, key, attn_mask, is_causal, scale)), value)


def scaled_dot_product_attention_backward(
    Ȳ: np.ndarray, query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cotangents of query (L, E), key (S, E) and value (S, D): a product, a softmax and a product backwards."""
    scores = _scores(query, key, None, False, None)
    weights, s = attention_weights(scores), 1 / math.sqrt(query.shape[-1])
    weights_bar = matmul(Ȳ, value.T)
    scores_bar = softmax_backward(weights_bar, scores, -1)
    return s * matmul(scores_bar, key), s * matmul(scores_bar.T, query), matmul(weights.T, Ȳ)


def _projections(state: dict[str, np.ndarray], features: int, *inputs: np.ndarray) -> list[np.ndarray]:
    """Queries, keys and values as the layer's weights make them of the inputs (N, length, …), with the keys and values
    that it adds at the end of each sequence: trained ones, or 0."""
    found = []
    for part, (name, x) in enumerate(zip("qkv", inputs, strict=True)):
        mine = slice(part * features, (part + 1) * features)
        own = f"{name}_proj_weight"
        weight = state[own] if own in state else state["in_proj_weight"][mine]
        y = linear(x, weight, state["in_proj_bias"][mine] if "in_proj_bias" in state else None)
        if part and f"bias_{name}" in state:
            y = np.stack([np.concatenate((one, state[f"bias_{name}"][0])) for one in y])
        found.append(y)
    return found


def multihead_attention(
    state: dict[str, np.ndarray],
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    num_heads: int,
    allowed: np.ndarray | None = None,
    added: np.ndarray | None = None,
    add_zero_attn: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The output (N, L, E) and the weights (N, H, L, S) of inputs (N, L, E) and (N, S, E), one sequence and one head
    after the other.

    `allowed` is true where a query may look at a key, `added` is added to the scores; both broadcast to (N, H, L, S).
    Keys that the layer adds are among S, always allowed, and nothing is added to their scores.
    """
    n, length, features = query.shape
    width = features // num_heads
    given = (n, num_heads, length, key.shape[1])
    projected = _projections(state, features, query, key, value)
    if add_zero_attn:
        projected[1:] = [np.concatenate((x, np.zeros((n, 1, features))), 1) for x in projected[1:]]
    keys = projected[1].shape[1]
    may = np.ones((n, num_heads, length, keys), bool)
    more = np.zeros(may.shape)
    may[..., : given[3]] = np.broadcast_to(True if allowed is None else allowed, given)
    more[..., : given[3]] = np.broadcast_to(0.0 if added is None else added, given)
    joined, weights = np.empty(query.shape), np.empty(may.shape)
    for i in range(n):
        for head in range(num_heads):
            mine = slice(head * width, (head + 1) * width)
            q, k, v = (x[i][:, mine] for x in projected)
            scores = matmul(q, k.T) / math.sqrt(width) + more[i, head]
            weights[i, head] = attention_weights(np.where(may[i, head], scores, -math.inf))
            joined[i][:, mine] = matmul(weights[i, head], v)
    return linear(joined, state["out_proj.weight"], state.get("out_proj.bias")), weights
