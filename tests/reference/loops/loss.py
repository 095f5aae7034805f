"""Losses in plain loops, forwards and backwards.

A backward pass here takes ȳ as it is for the reduction (a single number, or one for each loss) and returns the
cotangents of input and target.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .softmax import softmax_of

#: (input, target) → the loss of one number, or its derivative.
Pointwise = Callable[[Any, Any], float]


def reduced(losses: np.ndarray, reduction: str, count: float | None = None) -> np.ndarray:
    """All losses, their sum, or that divided by `count` (unless given, how many there are)."""
    if reduction == "none":
        return losses
    total = sum(losses[at].item() for at in np.ndindex(losses.shape))
    return np.array(total if reduction == "sum" else total / (losses.size if count is None else count))


def elementwise_loss(f: Pointwise) -> Callable[..., np.ndarray]:
    """The loss of arrays that is f of each pair of numbers."""

    def loss(x: np.ndarray, t: np.ndarray, reduction: str = "mean") -> np.ndarray:
        losses = np.empty(x.shape)
        for at in np.ndindex(x.shape):
            losses[at] = f(x[at], t[at])
        return reduced(losses, reduction)

    return loss


def elementwise_loss_backward(by_input: Pointwise, by_target: Pointwise) -> Callable[..., tuple[np.ndarray, ...]]:
    """Its backward pass, from the two derivatives of f."""

    def backward(ȳ: np.ndarray, x: np.ndarray, t: np.ndarray, reduction: str) -> tuple[np.ndarray, ...]:
        x̄, t̄ = np.empty(x.shape), np.empty(t.shape)
        for at in np.ndindex(x.shape):
            ℓ̄ = ȳ[at] if reduction == "none" else ȳ / x.size if reduction == "mean" else ȳ
            x̄[at], t̄[at] = ℓ̄ * by_input(x[at], t[at]), ℓ̄ * by_target(x[at], t[at])
        return x̄, t̄

    return backward


def sign(d: float) -> float:
    return 0.0 if d == 0 else math.copysign(1.0, d)


mse_loss = elementwise_loss(lambda x, t: (x - t) ** 2)
mse_loss_backward = elementwise_loss_backward(lambda x, t: 2 * (x - t), lambda x, t: -2 * (x - t))
l1_loss = elementwise_loss(lambda x, t: abs(x - t))
l1_loss_backward = elementwise_loss_backward(lambda x, t: sign(x - t), lambda x, t: -sign(x - t))


def huber_of(d: float, delta: float) -> float:
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


def huber_loss(x: np.ndarray, t: np.ndarray, reduction: str = "mean", delta: float = 1.0) -> np.ndarray:
    return elementwise_loss(lambda a, b: huber_of(a - b, delta))(x, t, reduction)


def smooth_l1_loss(x: np.ndarray, t: np.ndarray, reduction: str = "mean", beta: float = 1.0) -> np.ndarray:
    return huber_loss(x, t, reduction, beta) / beta if beta else l1_loss(x, t, reduction)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def bce_of(x: float, t: float, pos_weight: float = 1.0) -> float:
    """The cross entropy of one question, just as it is defined."""
    return -pos_weight * t * math.log(sigmoid(x)) - (1 - t) * math.log(1 - sigmoid(x))


bce_backward = elementwise_loss_backward(lambda x, t: sigmoid(x) - t, lambda x, t: -x)


def binary_cross_entropy_with_logits(
    x: np.ndarray,
    t: np.ndarray,
    weight: np.ndarray | None = None,
    pos_weight: np.ndarray | None = None,
    reduction: str = "mean",
) -> np.ndarray:
    """weight and pos_weight are repeated to the shape of x."""
    w = np.broadcast_to(1.0 if weight is None else weight, x.shape)
    v = np.broadcast_to(1.0 if pos_weight is None else pos_weight, x.shape)
    losses = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        losses[at] = w[at] * bce_of(x[at].item(), t[at].item(), v[at].item())
    return reduced(losses, reduction)


def binary_cross_entropy(
    p: np.ndarray, t: np.ndarray, weight: np.ndarray | None = None, reduction: str = "mean"
) -> np.ndarray:
    """weight is repeated to the shape of p."""
    w = np.broadcast_to(1.0 if weight is None else weight, p.shape)
    losses = np.empty(p.shape)
    for at in np.ndindex(p.shape):
        losses[at] = -w[at] * (t[at] * math.log(p[at]) + (1 - t[at]) * math.log(1 - p[at]))
    return reduced(losses, reduction)


def _points(x: np.ndarray) -> list[tuple[tuple[int, ...], tuple[int | slice, ...]]]:
    """Of each point of x (N, C, …) or (C,), where its class stands in the targets, and where its numbers stand in x."""
    axis = min(1, x.ndim - 1)
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return [(at, (*at[:axis], slice(None), *at[axis:])) for at in np.ndindex(*shape)]


def nll_loss(
    log_p: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> np.ndarray:
    """The mean of −log_p over the points, each at its class, is weighted by the classes' weights."""
    losses, total = np.zeros(target.shape), 0.0
    for at, numbers in _points(log_p):
        t = target[at]
        if t != ignore_index:
            w = 1.0 if weight is None else weight[t]
            losses[at] = -w * log_p[numbers][t]
            total += w
    return reduced(losses, reduction, total)


def cross_entropy(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> np.ndarray:
    """−Σ w q ln p, where q is 1 at the point's class (or what `target` says) and is then smoothed."""
    losses, total = np.zeros([n for i, n in enumerate(x.shape) if i != min(1, x.ndim - 1)]), 0.0
    classes = x.shape[min(1, x.ndim - 1)]
    w = np.ones(classes) if weight is None else weight
    for at, numbers in _points(x):
        p = softmax_of(x[numbers].tolist())
        if target.shape == x.shape:
            q = target[numbers]
            total += 1
        elif target[at] != ignore_index:
            q = np.array([float(c == target[at]) for c in range(classes)])
            total += w[target[at]]
        else:
            continue
        for c in range(classes):
            smooth = (1 - label_smoothing) * q[c] + label_smoothing / classes
            losses[at] -= w[c] * smooth * math.log(p[c])
    return reduced(losses, reduction, total)


def cross_entropy_backward(ȳ: np.ndarray, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The logits' cotangent for the mean over points with a class each: ȳ / N times p, less 1 at the class."""
    x̄ = np.empty(x.shape)
    points = _points(x)
    for at, numbers in points:
        p = softmax_of(x[numbers].tolist())
        x̄[numbers] = [ȳ / len(points) * (p[c] - (c == target[at])) for c in range(len(p))]
    return x̄
