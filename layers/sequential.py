"""One layer after another, and the layer that does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from ..core import Array, Module, Tensor, kind_of


class Sequential(Module):
    """Each layer on the output of the one before; parameters are named by the layers' positions.

    >>> from photomend.layers import Conv2d, ReLU
    >>> layers = Sequential(Conv2d(3, 8, 3), ReLU())
    >>> len(layers), len(layers[:1])
    (2, 1)

    A subclass may have other layers and parameters as attributes, which are its own forward's affair.

    Raises:
        TypeError: something among the layers is no Module.
    """

    def __init__(self, *layers: Module) -> None:
        for index, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layers[{index}] {_advice(layer)}")
        self._layers = layers

    def _members(self) -> Iterator[tuple[str, Any]]:
        return ((name.removeprefix("_layers."), value) for name, value in super()._members())

    def __len__(self) -> int:
        return len(self._layers)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        """One layer, or a Sequential of a slice's."""
        return Sequential(*self._layers[index]) if isinstance(index, slice) else self._layers[index]

    def __iter__(self) -> Iterator[Module]:
        return iter(self._layers)

    def forward(self, x: Array | Tensor) -> Tensor:
        y: Any = x
        for layer in self._layers:
            y = layer(y)
        return y


def _advice(found: Any) -> str:
    """What stands in a layer's place, and what to write instead."""
    if found is None:
        return "is None; Identity() is the layer that does nothing"
    if isinstance(found, type):
        return f"is the class {found.__name__}; a layer is due: {found.__name__}(…)"
    if isinstance(found, Mapping):
        return f"is a {kind_of(found)}; unpack it: Sequential(*layers.values())"
    if isinstance(found, Iterable) and not isinstance(found, Array | Tensor | str):
        return f"is a {kind_of(found)}; unpack it: Sequential(*layers)"
    if callable(found) and kind_of(found).startswith("torch."):
        return f"is a {kind_of(found)}; use the layer of photomend.layers"
    if callable(found):
        name = getattr(found, "__name__", kind_of(found))
        return f"is the function {name}; a layer is due, as ReLU() is for relu"
    return f"must be a layer, not a {kind_of(found)}"


class Identity(Module):
    """x as it is: for a place in a network where there may be a layer."""

    def forward(self, x: Array | Tensor) -> Array | Tensor:
        return x
