"""Gradient energy: by hand, and what it leaves out."""

from __future__ import annotations

import pytest
import torch
from photomend.train.evaluation.metrics import gradient_energy


def test_by_hand() -> None:
    photo = torch.zeros(1, 1, 4, 5)
    photo[0, 0, 1:3, 1:4] = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]]) / 255
    mask = torch.zeros(1, 1, 4, 5)
    mask[0, 0, 1:3, 1:4] = 1
    # Across: 1, 2, 0, 0; down: 2, 1, −1. The seam to the known pixels is no texture.
    assert gradient_energy(photo, mask).tolist() == pytest.approx([(1 + 4 + 4 + 1 + 1) / 7])


def test_photos_apart_and_channels_together() -> None:
    generator = torch.Generator().manual_seed(0)
    photos = torch.rand(3, 3, 9, 8, generator=generator)
    mask = torch.zeros(3, 1, 9, 8)
    mask[0, :, 2:7, 1:6] = mask[1, :, :, :3] = mask[2, :, 4:, 4:] = 1
    together = gradient_energy(photos, mask)
    assert together.shape == (3,)
    for i in range(3):
        own = [gradient_energy(photos[i : i + 1, c : c + 1], mask[i : i + 1]).item() for c in range(3)]
        assert together[i].item() == pytest.approx(sum(own) / 3)


def test_flat_and_lonely_holes_have_none() -> None:
    mask = torch.zeros(2, 1, 6, 6)
    mask[0, :, 1:4, 1:4] = mask[1, :, 2, 2] = 1
    photos = torch.rand(2, 3, 6, 6)
    photos[0] = 0.5
    assert gradient_energy(photos, mask).tolist() == [0, 0]
