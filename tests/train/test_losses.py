"""The loss against its formula; its gradient is checked with all others, in the registry of cases."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Tensor
from photomend.train.losses import hole_loss


def test_only_missing_pixels_count_each_alike() -> None:
    target = torch.zeros(2, 3, 4, 4)
    prediction = torch.full((2, 3, 4, 4), 0.5)
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, :2, :2] = 1
    mask[1, :, 0, 0] = 1
    prediction[1, :, 0, 0] = 1.0
    loss = hole_loss(Tensor(prediction), target, mask, mse_weight=4.0, mae_weight=1.0)
    squares = (4 * 0.25 + 1.0) / 5
    magnitudes = (4 * 0.5 + 1.0) / 5
    assert loss.item() == pytest.approx(4 * squares + magnitudes)
    loss.backward()


def test_the_gradient_is_zero_outside_the_hole_and_for_exact_pixels() -> None:
    target = torch.rand(1, 3, 4, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[:, :, 1:3, 1:3] = 1
    prediction = Tensor(target + 0.1)
    prediction.data[:, :, 1, 1] = target[:, :, 1, 1]
    hole_loss(prediction, target, mask).backward()
    gradient = prediction.grad
    assert gradient is not None
    assert (gradient[:, :, 0] == 0).all()
    assert (gradient[:, :, 1, 1] == 0).all()
    assert (gradient[:, :, 2, 2] > 0).all()


def test_shapes_and_empty_masks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mask \(1, 3, 4, 4\) don't belong together"):
        hole_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4))
    with pytest.raises(ValueError, match="nothing is missing"):
        hole_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
