"""Two moons: a small network learns to tell two half circles apart that reach into each other."""

from __future__ import annotations

import torch
from photomend import summary
from photomend.core import Array
from photomend.layers import Linear, ReLU, Sequential, cross_entropy
from photomend.train import fit


def moons(count: int, seed: int) -> tuple[Array, Array]:
    """Points (count, 2) on two half circles, with noise, and which of the two each is on."""
    generator = torch.Generator().manual_seed(seed)
    angle, moon = torch.pi * torch.rand(count, generator=generator), torch.arange(count) % 2
    side = 1 - 2 * moon  # the second is the first, turned by half a circle and moved
    points = torch.stack([side * angle.cos() + moon, side * angle.sin() + 0.5 * moon], dim=1)
    return points + 0.1 * torch.randn(count, 2, generator=generator), moon


def main(epochs: int = 30) -> float:
    torch.manual_seed(0)
    model = Sequential(Linear(2, 32), ReLU(), Linear(32, 32), ReLU(), Linear(32, 2))
    train, test = moons(1000, seed=1), moons(1000, seed=2)
    print(summary(model, train[0]))
    history = fit(model, train, cross_entropy, epochs=epochs, lr=0.01, validation_data=test, metrics=["accuracy"])
    accuracy: float = history.validation[-1]["val_accuracy"]
    print(f"two moons: {100 * accuracy:.1f} % of 1,000 new points are on the right moon")
    return accuracy


if __name__ == "__main__":
    main()
