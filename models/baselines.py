"""The baselines that everything must beat: noise, and one colour for the whole hole."""

from __future__ import annotations

import torch

from ..core import Array
from .reconstructor import Fill


class RandomFill(Fill):
    """Every missing value is drawn evenly from [0, 1).

    Args:
        seed: of the noise. Each photo of a size gets the same noise, so a result doesn't depend on its batch.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fill(self, known: Array, mask: Array) -> Array:
        generator = torch.Generator().manual_seed(self.seed)
        return torch.rand(known.shape[1:], generator=generator).to(known).expand_as(known)


class BorderFill(Fill):
    """Fills with the mean colour of the known pixels beside the hole (the eight neighbours count)."""

    name = "border"

    def fill(self, known: Array, mask: Array) -> Array:
        missing = mask > 0.5
        border = (_dilate(missing) & ~missing).to(known.dtype)
        return ((known * border).sum(dim=(2, 3), keepdim=True) / border.sum(dim=(2, 3), keepdim=True)).expand_as(known)


def _dilate(missing: Array) -> Array:
    """Each bool pixel or any of its eight neighbours: along the rows first, then along the columns."""
    for axis in (2, 3):
        size = missing.shape[axis]
        grown = missing.clone()
        grown.narrow(axis, 0, size - 1).logical_or_(missing.narrow(axis, 1, size - 1))
        grown.narrow(axis, 1, size - 1).logical_or_(missing.narrow(axis, 0, size - 1))
        missing = grown
    return missing
