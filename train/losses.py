"""What training minimises: the error in the hole, and what two networks that train against each other minimise."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import Array, Pullback, Tensor, primitive


@primitive
def hole_loss(
    prediction: Array, target: Array, mask: Array, *, mse_weight: float = 4.0, mae_weight: float = 1.0
) -> tuple[Array, Pullback]:
    """λ₂ · mean d² + λ₁ · mean |d| over the missing pixels, d = prediction − target; a single number.

    The means run over all missing values of the batch together, so a hole counts by its area, as in the protocol's
    errors over the whole photo. The default weights bring both terms to about the same size.

    d̄ = ȳ (2 λ₂ d + λ₁ sign d) / n in the hole and 0 outside; at d = 0 the sign is 0. A NaN or an infinity in the
    prediction makes the loss NaN outside the hole, too: a network that gives one is broken, and this shows it.

    Args:
        prediction, target: (N, C, H, W).
        mask: (N, 1, H, W), 1 = missing.
        mse_weight, mae_weight: λ₂ and λ₁.

    Raises:
        ValueError: shapes don't fit, or nothing is missing. The latter on a CPU; elsewhere the loss is NaN then, since
            to ask would be to wait for the device.
    """
    n, c, h, w = prediction.shape
    if target.shape != prediction.shape or mask.shape != (n, 1, h, w):
        raise ValueError(
            f"hole_loss: prediction {tuple(prediction.shape)}, target {tuple(target.shape)} and "
            f"mask {tuple(mask.shape)} don't belong together"
        )
    count = c * mask.sum()
    if count.device.type == "cpu" and count == 0:
        raise ValueError("hole_loss: nothing is missing")
    d = (prediction - target) * mask

    def hole_loss_pullback(ȳ: Array):
        return (2 * mse_weight * d + mae_weight * torch.sign(d)) * (ȳ / count), None, None

    return (mse_weight * d.square().sum() + mae_weight * d.abs().sum()) / count, hole_loss_pullback


@primitive
def hinge_loss(scores: Array, patches: Array, *, sign: int) -> tuple[Array, Pullback]:
    """mean max(0, 1 − sign · score) over the chosen patches: what a discriminator minimises; a single number.

    Real patches (sign 1) should score at least 1, fake ones (sign −1) at most −1; those that do are done with, and
    s̄ = −ȳ sign / n for a score s where sign · s < 1 and 0 elsewhere, so at the kink too. A NaN or an infinity among the
    scores shows in the loss if its patch is not chosen, too.

    Source: Lim & Ye, *Geometric GAN* (2017), https://arxiv.org/abs/1705.02894.

    Args:
        scores: any shape.
        patches: of that shape, 1 = counts, 0 = doesn't.
        sign: 1 or −1.

    Raises:
        ValueError: shapes differ, or no patch is chosen (on a CPU; the loss is NaN elsewhere, as in `hole_loss`).
    """
    count = _chosen("hinge_loss", scores, patches)
    room = 1 - sign * scores

    def hinge_loss_pullback(ȳ: Array):
        return -sign * patches * (room > 0) * (ȳ / count), None

    return (room.clamp_min(0) * patches).sum() / count, hinge_loss_pullback


@primitive
def patch_mean(scores: Array, patches: Array) -> tuple[Array, Pullback]:
    """The mean score of the chosen patches, which a generator maximises; s̄ = ȳ / n there and 0 elsewhere.

    Arguments and errors are those of `hinge_loss`.
    """
    count = _chosen("patch_mean", scores, patches)

    def patch_mean_pullback(ȳ: Array):
        return patches * (ȳ / count), None

    return (scores * patches).sum() / count, patch_mean_pullback


def _chosen(op: str, scores: Array, patches: Array) -> Array:
    """How many patches are chosen."""
    if patches.shape != scores.shape:
        raise ValueError(f"{op}: scores {tuple(scores.shape)} and patches {tuple(patches.shape)} don't belong together")
    count = patches.sum()
    if count.device.type == "cpu" and count == 0:
        raise ValueError(f"{op}: no patch is chosen")
    return count


def value_and_gradient(function: Callable[[Tensor], Tensor], x: Array) -> tuple[Array, Array]:
    """A function's value at x, a single number, and its gradient by x."""
    leaf = Tensor(x)
    value = function(leaf)
    value.backward()
    assert leaf.grad is not None
    return value.data.reshape(()), leaf.grad
