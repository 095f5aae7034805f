"""Linear regression: from the colours around the hole straight to the mean colour of each of its parts.

It is trained by gradient descent like any network here; since it is linear, the best weights are also known in closed
form (`photomend.train.ridge`), and that is the check on the descent.

Source: Bishop, *Pattern recognition and machine learning* (2006), §3.1.
"""

from __future__ import annotations

from ..core import Array, Tensor, cast, reshape
from ..layers import Linear
from .cells import RING, composite_cells, ring_colours
from .network import RepairNetwork


class LinearModel(RepairNetwork):
    """A linear map from the ring of known pixels around the hole to the mean colour of each cell in it.

    What is mapped are the ring's colours less their mean, and what is predicted is each cell's difference from that
    mean: so a photo's brightness, by far the largest thing the colours share, needs no weights.

    With the squared error as its loss (`mse_weight` 1, `mae_weight` 0, its training defaults) the sum over a cell's
    pixels is n · (prediction − the cell's mean)² plus a constant, so it is trained on the mean colours.

    Args:
        splits: rows and columns that the hole is split into, 2 to 8.
        window: side of the square crops it is trained on, and looks through unless a hole is small, pixels.
    """

    name = "linear"
    one_hole = True
    stride = 1

    def __init__(self, splits: int = 2, window: int = 96) -> None:
        self.splits, self.window = splits, window
        self._check_settings(splits=splits, window=window)
        if not 2 <= splits <= 8:
            raise ValueError(f"splits (={splits}) must be from 2 to 8")
        self.regression = Linear(3 * RING, 3 * splits**2)

    def predict(self, masked: Array, mask: Array) -> Tensor:
        """Paint the cells of holes: (N, 3, H, W) and (N, 1, H, W) to (N, 3, H, W)."""
        ring, mean = ring_colours(masked, mask)
        change = cast(self.change(ring.flatten(1).to(self.dtype)), dtype=masked.dtype)
        return composite_cells(change + mean[..., None], masked, mask)

    def change(self, ring: Array) -> Tensor:
        """How far each cell (N, 3, splits, splits) is from the ring's mean, by the ring's colours (N, 108) less it."""
        return reshape(self.regression(ring), shape=(len(ring), 3, self.splits, self.splits))
