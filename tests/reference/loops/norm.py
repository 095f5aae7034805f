"""Norms in plain loops: batch, layer and RMS norm forwards and backwards, group and instance norm forwards."""

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
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    """x (N, C, …), channel by channel. In training the running statistics are moved, in place."""
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        members = of_channel(x.shape, c)
        if training or running_mean is None or running_var is None:
            mean, variance = mean_and_variance(x, members)
        else:
            mean, variance = running_mean[c], running_var[c]
        if training and running_mean is not None and running_var is not None:
            unbiased = variance * len(members) / (len(members) - 1)
            running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean
            running_var[c] = (1 - momentum) * running_var[c] + momentum * unbiased
        for at in members:
            y[at] = (x[at] - mean) / math.sqrt(variance + eps)
            y[at] = y[at] * (1 if weight is None else weight[c]) + (0 if bias is None else bias[c])
    return y


def batch_norm_layer(state: dict[str, np.ndarray], x: np.ndarray, training: bool, **options: Any) -> np.ndarray:
    """Batch norm with the weights (if it has any) and statistics of a layer's `state`; in training, one more batch."""
    if "num_batches_tracked" in state:
        state["num_batches_tracked"][...] += training
    running: dict[str, Any] = {name: state.get(name) for name in ("running_mean", "running_var")}
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


def rms_norm(
    x: np.ndarray, weight: np.ndarray | None = None, *, normalized_shape: tuple[int, ...], eps: float | None = None
) -> np.ndarray:
    """x (…, *normalized_shape): each point's numbers divided by their root mean square."""
    y = np.empty(x.shape)
    leading = x.shape[: x.ndim - len(normalized_shape)]
    inner = list(np.ndindex(*normalized_shape))
    for point in np.ndindex(*leading):
        square = sum(x[(*point, *at)] ** 2 for at in inner) / len(inner)
        for at in inner:
            x̂ = x[(*point, *at)] / math.sqrt(square + (np.finfo(float).eps if eps is None else eps))
            y[(*point, *at)] = x̂ * (1 if weight is None else weight[at])
    return y


def rms_norm_backward(
    ȳ: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray]:
    """The cotangents (x̄, weight's) for x (N, D): x̂ᵢ = xᵢ / s, and ∂x̂ᵢ/∂xⱼ = ([i = j] − x̂ᵢ x̂ⱼ / n) / s."""
    x̄, weight_bar = np.zeros(x.shape), np.zeros(x.shape[1])
    n = x.shape[1]
    for point in range(x.shape[0]):
        s = math.sqrt(sum(value**2 for value in x[point]) / n + eps)
        x̂ = [value / s for value in x[point]]
        for i in range(n):
            weight_bar[i] += ȳ[point, i] * x̂[i]
            for j in range(n):
                x̄[point, j] += ȳ[point, i] * weight[i] * ((i == j) - x̂[i] * x̂[j] / n) / s
    return x̄, weight_bar


def instance_norm_layer(
    state: dict[str, np.ndarray], x: np.ndarray, training: bool, eps: float = 1e-5, momentum: float = 0.1
) -> np.ndarray:
    """x (N, C, …): each channel of each image by itself; in evaluation by the running statistics, if any, which
    in training move to the means over the images."""
    y = np.empty(x.shape)
    images, channels = x.shape[:2]
    tracked = "running_mean" in state
    for c in range(channels):
        found = []
        for n in range(images):
            members = [at for at in np.ndindex(x.shape) if at[:2] == (n, c)]
            mean, variance = mean_and_variance(x, members)
            found.append((mean, variance * len(members) / (len(members) - 1)))
            if tracked and not training:
                mean, variance = state["running_mean"][c], state["running_var"][c]
            for at in members:
                y[at] = (x[at] - mean) / math.sqrt(variance + eps)
                y[at] = y[at] * state["weight"][c] if "weight" in state else y[at]
                y[at] = y[at] + state["bias"][c] if "bias" in state else y[at]
        if tracked and training:
            for name, of_images in zip(("running_mean", "running_var"), zip(*found, strict=True), strict=True):
                state[name][c] = (1 - momentum) * state[name][c] + momentum * sum(of_images) / images
    return y
