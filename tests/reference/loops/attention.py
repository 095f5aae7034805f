"""Channel and spatial attention and the residual block, put together from the loops of their parts.

The backward passes of both attentions stand in `attention_backward.py`.

`state` maps the names of a layer's weights to arrays, as its `state_dict()` does.
"""

from __future__ import annotations

import numpy as np

from .activation import elementwise, relu, sigmoid
from .conv import conv2d, linear
from .norm import batch_norm_layer, group_norm

State = dict[str, np.ndarray]


def under(state: State, name: str) -> State:
    """The weights of the part called `name`, by their names within it."""
    return {key.removeprefix(f"{name}."): array for key, array in state.items() if key.startswith(f"{name}.")}


def over_pixels(x: np.ndarray, summary: str) -> np.ndarray:
    """(N, C, H, W) → (N, C): each channel's mean or largest value."""
    y = np.empty(x.shape[:2])
    for n, c in np.ndindex(y.shape):
        values = [x[n, c, r, q] for r, q in np.ndindex(x.shape[2:])]
        y[n, c] = max(values) if summary == "max" else sum(values) / len(values)
    return y


def over_channels(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) → (N, 2, H, W): each pixel's mean and largest value."""
    n_images, channels, height, width = x.shape
    maps = np.empty((n_images, 2, height, width))
    for n, r, q in np.ndindex(n_images, height, width):
        values = [x[n, c, r, q] for c in range(channels)]
        maps[n, :, r, q] = sum(values) / channels, max(values)
    return maps


def mlp(state: State, x: np.ndarray) -> np.ndarray:
    hidden = elementwise(relu, linear(x, state["mlp.0.weight"], state["mlp.0.bias"]))
    return linear(hidden, state["mlp.2.weight"], state["mlp.2.bias"])


def weigh_channels(x: np.ndarray, scores: np.ndarray) -> np.ndarray:
    y = np.empty(x.shape)
    for n, c, r, q in np.ndindex(x.shape):
        y[n, c, r, q] = x[n, c, r, q] * sigmoid(float(scores[n, c]))
    return y


def squeeze_excitation(state: State, x: np.ndarray) -> np.ndarray:
    """One weight for each channel, from the channels' means."""
    return weigh_channels(x, mlp(state, over_pixels(x, "mean")))


def channel_attention(state: State, x: np.ndarray) -> np.ndarray:
    """One weight for each channel, from the channels' means and largest values through one network."""
    scores = mlp(state, over_pixels(x, "mean")) + mlp(state, over_pixels(x, "max"))
    return weigh_channels(x, scores)


def spatial_attention(state: State, x: np.ndarray) -> np.ndarray:
    """One weight for each pixel, from the mean and the largest value of all its channels.

    With weights for it in `state`, the scores are standardised within each image first.
    """
    w = state["conv.weight"]
    scores = conv2d(over_channels(x), w, padding=w.shape[2] // 2)
    if "norm.weight" in state:
        scores = group_norm(scores, state["norm.weight"], state["norm.bias"], num_groups=1)
    y = np.empty(x.shape)
    for n, c, r, q in np.ndindex(x.shape):
        y[n, c, r, q] = x[n, c, r, q] * sigmoid(scores[n, 0, r, q])
    return y


def cbam(state: State, x: np.ndarray) -> np.ndarray:
    """Channels first, then pixels."""
    return spatial_attention(under(state, "spatial"), channel_attention(under(state, "channel"), x))


def residual_block(state: State, x: np.ndarray, training: bool) -> np.ndarray:
    """relu(x + bn(conv(relu(bn(conv(x))))))."""

    def conv_then_norm(z: np.ndarray, number: int) -> np.ndarray:
        z = conv2d(z, state[f"conv{number}.weight"], padding=1)
        return batch_norm_layer(under(state, f"bn{number}"), z, training)

    inner = conv_then_norm(elementwise(relu, conv_then_norm(x, 1)), 2)
    return elementwise(lambda a, b: relu(a + b), x, inner)
