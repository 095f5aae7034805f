"""The basic network: small enough, starts at the ring's mean colour, and paints cells inside the hole only."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array
from photomend.models import BasicNetwork
from photomend.models.cells import ring_colours
from photomend.models.cnn import features
from photomend.train.config import TrainConfig
from photomend.train.trainer import Trainer

from .holes import crops, photo, rectangle


def trained_a_little(width: int = 8) -> BasicNetwork:
    """A network whose last layers are no longer zero."""
    network = BasicNetwork(width, 48)
    for parameter in network.parameters():
        if not parameter.data.any():
            parameter.data.normal_(0, 0.02)
    return network.eval()


def test_it_has_fewer_than_two_million_parameters() -> None:
    assert BasicNetwork().parameter_count() < 2_000_000


def test_training_starts_at_the_rings_mean_colour() -> None:
    picture, mask = crops(3, 48, dtype=torch.float32)
    _, mean = ring_colours(picture * (1 - mask), mask)
    expected = torch.where(mask > 0, mean[..., None], picture)
    assert torch.allclose(BasicNetwork(8, 48)(picture * (1 - mask), mask).data, expected, atol=1e-6)


@pytest.mark.parametrize("box", [(20, 20, 51, 75), (0, 31, 40, 62), (30, 30, 33, 90), (7, 7, 8, 8)])
def test_a_hole_is_four_by_four_cells_and_nothing_else_is_painted(box: tuple[int, int, int, int]) -> None:
    picture, mask = photo(96, 96), rectangle(96, 96, *box)
    rebuilt = trained_a_little()(picture * (1 - mask), mask).data
    top, left, bottom, right = box
    assert torch.equal(rebuilt * (1 - mask), picture * (1 - mask))
    hole = rebuilt[0, :, top:bottom, left:right]
    rows = [(j * (bottom - top) // 4, (j + 1) * (bottom - top) // 4) for j in range(4)]
    columns = [(j * (right - left) // 4, (j + 1) * (right - left) // 4) for j in range(4)]
    colours = set()
    for first, last in rows:
        for start, stop in columns:
            cell = hole[:, first:last, start:stop].flatten(1)
            if cell.numel():
                assert torch.equal(cell, cell[:, :1].expand_as(cell))
                colours.add(tuple(cell[:, 0].tolist()))
    assert len(colours) == min(4, bottom - top) * min(4, right - left)


def test_a_mask_of_another_shape_than_its_bounds_is_kept_to() -> None:
    picture, mask = photo(96, 96), rectangle(96, 96, 20, 20, 60, 60)
    mask[:, :, 30:40, 30:50] = 0
    rebuilt = trained_a_little()(picture * (1 - mask), mask).data
    assert torch.equal(rebuilt * (1 - mask), picture * (1 - mask))
    assert (rebuilt[(mask > 0).expand_as(rebuilt)] != 0).all()


def test_what_stands_in_the_hole_is_not_seen() -> None:
    picture, mask = photo(96, 96), rectangle(96, 96, 20, 20, 60, 60)
    network = trained_a_little()
    spoilt = torch.where(mask > 0, torch.nan, picture)
    assert torch.equal(network(spoilt, mask).data, network(picture, mask).data)


@pytest.mark.parametrize(("scale", "shift"), [(0.3, 0.0), (0.5, 0.4)])
def test_a_photo_darker_or_softer_is_rebuilt_alike(scale: float, shift: float) -> None:
    picture, mask = photo(96, 96), rectangle(96, 96, 20, 20, 60, 60)
    network = trained_a_little()

    def rebuilt(x: Array) -> Array:
        return network(x * (1 - mask), mask).data * mask

    expected = scale * rebuilt(picture) + shift * mask
    assert torch.allclose(rebuilt(scale * picture + shift), expected, atol=1e-5)


def test_a_flat_photo_has_no_contrast_to_divide_by() -> None:
    mask = rectangle(48, 48, 10, 10, 30, 30)
    flat = torch.full((1, 3, 48, 48), 0.5) * (1 - mask)
    tiles, ring, _, contrast = features(flat, mask)
    assert contrast.item() == pytest.approx(5 / 255)
    assert tiles[:, :3].abs().max() < 1e-5
    assert ring.abs().max() < 1e-5


def test_training_lowers_the_error() -> None:
    picture, mask = crops(16, 48, dtype=torch.float32)
    settings = {"model": "cnn", "model_config": {"width": 8, "window": 48}, "steps": 25, "ema": 0.9}
    trainer = Trainer(TrainConfig.from_dict(settings))
    losses = [trainer.step(picture, mask)[0] for _ in range(25)]
    assert losses[-1] < 0.3 * losses[0]
