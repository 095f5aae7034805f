"""The networks, put together from the loops of their layers. What they see of a photo is given, fills as well.

`state` maps the names of a network's weights to arrays, as its `state_dict()` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .activation import elementwise, relu, sigmoid, silu
from .attention import State, cbam, residual_block, spatial_attention, squeeze_excitation, under
from .conv import conv2d, linear
from .norm import batch_norm_layer, group_norm
from .pooling import max_pool2d
from .resampling import pixel_shuffle, pixel_unshuffle


def linear_regression(state: State, ring: np.ndarray, splits: int) -> np.ndarray:
    """From the ring's colours less their mean (N, 3, 36) to each cell's (N, 3, splits, splits)."""
    y = linear(ring.reshape(len(ring), -1), state["regression.weight"], state["regression.bias"])
    return y.reshape(len(ring), 3, splits, splits)


def basic_network(state: State, tiles: np.ndarray, ring: np.ndarray, training: bool) -> np.ndarray:
    """From tiles (N, 4, 32, 32) and the ring's colours (N, 108) to the cells' colours (N, 3, 4, 4)."""

    def layer(number: int, x: np.ndarray) -> np.ndarray:
        return conv_norm_relu(under(state, f"backbone.{number}"), under(state, f"backbone.{number + 1}"), x, training)

    x = max_pool2d(layer(0, tiles), kernel_size=2)
    x = max_pool2d(layer(7, layer(4, x)), kernel_size=2)
    x = conv(under(state, "head"), layer(17, layer(14, layer(11, x))))
    return x[:, :, 2:6, 2:6] + linear(ring, state["ring.weight"]).reshape(-1, 3, 4, 4)


def paint(cells: np.ndarray, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photos with each missing pixel in the colour of its cell, one of k × k in the hole's bounds."""
    y, k = masked.copy(), cells.shape[-1]
    for n in range(len(masked)):
        missing = [pixel for pixel in np.ndindex(mask.shape[2:]) if mask[(n, 0, *pixel)]]
        (top, bottom), (left, right) = ((min(axis), max(axis) + 1) for axis in zip(*missing, strict=True))
        for row, column in missing:
            i = next(i for i in range(k) if row - top < (i + 1) * (bottom - top) // k)
            j = next(j for j in range(k) if column - left < (j + 1) * (right - left) // k)
            y[n, :, row, column] = cells[n, :, i, j]
    return y


def attention_residual(state: State, seen: np.ndarray, dilations: tuple[int, ...]) -> np.ndarray:
    """The attention model from what it sees (N, 5, H, W) to what it adds to the fill (N, 3, H, W).

    What it was built without has no weights in `state`.
    """
    at2 = conv(under(state, "stem.1"), pixel_unshuffle(seen, downscale_factor=2), padding=1)
    at2 = block(under(state, "encoder2.body"), at2)
    at4 = halved(under(state, "encoder4"), at2)
    at4 = block(under(state, "encoder4.3.body"), at4)
    deep = halved(under(state, "encoder8"), at4)
    for number, dilation in enumerate(dilations):
        deep = block(under(state, f"bottleneck.{number}.body"), deep, dilation)
    at4 = beside(state, "4", deep, at4)
    at4 = block(under(state, "decoder4.1.body"), conv(under(state, "decoder4.0"), at4))
    at2 = beside(state, "2", at4, at2)
    at2 = block(under(state, "decoder2.1.body"), conv(under(state, "decoder2.0"), at2))
    return up(under(state, "head.2"), elementwise(silu, normed(under(state, "head.0"), at2)))


def conv(state: State, x: np.ndarray, **options: Any) -> np.ndarray:
    return conv2d(x, state["weight"], state.get("bias"), **options)


def conv_norm_relu(w: State, bn: State, x: np.ndarray, training: bool, stride: int = 1) -> np.ndarray:
    return elementwise(relu, batch_norm_layer(bn, conv(w, x, stride=stride, padding=1), training))


def normed(state: State, x: np.ndarray) -> np.ndarray:
    return group_norm(x, state["weight"], state["bias"], num_groups=8)


def halved(state: State, x: np.ndarray) -> np.ndarray:
    return conv(under(state, "2"), elementwise(silu, normed(under(state, "0"), x)), stride=2, padding=1)


def block(state: State, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    """x and what two convolutions make of it, weighed by channel unless the network was built without that."""
    inner = conv(under(state, "1"), normed(under(state, "0"), x), padding=dilation, dilation=dilation)
    y = conv(under(state, "3"), elementwise(silu, inner), padding=1)
    return x + (squeeze_excitation(under(state, "4"), y) if under(state, "4") else y)


def beside(state: State, level: str, deeper: np.ndarray, encoded: np.ndarray) -> np.ndarray:
    """What the decoder at 1 / `level` sees: the deeper level and, if its weights can take it, what lies beside."""
    deeper = up(under(state, f"up{level}.1"), normed(under(state, f"up{level}.0"), deeper))
    skip = under(state, f"skip{level}")
    if state[f"decoder{level}.0.weight"].shape[1] == deeper.shape[1]:
        return deeper
    return np.concatenate((deeper, spatial_attention(skip, encoded) if skip else encoded), axis=1)


def up(state: State, x: np.ndarray) -> np.ndarray:
    """Twice the resolution: a convolution that keeps the size, whose channels become pixels."""
    return pixel_shuffle(conv(state, x, padding=state["weight"].shape[2] // 2), upscale_factor=2)


def attention_report(state: State, masked: np.ndarray, mask: np.ndarray, training: bool) -> np.ndarray:
    """The report's network from masked photos (N, 3, H, W) and masks (N, 1, H, W) to photos."""

    def layer(name: str, x: np.ndarray, stride: int = 1) -> np.ndarray:
        return conv_norm_relu(under(state, f"{name}.0"), under(state, f"{name}.1"), x, training, stride)

    known = masked * (1 - mask)
    at2 = layer("encoder2", known, stride=2)
    at4 = layer("encoder4", at2, stride=2)
    deep = layer("encoder8", at4, stride=2)
    for number in range(3):
        deep = residual_block(under(state, f"bottleneck.{number}"), deep, training)
    at4 = np.concatenate((up(under(state, "up4.0"), deep), cbam(under(state, "skip4"), at4)), axis=1)
    at4 = layer("decoder4", at4)
    at2 = np.concatenate((up(under(state, "up2.0"), at4), cbam(under(state, "skip2"), at2)), axis=1)
    at2 = layer("decoder2", at2)
    full = layer("refine.0", up(under(state, "up1.0"), at2))
    colours = elementwise(sigmoid, conv(under(state, "refine.1"), full, padding=1))
    return known + colours * mask
