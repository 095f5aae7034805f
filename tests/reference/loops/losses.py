"""The training loss in plain loops."""

from __future__ import annotations

import numpy as np


def hole_loss(
    prediction: np.ndarray, target: np.ndarray, mask: np.ndarray, mse_weight: float = 4.0, mae_weight: float = 1.0
) -> np.ndarray:
    """The weighted mean of the squared and the absolute error over the missing values."""
    squares, sizes = [], []
    for n, c, r, q in np.ndindex(prediction.shape):
        if mask[n, 0, r, q]:
            d = prediction[n, c, r, q] - target[n, c, r, q]
            squares.append(d * d)
            sizes.append(abs(d))
    return np.array(mse_weight * sum(squares) / len(squares) + mae_weight * sum(sizes) / len(sizes))
