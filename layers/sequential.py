"""One layer after another, and the layer that does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core import Array, Module, Tensor


class Sequential(Module):
    """Each layer on the output of the one before; parameters are named by the layers' positions.

    >>> from photomend.layers import Conv2d, ReLU
    >>> len(Sequential(Conv2d(3, 8, 3), ReLU()))
    2
    """

    def __init__(self, *layers: Module) -> None:
        self._layers = layers

    def named_children(self) -> Iterator[tuple[str, Module]]:
        return ((str(i), layer) for i, layer in enumerate(self._layers))

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, index: int) -> Module:
        return self._layers[index]

    def forward(self, x: Array | Tensor) -> Tensor:
        y: Any = x
        for layer in self._layers:
            y = layer(y)
        return y


class Identity(Module):
    """x as it is: for a place in a network where there may be a layer."""

    def forward(self, x: Array | Tensor) -> Array | Tensor:
        return x
