"""The digits example beside torch: the same network of torch.nn, autograd and torch.optim, from the same weights."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from photomend.data.batches import Batches
from photomend.layers import cross_entropy
from photomend.tests.reference.twins import CBAM
from photomend.tests.scripts import script
from photomend.train import fit
from sklearn.datasets import load_digits
from torch import nn

pytestmark = pytest.mark.slow  # 100 steps of both

DIGITS = script("examples/digits")
STEPS, LR = 100, 2e-3


class Twin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), CBAM(32, 8, 3)),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU(), CBAM(64, 8, 3)),
        )
        self.scores = nn.Linear(64 * 4 * 4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scores(self.features(x).flatten(1))


def digits(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=dtype).reshape(-1, 1, 8, 8) / 16, torch.tensor(labels)


def losses_of_torch(twin: nn.Module, dtype: torch.dtype) -> list[float]:
    optimizer, losses = torch.optim.Adam(twin.parameters(), LR), []
    for x, y in islice(Batches(digits(dtype), dtype=dtype).stream(), STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(twin(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("dtype", "steps"), [(torch.float64, STEPS), (torch.float32, 10)])
@pytest.mark.parametrize("begins", ["ours", "twin"])
def test_a_hundred_steps_have_torchs_losses(begins: str, dtype: torch.dtype, steps: int) -> None:
    """To six decimals. In float32 for the first steps only: both round, and training spreads what differs."""
    torch.manual_seed(0)
    ours, twin = DIGITS.DigitNetwork().to(dtype=dtype), Twin().to(dtype=dtype)
    if begins == "ours":
        twin.load_state_dict(ours.state_dict())
    else:
        ours.load_state_dict(twin.state_dict())
    history = fit(ours, digits(dtype), cross_entropy, steps=STEPS, lr=LR, quiet=True)
    theirs = losses_of_torch(twin, dtype)
    differences = [abs(a - b) for a, b in zip(history.losses, theirs, strict=True)]
    assert max(differences[:steps]) < (5e-7 if dtype == torch.float64 else 2e-6)
    assert max(differences) < 0.05
    assert theirs[-1] < 0.2 * theirs[0]
    twin.load_state_dict(ours.state_dict())  # and the trained weights go back
