"""The backward passes of channel and spatial attention in plain loops.

Both compute y = x · w with w = σ(score of x), so x reaches y over two ways, and its cotangent has two terms. By itself
each x gets ȳ w; and through the scores, whose cotangents are

    s̄ = Σ ȳ x · w (1 − w)   over all x that share the weight w,

it gets what the small network behind the scores, the means and the maxima send back. A mean of n values sends each of
them 1 / n of its cotangent; a maximum sends all of it to the largest value, in equal parts where several tie.

Each function returns (x̄, the cotangents of the weights by name).
"""

from __future__ import annotations

import numpy as np

from .activation import elementwise, relu, sigmoid
from .attention import State, channel_attention, mlp, over_channels, over_pixels, under
from .conv import conv2d, conv2d_backward, linear, linear_backward


def mlp_backward(state: State, ȳ: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, State]:
    """Through linear, ReLU, linear, the last one first; the hidden values are computed once more."""
    before = linear(x, state["mlp.0.weight"], state["mlp.0.bias"])
    hidden = elementwise(relu, before)
    hidden_bar, w2, b2 = linear_backward(ȳ, hidden, state["mlp.2.weight"])
    before_bar = elementwise(lambda h, z: h if z > 0 else 0.0, hidden_bar, before)
    x̄, w0, b0 = linear_backward(before_bar, x, state["mlp.0.weight"])
    return x̄, {"mlp.0.weight": w0, "mlp.0.bias": b0, "mlp.2.weight": w2, "mlp.2.bias": b2}


def channel_attention_backward(state: State, ȳ: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, State]:
    """The network is used twice, on the means and on the maxima, so the cotangents of its weights are sums of two."""
    means, maxima = over_pixels(x, "mean"), over_pixels(x, "max")
    scores = mlp(state, means) + mlp(state, maxima)
    s̄ = np.zeros(scores.shape)
    for n, c, r, q in np.ndindex(x.shape):
        w = sigmoid(scores[n, c])
        s̄[n, c] += ȳ[n, c, r, q] * x[n, c, r, q] * w * (1 - w)
    means_bar, from_means = mlp_backward(state, s̄, means)
    maxima_bar, from_maxima = mlp_backward(state, s̄, maxima)
    x̄ = np.empty(x.shape)
    for n, c in np.ndindex(scores.shape):
        pixels = list(np.ndindex(x.shape[2:]))
        ties = sum(x[n, c, r, q] == maxima[n, c] for r, q in pixels)
        for r, q in pixels:
            x̄[n, c, r, q] = ȳ[n, c, r, q] * sigmoid(scores[n, c]) + means_bar[n, c] / len(pixels)
            if x[n, c, r, q] == maxima[n, c]:
                x̄[n, c, r, q] += maxima_bar[n, c] / ties
    return x̄, {name: from_means[name] + from_maxima[name] for name in from_means}


def spatial_attention_backward(state: State, ȳ: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, State]:
    """The small network is one convolution from two maps to one."""
    w_conv, maps, channels = state["conv.weight"], over_channels(x), x.shape[1]
    padding = w_conv.shape[2] // 2
    scores = conv2d(maps, w_conv, padding=padding)
    s̄ = np.zeros(scores.shape)
    for n, c, r, q in np.ndindex(x.shape):
        w = sigmoid(scores[n, 0, r, q])
        s̄[n, 0, r, q] += ȳ[n, c, r, q] * x[n, c, r, q] * w * (1 - w)
    maps_bar, w_bar, _ = conv2d_backward(s̄, maps, w_conv, padding=padding)
    x̄ = np.empty(x.shape)
    for n, c, r, q in np.ndindex(x.shape):
        ties = sum(x[n, other, r, q] == maps[n, 1, r, q] for other in range(channels))
        x̄[n, c, r, q] = ȳ[n, c, r, q] * sigmoid(scores[n, 0, r, q]) + maps_bar[n, 0, r, q] / channels
        if x[n, c, r, q] == maps[n, 1, r, q]:
            x̄[n, c, r, q] += maps_bar[n, 1, r, q] / ties
    return x̄, {"conv.weight": w_bar}


def cbam_backward(state: State, ȳ: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, State]:
    """What came last goes first: pixels, then channels."""
    channel, spatial = under(state, "channel"), under(state, "spatial")
    between, of_spatial = spatial_attention_backward(spatial, ȳ, channel_attention(channel, x))
    x̄, of_channel = channel_attention_backward(channel, between, x)
    named = {f"spatial.{name}": array for name, array in of_spatial.items()}
    return x̄, named | {f"channel.{name}": array for name, array in of_channel.items()}
