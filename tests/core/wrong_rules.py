"""Wrong rules, each with one typical mistake, and the words of the hint that must name it.

They are raw functions that return a value and a pullback, and depend on nothing of the engine. 24 of them here; the
mistakes that textbooks and forums name most often are in `wrong_rules_classic.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from photomend.core import Array
from torch.nn import grad


def draw(*shape: int, seed: int = 0) -> Array:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 + seed), dtype=torch.float64)


@dataclass(frozen=True)
class Wrong:
    """A rule with a mistake, its inputs, and the phrase that the hint must contain.

    `reference` is given where the mistake is in the value.
    """

    rule: Callable[..., Any]
    inputs: tuple[Array, ...]
    phrase: str
    reference: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        return self.rule.__name__


# Elementwise


def tanh_in_terms_of_x(x: Array):
    return torch.tanh(x), lambda ȳ: ȳ * (1 - x * x)


def sigmoid_without_complement(x: Array):
    y = torch.sigmoid(x)
    return y, lambda ȳ: ȳ * y


def leaky_relu_without_slope(x: Array):
    return torch.where(x > 0, x, 0.1 * x), lambda ȳ: ȳ * (x > 0)


def root_upside_down(x: Array):
    y = x.sqrt()
    return y, lambda ȳ: ȳ * 2 * y


def quotient_without_square(a: Array, b: Array):
    return a / b, lambda ȳ: (ȳ / b, -ȳ * a / b)


def absolute_unchanged(x: Array):
    return x.abs(), lambda ȳ: ȳ.clone()


# Matrix products


def linear_weight_untransposed(x: Array, w: Array):
    """x Wᵀ with a square W."""
    return x @ w.mT, lambda ȳ: (ȳ @ w.mT, ȳ.mT @ x)


def matmul_gradient_transposed(a: Array, b: Array):
    return a @ b, lambda ȳ: (ȳ @ b.mT, ȳ.mT @ a)


# Softmax and cross-entropy


def softmax_sum_over_batch(x: Array):
    y = torch.softmax(x, 1)
    return y, lambda ȳ: y * (ȳ - (ȳ * y).sum(0, keepdim=True))


def softmax_sum_without_y(x: Array):
    y = torch.softmax(x, 1)
    return y, lambda ȳ: y * (ȳ - ȳ.sum(1, keepdim=True))


def log_softmax_without_exp(x: Array):
    y = torch.log_softmax(x, 1)
    return y, lambda ȳ: ȳ - y * ȳ.sum(1, keepdim=True)


def cross_entropy_of_logits(x: Array, labels: Array):
    one_hot = F.one_hot(labels, x.shape[1])
    loss = -(torch.log_softmax(x, 1) * one_hot).sum() / len(x)
    return loss, lambda ȳ: (ȳ * (x - one_hot) / len(x), None)


# Normalisation


def _layer_norm(x: Array, γ: Array, β: Array):
    σ = (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    x̂ = (x - x.mean(1, keepdim=True)) / σ
    return γ * x̂ + β, x̂, σ


def _mean(x: Array) -> Array:
    return x.mean(1, keepdim=True)


def layer_norm_sigma_twice(x: Array, γ: Array, β: Array):
    y, x̂, σ = _layer_norm(x, γ, β)

    def pullback(ȳ: Array):
        g = γ * ȳ
        return (g - _mean(g) - x̂ * _mean(g * x̂)) / σ**2, (ȳ * x̂).sum(0), ȳ.sum(0)

    return y, pullback


def layer_norm_gamma_not_in_means(x: Array, γ: Array, β: Array):
    y, x̂, σ = _layer_norm(x, γ, β)
    return y, lambda ȳ: ((γ * ȳ - _mean(ȳ) - x̂ * _mean(ȳ * x̂)) / σ, (ȳ * x̂).sum(0), ȳ.sum(0))


def _batch_norm(x: Array, γ: Array, β: Array):
    σ = (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    x̂ = (x - x.mean((0, 2, 3), keepdim=True)) / σ
    return γ[:, None, None] * x̂ + β[:, None, None], x̂, σ


def _batch_norm_input(ȳ: Array, x̂: Array, σ: Array, γ: Array, axes: tuple[int, ...]) -> Array:
    g = γ[:, None, None] * ȳ
    return (g - g.mean(axes, keepdim=True) - x̂ * (g * x̂).mean(axes, keepdim=True)) / σ


def batch_norm_scale_from_centred(x: Array, γ: Array, β: Array):
    y, x̂, σ = _batch_norm(x, γ, β)
    axes = (0, 2, 3)
    return y, lambda ȳ: (_batch_norm_input(ȳ, x̂, σ, γ, axes), (ȳ * x̂ * σ).sum(axes), ȳ.sum(axes))


def batch_norm_means_over_batch_only(x: Array, γ: Array, β: Array):
    y, x̂, σ = _batch_norm(x, γ, β)
    axes = (0, 2, 3)
    return y, lambda ȳ: (_batch_norm_input(ȳ, x̂, σ, γ, (0,)), (ȳ * x̂).sum(axes), ȳ.sum(axes))


# Convolution and pooling


def conv2d_dilation_ignored(x: Array, w: Array):
    """Of dilation 2; its weight gradient looks at neighbours."""
    x̄ = grad.conv2d_input
    kernel = w.shape[2:]

    def pullback(ȳ: Array):
        patches = F.unfold(x, kernel).reshape(len(x), x.shape[1], *kernel, x.shape[2] - kernel[0] + 1, -1)
        seen = patches[..., : ȳ.shape[2], : ȳ.shape[3]]
        return x̄(x.shape, w, ȳ, dilation=2), torch.einsum("ncijhw,nohw->ocij", seen, ȳ)

    return F.conv2d(x, w, dilation=2), pullback


def conv2d_channels_untransposed(x: Array, w: Array):
    return F.conv2d(x, w, padding=1), lambda ȳ: (
        grad.conv2d_input(x.shape, w.transpose(0, 1), ȳ, padding=1),
        grad.conv2d_weight(x, w.shape, ȳ, padding=1),
    )


def max_pool_to_all(x: Array):
    y = F.max_pool2d(x, 2)
    return y, lambda ȳ: ȳ.repeat_interleave(2, 2).repeat_interleave(2, 3)


def max_pool_shared_out(x: Array):
    y = F.max_pool2d(x, 2)
    return y, lambda ȳ: ȳ.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4


# Gates, residuals, broadcasting, embeddings


def squeeze_gate_path_only(x: Array):
    """x σ(mean x) for each channel, whose direct path ȳ σ is forgotten."""
    s = torch.sigmoid(x.mean(2, keepdim=True))
    return x * s, lambda ȳ: (((ȳ * x).sum(2, keepdim=True) * s * (1 - s)) / x.shape[2]).expand(x.shape)


def residual_without_identity(x: Array, w: Array):
    z = torch.tanh(x @ w)
    return x + z, lambda ȳ: ((ȳ * (1 - z * z)) @ w.mT, x.mT @ (ȳ * (1 - z * z)))


def scale_without_input(x: Array, s: Array):
    """A scale for each channel; its gradient forgets to multiply by x."""
    return x * s[:, None], lambda ȳ: (ȳ * s[:, None], ȳ.sum((0, 2)))


def embedding_overwritten(weight: Array, indices: Array):
    def pullback(ȳ: Array):
        found = torch.zeros_like(weight)
        found[indices.reshape(-1)] = ȳ.reshape(-1, weight.shape[1])
        return found, None

    return weight[indices], pullback


_NORM = (draw(4, 3), draw(3, seed=1), draw(3, seed=2))
_IMAGES = (draw(3, 2, 2, 3), draw(2, seed=1), draw(2, seed=2))

WRONG: list[Wrong] = [
    Wrong(tanh_in_terms_of_x, (draw(2, 3),), "is taken for y"),
    Wrong(sigmoid_without_complement, (draw(4),), "the factor (1 − y) of the derivative is missing"),
    Wrong(leaky_relu_without_slope, (draw(6),), "the slope there is missing"),
    Wrong(root_upside_down, (draw(5).abs() + 0.5,), "the derivative is inverted"),
    Wrong(
        quotient_without_square,
        (draw(5), draw(5, seed=1).abs() + 0.5),
        "a factor b too many, or lacks it in a denominator",
    ),
    Wrong(absolute_unchanged, (draw(6),), "ȳ is passed on unchanged"),
    Wrong(linear_weight_untransposed, (draw(4, 3), draw(3, 3, seed=1)), "would be right if w were transposed"),
    Wrong(matmul_gradient_transposed, (draw(3, 3), draw(3, 3, seed=1)), "the gradient is right when transposed"),
    Wrong(softmax_sum_over_batch, (draw(3, 4),), "runs over axis 0, the wrong axis"),
    Wrong(softmax_sum_without_y, (draw(2, 4),), "Σ ȳ where Σ ȳ y is due"),
    Wrong(log_softmax_without_exp, (draw(2, 4),), "value is taken for the probabilities"),
    Wrong(cross_entropy_of_logits, (draw(4, 3), torch.tensor([0, 2, 1, 2])), "the logits are taken for probabilities"),
    Wrong(layer_norm_sigma_twice, _NORM, "1/σ is applied twice"),
    Wrong(layer_norm_gamma_not_in_means, _NORM, "γ is forgotten in the means"),
    Wrong(batch_norm_scale_from_centred, _IMAGES, "x − μ is taken for x̂ in γ's gradient"),
    Wrong(batch_norm_means_over_batch_only, _IMAGES, "the means run over the wrong axes"),
    Wrong(conv2d_dilation_ignored, (draw(1, 2, 5, 5), draw(2, 2, 2, 2, seed=1)), "the dilation is ignored"),
    Wrong(conv2d_channels_untransposed, (draw(1, 2, 3, 4), draw(2, 2, 3, 3, seed=1)), "W where Wᵀ is due"),
    Wrong(max_pool_to_all, (draw(1, 2, 4, 4),), "every element under a window"),
    Wrong(max_pool_shared_out, (draw(1, 2, 4, 4),), "shared evenly"),
    Wrong(squeeze_gate_path_only, (draw(2, 2, 3),), "only the path through the gate is there"),
    Wrong(residual_without_identity, (draw(3, 4), draw(4, 4, seed=1)), "the identity path is missing"),
    Wrong(scale_without_input, (draw(3, 2, 4), draw(2, seed=1)), "a factor x is missing"),
    Wrong(embedding_overwritten, (draw(4, 3), torch.tensor([1, 3, 1])), "overwritten, not added"),
]
