"""Compositions: one layer after another, and paths around a layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core import Array, Module, Tensor, concatenate


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


class Residual(Module):
    """x + body(x): the body learns what to change, and gradients have a way past it.

    Source: He et al., *Deep residual learning for image recognition* (2016), eq. 1.
    """

    def __init__(self, body: Module) -> None:
        self.body = body

    def forward(self, x: Array | Tensor) -> Tensor:
        return x + self.body(x)


class SkipConnection(Module):
    """(x, inner(x)) joined along the channels: the decoder gets the encoder's detail beside what lies deeper.

    `skip`, if given, works on the part that goes around (for example an attention).
    Source: Ronneberger, Fischer & Brox, *U-Net* (2015).
    """

    def __init__(self, inner: Module, skip: Module | None = None) -> None:
        self.inner = inner
        self.skip = skip

    def forward(self, x: Array | Tensor) -> Tensor:
        return concatenate(x if self.skip is None else self.skip(x), self.inner(x), dim=1)
