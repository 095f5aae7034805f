"""The cases of what training adds: the loss."""

from __future__ import annotations

import torch
from photomend.core import Array, Tensor
from photomend.tests.reference.loops import losses as loops
from photomend.tests.verification.case import Case, apart, op
from photomend.train.losses import hole_loss


def _hole_loss(prediction: Tensor, *, target: Array, mask: Array, **weights: float) -> Tensor:
    """The loss as a function of the prediction: target and mask are given, and nobody asks for their gradients."""
    return hole_loss(prediction, target, mask, **weights)


def _twin(prediction: Array, target: Array, mask: Array, mse_weight: float = 4, mae_weight: float = 1) -> Array:
    d = (prediction - target).masked_select(mask.expand(prediction.shape) > 0)
    return mse_weight * d.pow(2).mean() + mae_weight * d.abs().mean()


_MASK = torch.zeros(2, 1, 3, 4, dtype=torch.float64)
_MASK[0, 0, 1:, 1:3] = 1
_MASK[1, 0, :2, 2:] = 1

TRAIN_CASES: list[Case] = [
    op(
        f"hole_loss/{setting}",
        _hole_loss,
        apart(2, 3, 3, 4),
        twin=_twin,
        loops=loops.hole_loss,
        target=torch.full((2, 3, 3, 4), 0.01, dtype=torch.float64),
        mask=_MASK,
        **weights,  # type: ignore[arg-type]
    )
    for setting, weights in (("standard", {}), ("other weights", {"mse_weight": 0.5, "mae_weight": 3.0}))
]
