"""Handwritten digits: a convolutional network with channel and spatial attention.

The digits are scikit-learn's (python -m pip install scikit-learn): 1,797 images of 8 × 8 pixels.
"""

from __future__ import annotations

import torch
from photomend.core import Array, Module, Tensor, reshape
from photomend.layers import CBAM, BatchNorm2d, Conv2d, Linear, ReLU, Sequential, cross_entropy
from photomend.train import fit
from sklearn.datasets import load_digits


class DigitNetwork(Module):
    """Two convolutions, each followed by attention, and a score for each of the ten digits."""

    def __init__(self) -> None:
        self.features = Sequential(
            *(Conv2d(1, 32, 3, padding=1), BatchNorm2d(32), ReLU(), CBAM(32, reduction=8, kernel_size=3)),
            *(Conv2d(32, 64, 3, stride=2, padding=1), BatchNorm2d(64), ReLU(), CBAM(64, reduction=8, kernel_size=3)),
        )
        self.scores = Linear(64 * 4 * 4, 10)

    def forward(self, x: Array | Tensor) -> Tensor:
        return self.scores(reshape(self.features(x), shape=(len(x), -1)))


def main(epochs: int = 15) -> float:
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images).reshape(-1, 1, 8, 8) / 16, torch.tensor(labels)
    test, train = ((x[rows], y[rows]) for rows in torch.randperm(len(x)).split([450, len(x) - 450]))
    net = DigitNetwork()
    history = fit(
        net, train, cross_entropy, epochs=epochs, lr=2e-3, schedule="cosine", validation_data=test, metrics=["accuracy"]
    )
    accuracy: float = history.validation[-1]["val_accuracy"]
    print(f"digits: {100 * accuracy:.1f} % of {len(test[0])} test images, drawn at random, are recognised")
    return accuracy


if __name__ == "__main__":
    main()
