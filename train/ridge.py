"""Ridge regression in closed form: the weights that gradient descent on the linear model should find.

Source: Bishop, *Pattern recognition and machine learning* (2006), §3.1.4.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..core import Array
from ..models.cells import cell_means, ring_colours
from ..models.linear import LinearModel


def fit_ridge(network: LinearModel, batches: Iterable[tuple[Array, Array]], penalty: float = 1e-4) -> None:
    """Give the network the weights of the least squared error over the missing pixels of all batches together.

    For each cell, the normal equations (XᵀNX / n + λI) W = XᵀNY / n in float64: a row of X is a hole's ring and a 1
    for the bias, of Y the cell's mean colour less the ring's mean; N holds the cell's number of pixels, n all of them,
    because with these weights the squared errors of the means and of the pixels differ by a constant.

    Args:
        network: its weights are replaced.
        batches: photos (N, 3, H, W) in [0, 1] and their masks (N, 1, H, W), 1 = missing, as from a CropLoader.
        penalty: λ, on the weights and not on the bias. The features are at most 1 and most are far smaller.

    Raises:
        ValueError: there are no batches, or the penalty is negative.
    """
    if not penalty >= 0:
        raise ValueError(f"penalty (={penalty}) must not be negative")
    gram: Array | None = None
    for photo, mask in batches:
        masked, k = (photo * (1 - mask)).double(), network.splits
        ring, mean = ring_colours(masked, mask.double())
        colours, count = cell_means(photo.double(), mask.double(), k)
        x = torch.cat((ring.flatten(1), torch.ones_like(mean[:, 0])), dim=1)
        y = colours.flatten(2) - mean
        weighted = x[:, :, None] * count.flatten(1)[:, None]  # (photos, features, cells)
        if gram is None:
            gram = x.new_zeros(k * k, x.shape[1], x.shape[1])
            moment = x.new_zeros(k * k, x.shape[1], 3)
        gram += torch.einsum("nfc,ng->cfg", weighted, x)
        moment += torch.einsum("nfc,nrc->cfr", weighted, y)
    if gram is None:
        raise ValueError("batches: there is nothing to fit")
    pixels = gram[:, -1, -1, None, None]
    ridge = torch.full_like(gram[0, 0], penalty)
    ridge[-1] = 0
    best = torch.linalg.solve(gram / pixels + ridge.diag(), moment / pixels)  # (cells, features, colours)
    rows = best.permute(2, 0, 1).flatten(0, 1)
    network.load_state_dict({"regression.weight": rows[:, :-1], "regression.bias": rows[:, -1]})
