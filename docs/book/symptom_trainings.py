"""Small trainings in which the classic mistakes are made, for the gallery: see `symptoms.py`.

Each is a few seconds of work: handwritten digits of 8×8 pixels, batches of 64, the same weights and batches every time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from photomend import layers
from photomend.core import Array, Module, Parameter, Tensor, stack
from photomend.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, cross_entropy
from photomend.layers.convolution.choose import only
from photomend.train.optimizers import SGD, Adam
from pictures_training import Labelled, accuracy, digits

Build = Callable[[], Module]
LossFunction = Callable[[Tensor, Array], Tensor]


@cache
def data() -> tuple[Labelled, Labelled]:
    return digits(images=True)


def losses(
    build: Build, by: str = "sgd", lr: float = 0.2, steps: int = 120, loss: LossFunction = cross_entropy
) -> tuple[list[float], Module]:
    """The loss of each step, and the network; it ends early where the loss isn't finite."""
    torch.manual_seed(0)
    network, found = build(), []
    (x, y), _ = data()
    optimizer: Any = {"sgd": SGD, "adam": Adam}[by](network.parameters(), lr=lr)
    for _ in range(steps):
        chosen = torch.randint(len(x), (64,))
        value = loss(network(x[chosen]), y[chosen])
        found.append(value.item())
        if not torch.isfinite(value.data):
            break
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return found, network


def last_loss(build: Build, **settings: Any) -> str:
    """The mean loss of the last 20 steps, or when it ceased to be a number."""
    found, _ = losses(build, **settings)
    if not torch.isfinite(torch.tensor(found[-1])):
        return f"{found[-1]} in step {len(found)}"
    return f"{sum(found[-20:]) / 20:.3g}"


def read(build: Build, batch_size: int = 450, **settings: Any) -> str:
    """How many new digits the trained network reads, so many at a time."""
    return f"{100 * accuracy(losses(build, **settings)[1], data()[1], batch_size):.0f} %"


def around(*middle: Callable[[], Module], channels: int = 8) -> Build:
    """Builds a network with these layers between its first convolution (8 channels) and its last linear layer."""
    return lambda: Sequential(
        *(Conv2d(1, 8, 3, padding=1), ReLU(), MaxPool2d(2)),
        *(make() for make in middle),
        *(ReLU(), layers.AdaptiveAvgPool2d(2), Flatten(), Linear(4 * channels, 10)),
    )


def dense(activation: Callable[[], Module]) -> Build:
    """Builds a network 64 → 64 → 10 with this in its middle."""
    return lambda: Sequential(Flatten(), Linear(64, 64), activation(), Linear(64, 10))


def by_taps(measure: Callable[..., str], *arguments: Any, **settings: Any) -> str:
    """The same with convolutions computed tap by tap, which is where some of the mistakes are."""
    with only("taps"):
        return measure(*arguments, **settings)


class Perceptron(Module):
    """64 → 64 → 10 with an operation of your choice on the hidden units (N, 64)."""

    def __init__(self, hidden: Callable[[Any], Any] = layers.relu, squares: int = 0) -> None:
        self.hidden, self.first, self.last = hidden, Linear(64, 64), Linear(64, 10)
        self.squares = [Parameter(torch.randn(64, 64) / 8) for _ in range(squares)]
        self.second = self.squares[0] if squares else None

    def forward(self, x: Array | Tensor) -> Tensor:
        h = self.hidden(self.first(x.reshape(len(x), 64)))
        if self.second is not None:
            h = layers.relu(h @ self.second)
        return self.last(h)


class Streams(Module):
    """Two branches that are stacked; the first counts twice."""

    def __init__(self) -> None:
        self.left, self.right, self.last = Linear(64, 32), Linear(64, 32), Linear(32, 10)

    def forward(self, x: Array) -> Tensor:
        x = x.reshape(len(x), 64)
        both = stack([layers.relu(self.left(x)), layers.tanh(self.right(x))], dim=1)
        return self.last((both * torch.tensor([2.0, -1.0])[:, None]).sum(1))


class Words(Module):
    """Reads the 64 pixels as words: one of 17 vectors for each grey, added up for every row of pixels."""

    def __init__(self, look_up: Callable[[Any, Array], Any]) -> None:
        self.look_up, self.table, self.last = look_up, Parameter(torch.randn(17, 8)), Linear(64, 10)

    def forward(self, x: Array) -> Tensor:
        greys = (x.reshape(len(x), 8, 8) * 16).round().long()
        return self.last(layers.relu(self.look_up(self.table, greys).sum(2)).reshape(len(x), 64))


class Scale(Module):
    """Multiplies and shifts each channel, by broadcasting; how far the two moved is `moved`."""

    def __init__(self) -> None:
        self.weight, self.bias = Parameter(torch.ones(8, 1, 1)), Parameter(torch.zeros(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias

    @property
    def moved(self) -> float:
        return float(torch.cat([self.weight.data - 1, self.bias.data]).norm())


def rows_and_columns() -> Module:
    """The image's rows and columns are exchanged between two layers."""
    return Perceptron(lambda h: layers.relu(h.reshape(len(h), 8, 8).transpose(1, 2).reshape(len(h), 64)))


def moved(by: str) -> str:
    """How far the scales and shifts of a network have moved after its training."""
    network = losses(around(Scale), by=by, lr={"sgd": 0.1, "adam": 0.01}[by])[1]
    return f"{next(m for m in network.modules() if isinstance(m, Scale)).moved:.2g}"


def slope(build: Build) -> str:
    """The slope of the only PReLU of a network after its training; it began with 0.25."""
    network = losses(build)[1]
    return f"{next(m for m in network.modules() if isinstance(m, layers.PReLU)).weight.data.item():.2f}"
