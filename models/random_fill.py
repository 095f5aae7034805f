"""The random fill: noise in the hole. The baseline that everything must beat."""

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
