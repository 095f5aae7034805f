"""The linear model: it is linear, gradient descent finds its best weights, and those are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from photomend import models
from photomend.core import Array, PhotomendError, no_grad
from photomend.models import LinearModel, RepairNetwork
from photomend.models.cells import cell_means, ring_colours
from photomend.train.config import TrainConfig
from photomend.train.losses import hole_loss
from photomend.train.ridge import fit_ridge
from photomend.train.trainer import Trainer

from .holes import crops, photo, rectangle

SIDE = 32


def textured_crops(count: int, seed: int) -> tuple[Array, Array]:
    """Waves and some noise, so that the colours around a hole say much but not all of what is inside."""
    picture, mask = crops(count, SIDE, seed)
    noise = torch.randn(count, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(seed))
    return picture + 0.25 * noise.repeat_interleave(4, 2).repeat_interleave(4, 3), mask


def loss(network: RepairNetwork, picture: Array, mask: Array) -> float:
    """The mean squared error over all missing pixels."""
    with no_grad():
        return hole_loss(network(picture * (1 - mask), mask), picture, mask, mse_weight=1.0, mae_weight=0.0).data.item()


def test_it_is_linear_in_the_colours_but_for_its_bias() -> None:
    network = LinearModel(3)
    network.state_dict()["regression.bias"].normal_()
    first, second = photo(64, 64), photo(64, 64).flip(2)
    mask = rectangle(64, 64, 0, 20, 30, 55)
    together = network(0.3 * first + 0.7 * second, mask).data
    assert torch.allclose(together, 0.3 * network(first, mask).data + 0.7 * network(second, mask).data, atol=1e-5)


def test_a_flat_photo_is_rebuilt_by_weights_of_any_kind() -> None:
    flat, mask = torch.full((1, 3, 64, 64), 0.6), rectangle(64, 64, 10, 20, 41, 55)
    assert torch.allclose(LinearModel(5)(flat * (1 - mask), mask).data, flat)


def test_first_weights_are_kaimings() -> None:
    weight = LinearModel(8).regression.weight.data
    assert weight.shape == (3 * 64, 108)
    assert abs(weight.std().item() / math.sqrt(2 / 108) - 1) < 0.05


@pytest.mark.parametrize("splits", [2, 3])
def test_closed_form_is_weighted_least_squares(splits: int) -> None:
    """For each cell by itself, NumPy's solver on the rows scaled by the root of the cell's pixels."""
    picture, mask = textured_crops(300, seed=1)
    network = LinearModel(splits, SIDE).to(dtype=torch.float64)
    fit_ridge(network, [(picture[:100], mask[:100]), (picture[100:], mask[100:])], penalty=0.0)
    ring, mean = ring_colours(picture * (1 - mask), mask)
    colours, count = cell_means(picture, mask, splits)
    weights = network.regression.weight.data.reshape(3, splits**2, 108)
    biases = network.state_dict()["regression.bias"].reshape(3, splits**2)
    x = np.column_stack([ring.flatten(1).numpy(), np.ones(300)])
    for cell in range(splits**2):
        root = count.flatten(1)[:, cell, None].sqrt().numpy()
        y = (colours.flatten(2)[:, :, cell] - mean[..., 0]).numpy()
        expected = np.linalg.lstsq(root * x, root * y)[0]
        ours = np.column_stack([weights[:, cell].numpy(), biases[:, cell].numpy()]).T
        assert np.abs(x @ ours - x @ expected).max() < 1e-6


def test_no_weights_are_better_than_the_closed_forms() -> None:
    picture, mask = textured_crops(400, seed=2)
    network = LinearModel(2, SIDE).to(dtype=torch.float64)
    fit_ridge(network, [(picture, mask)], penalty=0.0)
    best, weight = loss(network, picture, mask), network.regression.weight.data
    for seed in range(5):
        change = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for step in (1e-3, -1e-3):
            weight.add_(change, alpha=step)
            assert loss(network, picture, mask) > best
            weight.sub_(change, alpha=step)


def test_a_penalty_makes_the_weights_smaller_and_the_fit_worse() -> None:
    picture, mask = textured_crops(200, seed=3)
    networks = [LinearModel(2, SIDE).to(dtype=torch.float64) for _ in range(3)]
    for network, penalty in zip(networks, (1e-6, 1e-4, 1e-2), strict=True):
        fit_ridge(network, [(picture, mask)], penalty)
    sizes = [network.regression.weight.data.norm().item() for network in networks]
    losses = [loss(network, picture, mask) for network in networks]
    assert sizes == sorted(sizes, reverse=True)
    assert losses == sorted(losses)


def test_gradient_descent_reaches_the_closed_form() -> None:
    """With the training defaults, the loop's own steps, and Kaiming's weights to begin with: within 2 %."""
    picture, mask = (array.float() for array in textured_crops(512, seed=4))
    trainer = Trainer(TrainConfig.from_dict({"model": "linear", "model_config": {"window": SIDE}, "steps": 400}))
    begin = loss(trainer.network, picture, mask)
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        chosen = torch.randint(len(picture), (trainer.config.batch_size,), generator=generator)
        trainer.step(picture[chosen], mask[chosen])
    best = LinearModel(2, SIDE)
    fit_ridge(best, [(picture, mask)], penalty=1e-6)
    reached, optimum = loss(trainer.network, picture, mask), loss(best, picture, mask)
    assert begin > 4 * optimum
    assert optimum <= reached < 1.02 * optimum, (reached, optimum)


@pytest.mark.parametrize("splits", [1, 9, 2.0, True])
def test_splits_out_of_range(splits: object) -> None:
    with pytest.raises(PhotomendError, match=rf"splits \(={splits}\) must be (from 2 to 8|a whole number)"):
        models.build("linear", splits=splits)


def test_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_ridge(LinearModel(), [])
    with pytest.raises(ValueError, match=r"penalty \(=-1\) must not be negative"):
        fit_ridge(LinearModel(), [], penalty=-1)
