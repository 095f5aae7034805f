"""The mistakes in backward passes, and in forward passes, that are named most often. See `wrong_rules.py`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from photomend.core import Array
from photomend.tests.core.wrong_rules import Wrong, draw
from torch.nn import grad


def constant_factor(x: Array):
    return x**3, lambda ȳ: ȳ * 2 * x**2


def wrong_sign(x: Array):
    return torch.cos(x), lambda ȳ: ȳ * torch.sin(x)


def without_cotangent(x: Array):
    return x * x, lambda ȳ: 2 * x


def gate_constant(x: Array):
    return x * torch.sigmoid(x), lambda ȳ: ȳ * torch.sigmoid(x)


def mean_for_sum(x: Array, b: Array):
    return x + b, lambda ȳ: (ȳ, ȳ.mean(0))


def broadcast_sum_lost(x: Array, b: Array):
    return x + b, lambda ȳ: (ȳ, ȳ)


def first_row_only(x: Array, b: Array):
    return x + b, lambda ȳ: (ȳ, ȳ[0])


def transposed(a: Array, b: Array):
    return a @ b, lambda ȳ: (ȳ @ b, a.mT @ ȳ)


def flipped_kernel(x: Array, w: Array):
    return F.conv2d(x, w), lambda ȳ: (
        grad.conv2d_input(x.shape, w.flip(2, 3), ȳ),
        grad.conv2d_weight(x, w.shape, ȳ),
    )


def sum_over_wrong_axis(x: Array):
    return x.sum(0), lambda ȳ: ȳ[:, None].expand(x.shape)


def _norm(x: Array, γ: Array, β: Array, wrong: str):
    σ = (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    x̂ = (x - x.mean(1, keepdim=True)) / σ

    def mean(a: Array) -> Array:
        return a.mean(1, keepdim=True)

    def pullback(ȳ: Array):
        g = ȳ if wrong in ("γ forgotten", "γ outside") else γ * ȳ
        along = x if wrong == "x for x̂" else x̂
        through_mean = 0 if wrong == "no mean" else mean(g)
        through_deviation = 0 if wrong == "no variance" else along * mean(g * along)
        x̄ = (g - through_mean - through_deviation) / (1 if wrong == "no 1/σ" else σ)
        return γ * x̄ if wrong == "γ outside" else x̄, (ȳ * (x if wrong == "γ̄ of x" else x̂)).sum(0), ȳ.sum(0)

    return γ * x̂ + β, pullback


def x_for_standardised_x(x: Array, γ: Array, β: Array):
    return _norm(x, γ, β, "x for x̂")


def scale_gradient_of_x(x: Array, γ: Array, β: Array):
    return _norm(x, γ, β, "γ̄ of x")


def one_over_sigma_lost(x: Array, γ: Array, β: Array):
    return _norm(x, γ, β, "no 1/σ")


def mean_term_missing(x: Array, γ: Array, β: Array):
    return _norm(x, γ, β, "no mean")


def variance_term_missing(x: Array, γ: Array, β: Array):
    return _norm(x, γ, β, "no variance")


def gamma_forgotten(x: Array, γ: Array, β: Array):
    return _norm(x, γ, β, "γ forgotten")


def gamma_outside(x: Array, γ: Array, β: Array):
    return _norm(x, γ, β, "γ outside")


def softmax_diagonal_only(x: Array):
    y = torch.softmax(x, 1)
    return y, lambda ȳ: ȳ * y * (1 - y)


def _cross_entropy(x: Array, labels: Array, wrong: str):
    one_hot, p = F.one_hot(labels, x.shape[1]), torch.softmax(x, 1)

    def pullback(ȳ: Array):
        d = p if wrong == "one-hot" else one_hot - p if wrong == "sign" else p - one_hot
        return ȳ * d / (1 if wrong == "N" else len(x)), None

    return -(torch.log_softmax(x, 1) * one_hot).sum() / len(x), pullback


def one_hot_forgotten(x: Array, labels: Array):
    return _cross_entropy(x, labels, "one-hot")


def cross_entropy_sign(x: Array, labels: Array):
    return _cross_entropy(x, labels, "sign")


def cross_entropy_without_n(x: Array, labels: Array):
    return _cross_entropy(x, labels, "N")


def _padded(ȳ: Array, x: Array, w: Array) -> Array:
    """The gradient of the padded image."""
    return grad.conv2d_input((*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2), w, ȳ)


def padding_kept(x: Array, w: Array):
    return F.conv2d(x, w, padding=1), lambda ȳ: (
        _padded(ȳ, x, w)[:, :, :-2, :-2],
        grad.conv2d_weight(x, w.shape, ȳ, padding=1),
    )


def shifted_by_one(x: Array):
    """Zero padding by one on either side."""
    return F.pad(x, (1, 1)), lambda ȳ: ȳ[..., 2:]


def stride_ignored(x: Array, w: Array):
    def pullback(ȳ: Array):
        smaller = (*x.shape[:2], ȳ.shape[2] + 1, ȳ.shape[3] + 1)
        part = grad.conv2d_input(smaller, w, ȳ)
        x̄ = F.pad(part, (0, x.shape[3] - part.shape[3], 0, x.shape[2] - part.shape[2]))
        return x̄, grad.conv2d_weight(x, w.shape, ȳ, stride=2)

    return F.conv2d(x, w, stride=2), pullback


def overlap_overwritten(x: Array):
    """Sums over windows of 3, one apart."""

    def pullback(ȳ: Array):
        x̄ = torch.zeros_like(x)
        for i in range(ȳ.shape[0]):
            x̄[i : i + 3] = ȳ[i]
        return x̄

    return x.unfold(0, 3, 1).sum(1), pullback


def mask_from_cotangent(x: Array):
    return x.relu(), lambda ȳ: ȳ * (ȳ > 0)


def accumulated_twice(x: Array, w: Array):
    def pullback(ȳ: Array):
        w̄ = torch.zeros_like(w)
        for _ in range(2):
            w̄ += x.mT @ ȳ
        return ȳ @ w.mT, w̄

    return x @ w, pullback


def swapped_gradients(a: Array, b: Array):
    return a * b, lambda ȳ: (ȳ * a, ȳ * b)


# Values that aren't what the reference says; their pullbacks don't matter.


def variance_over_n_less_1(x: Array):
    return x.var(1), lambda ȳ: x


def eps_outside_root(x: Array, weight: Array, bias: Array):
    x̂ = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True).sqrt() + 1e-3)
    return x̂ * weight + bias, lambda ȳ: (x, weight, bias)


def eps_missing(x: Array, weight: Array, bias: Array):
    x̂ = (x - x.mean(1, keepdim=True)) / x.var(1, correction=0, keepdim=True).sqrt()
    return x̂ * weight + bias, lambda ȳ: (x, weight, bias)


def statistics_over_wrong_axis(x: Array, weight: Array, bias: Array):
    x̂ = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-3).sqrt()
    return x̂ * weight + bias, lambda ȳ: (x, weight, bias)


def softmax_over_wrong_axis(x: Array):
    return torch.softmax(x, 0), lambda ȳ: x


def weight_forgotten(x: Array, weight: Array, bias: Array):
    x̂ = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-3).sqrt()
    return x̂ + bias, lambda ȳ: (x, weight, bias)


def bias_forgotten(x: Array, weight: Array, bias: Array):
    x̂ = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-3).sqrt()
    return x̂ * weight, lambda ȳ: (x, weight, bias)


def layer_norm_reference(x: Array, weight: Array, bias: Array) -> Array:
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps=1e-3)


def variance_reference(x: Array) -> Array:
    return x.var(1, correction=0)


def softmax_reference(x: Array) -> Array:
    return torch.softmax(x, 1)


_AFFINE = (draw(4, 3), draw(3, seed=1), draw(3, seed=2))
_LABELLED = (draw(4, 3), torch.tensor([0, 2, 1, 2]))
_IMAGE = (draw(1, 2, 4, 5), draw(3, 2, 3, 3, seed=1))

CLASSIC: list[Wrong] = [
    Wrong(constant_factor, (draw(4),), f"every entry is {2 / 3:.6g} times what it should be"),
    Wrong(wrong_sign, (draw(4),), "every entry has the wrong sign"),
    Wrong(without_cotangent, (draw(4),), "ȳ is missing"),
    Wrong(gate_constant, (draw(4),), "the gate is treated as a constant"),
    Wrong(mean_for_sum, (draw(3, 2), draw(2, seed=1)), "a mean where a sum is due"),
    Wrong(broadcast_sum_lost, (draw(3, 2), draw(2, seed=1)), "the sum over the first axis is missing"),
    Wrong(first_row_only, (draw(3, 2), draw(2, seed=1)), "the sum over that axis is missing"),
    Wrong(transposed, (draw(2, 3), draw(3, 3, seed=1)), "would be right if b were transposed"),
    Wrong(flipped_kernel, _IMAGE, "the kernel is flipped"),
    Wrong(sum_over_wrong_axis, (draw(3, 3),), "the gradient is right when transposed"),
    Wrong(x_for_standardised_x, _AFFINE, "x is taken for x̂ in the variance's term"),
    Wrong(scale_gradient_of_x, _AFFINE, "x is taken for x̂: γ's gradient"),
    Wrong(one_over_sigma_lost, _AFFINE, "1/σ is missing"),
    Wrong(mean_term_missing, _AFFINE, "the mean's term is missing"),
    Wrong(variance_term_missing, _AFFINE, "the variance's term is missing"),
    Wrong(gamma_forgotten, _AFFINE, "γ is forgotten: the gradient is that of x̂"),
    Wrong(gamma_outside, _AFFINE, "γ is outside"),
    Wrong(softmax_diagonal_only, (draw(2, 3),), "softmax's diagonal only"),
    Wrong(one_hot_forgotten, _LABELLED, "the one-hot labels are forgotten"),
    Wrong(cross_entropy_sign, _LABELLED, "the cross-entropy's sign is wrong"),
    Wrong(cross_entropy_without_n, _LABELLED, "1/N, the mean over the samples, is missing"),
    Wrong(padding_kept, _IMAGE, "the padding is kept"),
    Wrong(shifted_by_one, (draw(2, 4),), "padding is kept, or an index is off by one"),
    Wrong(stride_ignored, (draw(1, 2, 6, 6), draw(2, 2, 2, 2, seed=1)), "the stride is ignored"),
    Wrong(overlap_overwritten, (draw(6),), "overwritten, not added"),
    Wrong(mask_from_cotangent, (draw(6),), "a mask is taken from ȳ"),
    Wrong(accumulated_twice, (draw(5, 3), draw(3, 4, seed=1)), "added twice"),
    Wrong(swapped_gradients, (draw(3), draw(3, seed=1)), "two gradients are returned in the wrong order"),
    Wrong(variance_over_n_less_1, (draw(3, 5),), "divided by n − 1 where n (=5) is due", variance_reference),
    Wrong(eps_outside_root, _AFFINE, "ε stands outside the root", layer_norm_reference),
    Wrong(eps_missing, _AFFINE, "ε is missing", layer_norm_reference),
    Wrong(statistics_over_wrong_axis, _AFFINE, "the wrong axis", layer_norm_reference),
    Wrong(softmax_over_wrong_axis, (draw(3, 4),), "the wrong axis", softmax_reference),
    Wrong(weight_forgotten, _AFFINE, "γ is forgotten", layer_norm_reference),
    Wrong(bias_forgotten, _AFFINE, "β is forgotten", layer_norm_reference),
]
