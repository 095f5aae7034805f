"""Batch norm (forwards and backwards) and group norm in plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Index = tuple[int, ...]


def mean_and_variance(x: np.ndarray, members: list[Index]) -> tuple[float, float]:
    """The mean of x at these places, and the mean squared deviation from it (the biased variance)."""
    mean = sum(x[at] for at in members) / len(members)
    return mean, sum((x[at] - mean) ** 2 for at in members) / len(members)


def of_channel(shape: tuple[int, ...], channel: int) -> list[Index]:
    """All places of one channel: every image, every pixel."""
    return [at for at in np.ndindex(shape) if at[1] == channel]


def batch_norm(
    x: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    *,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    """x (N, C, …), channel by channel. In training the running statistics are moved, in place."""
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        members = of_channel(x.shape, c)
        if training:
            mean, variance = mean_and_variance(x, members)
            unbiased = variance * len(members) / (len(members) - 1)
            running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean
            running_var[c] = (1 - momentum) * running_var[c] + momentum * unbiased
        else:
            mean, variance = running_mean[c], running_var[c]
        for at in members:
            y[at] = (x[at] - mean) / math.sqrt(variance + eps)
            y[at] = y[at] * (1 if weight is None else weight[c]) + (0 if bias is None else bias[c])
    return y


def batch_norm_layer(state: dict[str, np.ndarray], x: np.ndarray, training: bool, **options: Any) -> np.ndarray:
    """Batch norm with the weights (if it has any) and statistics of a layer's `state`; in training, one more batch."""
    state["num_batches_tracked"][...] += training
    running: dict[str, Any] = {name: state[name] for name in ("running_mean", "running_var")}
    return batch_norm(x, state.get("weight"), state.get("bias"), training=training, **running, **options)


def batch_norm_backward(
    ȳ: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cotangents (x̄, weight's, bias's) in training, where mean and variance depend on x as well.

    One value x moves its own x̂, and through the mean and the deviation every other x̂ of its channel:

        x̂ᵢ = (xᵢ − μ) / s,   ∂x̂ᵢ/∂xⱼ = ([i = j] − 1/n − x̂ᵢ x̂ⱼ / n) / s.

    The loops sum this over i, one term after the other: quadratic in n, where the layer takes two means.
    """
    x̄, weight_bar, bias_bar = np.zeros(x.shape), np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for c in range(x.shape[1]):
        members = of_channel(x.shape, c)
        n = len(members)
        mean, variance = mean_and_variance(x, members)
        s = math.sqrt(variance + eps)
        x̂ = {at: (x[at] - mean) / s for at in members}
        for i in members:
            weight_bar[c] += ȳ[i] * x̂[i]
            bias_bar[c] += ȳ[i]
            for j in members:
                x̄[j] += ȳ[i] * weight[c] * ((i == j) - 1 / n - x̂[i] * x̂[j] / n) / s
    return x̄, weight_bar, bias_bar


def group_norm(
    x: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    *,
    num_groups: int,
    eps: float = 1e-5,
) -> np.ndarray:
    """x (N, C, …): each image's groups of C / num_groups channels by themselves."""
    y = np.empty(x.shape)
    size = x.shape[1] // num_groups
    for n in range(x.shape[0]):
        for group in range(num_groups):
            members = [at for at in np.ndindex(x.shape) if at[0] == n and at[1] // size == group]
            mean, variance = mean_and_variance(x, members)
            for at in members:
                y[at] = (x[at] - mean) / math.sqrt(variance + eps)
                y[at] = y[at] * (1 if weight is None else weight[at[1]]) + (0 if bias is None else bias[at[1]])
    return y


def layer_norm(
    x: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    *,
    normalized_shape: tuple[int, ...],
    eps: float = 1e-5,
) -> np.ndarray:
    """x (…, *normalized_shape): each point's numbers by themselves."""
    y = np.empty(x.shape)
    leading = x.shape[: x.ndim - len(normalized_shape)]
    inner = list(np.ndindex(*normalized_shape))
    for point in np.ndindex(*leading):
        mean, variance = mean_and_variance(x, [(*point, *at) for at in inner])
        for at in inner:
            x̂ = (x[(*point, *at)] - mean) / math.sqrt(variance + eps)
            y[(*point, *at)] = x̂ * (1 if weight is None else weight[at]) + (0 if bias is None else bias[at])
    return y


def layer_norm_backward(
    ȳ: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cotangents (x̄, weight's, bias's) for x (N, D): as in batch norm, but one point has the mean and not one
    channel, and γ differs among those that share it."""
    x̄, weight_bar, bias_bar = np.zeros(x.shape), np.zeros(x.shape[1]), np.zeros(x.shape[1])
    n = x.shape[1]
    for point in range(x.shape[0]):
        mean, variance = mean_and_variance(x, [(point, i) for i in range(n)])
        s = math.sqrt(variance + eps)
        x̂ = [(x[point, i] - mean) / s for i in range(n)]
        for i in range(n):
            weight_bar[i] += ȳ[point, i] * x̂[i]
            bias_bar[i] += ȳ[point, i]
            for j in range(n):
                x̄[point, j] += ȳ[point, i] * weight[i] * ((i == j) - 1 / n - x̂[i] * x̂[j] / n) / s
    return x̄, weight_bar, bias_bar
