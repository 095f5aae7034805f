"""The classical fills against the plain loops that define them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from photomend.core import Array
from photomend.models import BorderFill, HarmonicFill
from photomend.tests.reference.loops import fills


def holes(kind: str) -> Array:
    """Two masks (2, 1, 10, 9): rectangles inside and in a corner, or a third of all pixels."""
    if kind == "scattered":
        return (torch.rand(2, 1, 10, 9, generator=torch.Generator().manual_seed(1)) < 0.3).double()
    mask = torch.zeros(2, 1, 10, 9, dtype=torch.float64)
    mask[0, :, 3:7, 2:7] = 1
    mask[1, :, 6:, 5:] = 1
    return mask


@pytest.mark.parametrize("kind", ["rectangles", "scattered"])
@pytest.mark.parametrize(
    ("ours", "loops", "tolerance"),
    [
        (BorderFill().reconstruct, fills.border_fill, 1e-12),
        (HarmonicFill().reconstruct, lambda masked, mask: fills.harmonic_fill(masked, mask, sweeps=150), 0.01 / 255),
    ],
    ids=["border", "harmonic"],
)
def test_the_fill_is_what_the_loops_make(
    kind: str, ours: Callable[[Array, Array], Array], loops: Callable[..., np.ndarray], tolerance: float
) -> None:
    mask = holes(kind)
    masked = torch.rand(2, 3, 10, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * (1 - mask)
    expected = loops(masked.numpy(), mask.numpy())
    assert np.abs(ours(masked, mask).numpy() - expected).max() <= tolerance
