"""The random fill: noise in the hole. The baseline that everything must beat."""

from __future__ import annotations

import torch

from ..core import Array
from .reconstructor import require_hole


class RandomFill:
    """Every missing value is drawn evenly from [0, 1).

    Args:
        seed: of the noise. Each photo of a size gets the same noise, so a result doesn't depend on its batch.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """(N, 3, H, W) with noise where mask (N, 1, H, W) is 1; known pixels are those of `masked`."""
        require_hole(masked, mask)
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.rand(masked.shape[1:], generator=generator).to(masked)
        return torch.where(mask > 0.5, noise, masked)
