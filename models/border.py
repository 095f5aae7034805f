"""The mean border colour: one colour for the whole hole, the mean of the known pixels that touch it."""

from __future__ import annotations

import torch

from ..core import Array
from .reconstructor import require_hole


class BorderFill:
    """Fills with the mean colour of the known pixels beside the hole (the eight neighbours count)."""

    name = "border"

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """(N, 3, H, W) with one colour per photo where mask (N, 1, H, W) is 1; known pixels are those of `masked`."""
        require_hole(masked, mask)
        missing = mask > 0.5
        border = (_dilate(missing) & ~missing).to(masked.dtype)
        colour = (masked * border).sum(dim=(2, 3), keepdim=True) / border.sum(dim=(2, 3), keepdim=True)
        return torch.where(missing, colour, masked)


def _dilate(missing: Array) -> Array:
    """Each bool pixel or any of its eight neighbours: along the rows first, then along the columns."""
    for axis in (2, 3):
        size = missing.shape[axis]
        grown = missing.clone()
        grown.narrow(axis, 0, size - 1).logical_or_(missing.narrow(axis, 1, size - 1))
        grown.narrow(axis, 1, size - 1).logical_or_(missing.narrow(axis, 0, size - 1))
        missing = grown
    return missing
