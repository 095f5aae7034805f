"""Spectral normalisation, the discriminator and the adversarial losses in plain loops."""

from __future__ import annotations

import numpy as np

from .activation import elementwise, leaky_relu
from .attention import State, under
from .conv import conv2d
from .windows import Size


def spectral_norm(w: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """w divided by σ = Σ uₒ Wₒₖ vₖ, where row o of W is the o-th output channel of w."""
    matrix = w.reshape(w.shape[0], -1)
    sigma = 0.0
    for o, k in np.ndindex(matrix.shape):
        sigma += u[o] * matrix[o, k] * v[k]
    return w / sigma


def power_iteration(w: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Miyato et al. 2018, algorithm 1: v = Wᵀu and then u = Wv, each cut to length 1."""
    matrix = w.reshape(w.shape[0], -1)
    v = np.zeros(matrix.shape[1])
    for o, k in np.ndindex(matrix.shape):
        v[k] += matrix[o, k] * u[o]
    v /= np.sqrt(sum(value * value for value in v))
    u = np.zeros(matrix.shape[0])
    for o, k in np.ndindex(matrix.shape):
        u[o] += matrix[o, k] * v[k]
    return u / np.sqrt(sum(value * value for value in u)), v


def spectral_conv2d(
    state: dict[str, np.ndarray], x: np.ndarray, training: bool, stride: Size = 1, padding: Size = 0
) -> np.ndarray:
    """A convolution with the normalised weight; in training u and v in `state` are moved first."""
    w = state["weight_orig"]
    if training:
        state["weight_u"][...], state["weight_v"][...] = power_iteration(w, state["weight_u"])
    normalised = spectral_norm(w, state["weight_u"], state["weight_v"])
    return conv2d(x, normalised, state["bias"], stride=stride, padding=padding)


def patch_discriminator(state: State, photo: np.ndarray, mask: np.ndarray, training: bool) -> np.ndarray:
    """From photos (N, 3, H, W) and masks (N, 1, H, W) to scores (N, 1, H / 4, W / 4)."""
    x = np.concatenate((2 * photo - 1, mask), axis=1)
    for number, stride, padding in ((0, 2, 2), (2, 2, 1), (4, 1, 1)):
        x = spectral_conv2d(under(state, f"body.{number}"), x, training, stride, padding)
        x = elementwise(lambda v: leaky_relu(v, 0.2), x)
    return spectral_conv2d(under(state, "body.6"), x, training)


def hinge_loss(scores: np.ndarray, patches: np.ndarray, sign: int) -> np.ndarray:
    """The mean of max(0, 1 − sign · score) over the chosen patches."""
    chosen = [scores[index] for index in np.ndindex(scores.shape) if patches[index]]
    return np.array(sum(max(0.0, 1 - sign * float(score)) for score in chosen) / len(chosen))


def patch_mean(scores: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """The mean score of the chosen patches."""
    chosen = [scores[index] for index in np.ndindex(scores.shape) if patches[index]]
    return np.array(sum(chosen) / len(chosen))
