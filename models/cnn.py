"""The basic network: convolutions look at the photo around the hole and name the mean colour of each of 4 × 4 cells.

    masked photo, mask ── tiles in the hole's own coordinates, less the ring's mean colour, at unit contrast
          │
          ▼  32 × 32: the hole lies in the middle 16 × 16, whatever its size
        convolution, batch norm, ReLU, max pooling ── 8 × 8, the middle 4 × 4 are the hole's cells ──┐
                                                                                                     ▼
        the ring of known pixels that touch the hole ── a linear layer ───────────────────────────── + ── 4 × 4 cells

After two poolings each cell has a pixel of its own. The linear path gives the convolutions what linear regression knows
already (`photomend.models.linear`), so that they learn the rest.

Sources: Ioffe & Szegedy, *Batch normalization* (2015); Cheng et al., *Wide & deep learning for recommender systems*
(2016), for the linear path beside the deep one.
"""

from __future__ import annotations

import torch

from ..core import Array, Module, Tensor, cast, reshape
from ..layers import BatchNorm2d, Conv2d, Linear, MaxPool2d, ReLU, Sequential
from .cells import RING, composite_cells, hole_aligned, ring_colours
from .network import RepairNetwork

#: Rows and columns of cells in a hole.
GRID = 4
#: Tiles across the hole, and across what is seen on each side of it.
INNER, MARGIN = 16, 8


def features(masked: Array, mask: Array) -> tuple[Array, Array, Array, Array]:
    """What the network sees of photos, in units in which they are alike.

    Returns:
        The tiles (N, 4, 32, 32): colours less the ring's mean and divided by the contrast, and whether there is one;
        the ring (N, 108), likewise; the ring's mean colour (N, 3, 1, 1); and the contrast (N, 1, 1, 1), the root mean
        square of the tiles' differences from that mean, at least 5 grey levels.
    """
    tiles, covered = hole_aligned(masked, mask, INNER, MARGIN)
    ring, mean = ring_colours(masked, mask)
    mean = mean[..., None]
    centred = (tiles - mean) * covered
    values = 3 * covered.sum(dim=(2, 3), keepdim=True)
    contrast = (centred.square().sum(dim=(1, 2, 3), keepdim=True) / values).sqrt().clamp_min(5 / 255)
    return torch.cat((centred / contrast, covered), dim=1), (ring / contrast[..., 0]).flatten(1), mean, contrast


class BasicNetwork(RepairNetwork):
    """A convolutional network that paints a hole in 4 × 4 cells, each in one colour.

    Its last layers start at zero, so training starts at the mean colour of the ring. Its loss is the squared error
    (`mse_weight` 1, `mae_weight` 0, its training defaults), which a cell's mean colour minimises.

    Args:
        width: channels of the first convolution; twice and four times as many in the next two.
        window: side of the square crops it is trained on, and looks through unless a hole is small, pixels.
    """

    name = "cnn"
    one_hole = True
    stride = 1

    def __init__(self, width: int = 32, window: int = 128) -> None:
        self.width, self.window = width, window
        self._check_settings(width=width, window=window)
        deep = 4 * width
        self.backbone = Sequential(
            *(*_convolution(4, width), MaxPool2d(2)),
            *(*_convolution(width, 2 * width), *_convolution(2 * width, 2 * width), MaxPool2d(2)),
            *(*_convolution(2 * width, deep), *_convolution(deep, deep), *_convolution(deep, deep)),
        )
        self.head = Conv2d(deep, 3, 1)
        self.ring = Linear(3 * RING, 3 * GRID**2, bias=False)
        self.head.weight.data.zero_()
        self.ring.weight.data.zero_()

    def predict(self, masked: Array, mask: Array) -> Tensor:
        """Paint the cells of holes: (N, 3, H, W) and (N, 1, H, W) to (N, 3, H, W)."""
        tiles, ring, mean, contrast = features(masked, mask)
        change = cast(self.change(tiles.to(self.dtype), ring.to(self.dtype)), dtype=masked.dtype)
        return composite_cells(change * contrast + mean, masked, mask)

    def change(self, tiles: Array, ring: Array) -> Tensor:
        """How far each cell is from the ring's mean, in units of the contrast (N, 3, 4, 4); see `features`."""
        grid = self.head(self.backbone(tiles))
        first = GRID * MARGIN // INNER
        middle = slice(first, first + GRID)
        beside = reshape(self.ring(ring), shape=(len(tiles), 3, GRID, GRID))
        return grid[:, :, middle, middle] + beside


def _convolution(inputs: int, outputs: int) -> tuple[Module, Module, Module]:
    return Conv2d(inputs, outputs, 3, padding=1, bias=False), BatchNorm2d(outputs), ReLU()
