"""The cases of what training adds: the loss."""

from __future__ import annotations

import torch
from photomend.core import Array, Tensor
from photomend.tests.reference.loops import losses as loops
from photomend.tests.verification.case import Case, Draw, apart, op
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


def hole_loss_case(name: str, draw: Draw, *, target: float, **weights: float) -> Case:
    """The loss of a prediction of shape (2, 3, 3, 4) against a target that is everywhere the same."""
    return op(
        name,
        _hole_loss,
        draw,
        twin=_twin,
        loops=loops.hole_loss,
        target=torch.full((2, 3, 3, 4), target, dtype=torch.float64),
        mask=_MASK,
        **weights,  # type: ignore[arg-type]
    )


TRAIN_CASES: list[Case] = [
    hole_loss_case("hole_loss/standard", apart(2, 3, 3, 4), target=0.01),
    hole_loss_case("hole_loss/other weights", apart(2, 3, 3, 4), target=0.01, mse_weight=0.5, mae_weight=3.0),
]
