"""The networks that paint cells again, in torch.nn: same state-dict keys, differentiated by torch's autograd.

What is seen around a hole isn't learned and carries no gradient; it has tests of its own, and the twins take it as
given. The cells they paint in loops.
"""

from __future__ import annotations

import torch
from photomend.models.cells import ring_colours
from photomend.models.cnn import features
from photomend.models.holes import hole_bounds
from torch import nn


class LinearModel(nn.Module):
    def __init__(self, splits: int) -> None:
        super().__init__()
        self.splits = splits
        self.regression = nn.Linear(108, 3 * splits**2)

    def forward(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        ring, mean = ring_colours(masked, mask)
        change = self.regression(ring.flatten(1)).unflatten(1, (3, self.splits, self.splits))
        return paint(change + mean[..., None], masked, mask)


class BasicNetwork(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        half, deep = 2 * width, 4 * width
        self.backbone = nn.Sequential(
            *(*convolution(4, width), nn.MaxPool2d(2)),
            *(*convolution(width, half), *convolution(half, half), nn.MaxPool2d(2)),
            *(*convolution(half, deep), *convolution(deep, deep), *convolution(deep, deep)),
        )
        self.head = nn.Conv2d(deep, 3, 1)
        self.ring = nn.Linear(108, 48, bias=False)

    def forward(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tiles, ring, mean, contrast = features(masked, mask)
        change = self.head(self.backbone(tiles))[:, :, 2:6, 2:6] + self.ring(ring).unflatten(1, (3, 4, 4))
        return paint(change * contrast + mean, masked, mask)


def convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def paint(cells: torch.Tensor, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The photos with every cell of every hole in its colour, one after the other."""
    k = cells.shape[-1]
    painted = torch.zeros_like(masked)
    for photo, (top, left, bottom, right) in enumerate(hole_bounds(mask)):
        for i in range(k):
            for j in range(k):
                rows = slice(top + i * (bottom - top) // k, top + (i + 1) * (bottom - top) // k)
                columns = slice(left + j * (right - left) // k, left + (j + 1) * (right - left) // k)
                painted[photo, :, rows, columns] = cells[photo, :, i, j, None, None]
    return torch.where(mask > 0.5, painted, masked)
