"""What the pages train on, handwritten digits that come with the exercises, and the curves of such trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

import numpy as np
import torch
from matplotlib import pyplot as plt
from photomend.core import Array, Module, in_mode, no_grad

Labelled = tuple[Array, Array]


def digits(images: bool = False) -> tuple[Labelled, Labelled]:
    """1,347 digits for training and 450 for the test: (N, 64) from 0 to 1, or (N, 1, 8, 8), and their labels (N,)."""
    with (files("photomend.app.exercises") / "digits.npz").open("rb") as file, np.load(file) as arrays:
        x, y = torch.tensor(arrays["images"]).float() / 16, torch.tensor(arrays["labels"]).long()
    x = x[:, None] if images else x.flatten(1)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    test, train = ((x[rows], y[rows]) for rows in order.split([450, len(x) - 450]))
    return train, test


def accuracy(network: Module, labelled: Labelled, batch_size: int) -> float:
    """The share of images whose label the network finds, in evaluation mode, so many at a time."""
    right = 0
    with in_mode(network, training=False), no_grad():
        for x, y in zip(*(array.split(batch_size) for array in labelled), strict=True):
            right += int((network(x).data.argmax(dim=1) == y).sum())
    return right / len(labelled[1])


def beside(curves: Mapping[str, Sequence[float]], window: int = 10) -> None:
    """The losses of several trainings in one picture, each the mean of so many steps."""
    axis = plt.subplots(figsize=(6, 3), layout="constrained")[1]
    for name, losses in curves.items():
        smooth = torch.tensor(losses).unfold(0, window, 1).mean(dim=1)
        axis.plot(range(window, len(losses) + 1), smooth, label=name, linewidth=1.4)
    axis.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axis.legend(frameon=False)
    plt.show()
