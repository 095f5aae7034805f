"""Spectral normalisation and the adversarial losses in plain loops."""

from __future__ import annotations

import numpy as np

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
        state["weight_u"], state["weight_v"] = power_iteration(w, state["weight_u"])
    normalised = spectral_norm(w, state["weight_u"], state["weight_v"])
    return conv2d(x, normalised, state["bias"], stride=stride, padding=padding)


def hinge_loss(scores: np.ndarray, patches: np.ndarray, sign: int) -> np.ndarray:
    """The mean of max(0, 1 − sign · score) over the chosen patches."""
    chosen = [scores[index] for index in np.ndindex(scores.shape) if patches[index]]
    return np.array(sum(max(0.0, 1 - sign * float(score)) for score in chosen) / len(chosen))


def patch_mean(scores: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """The mean score of the chosen patches."""
    chosen = [scores[index] for index in np.ndindex(scores.shape) if patches[index]]
    return np.array(sum(chosen) / len(chosen))
