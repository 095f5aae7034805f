"""What an optimizer is given: its options, its parameters and their gradients, each refused in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from numbers import Real
from typing import Any, cast

import torch

from ...core import Array, Module, Parameter, Tensor, kind_of


def finite(name: str, value: Any, least: float = -inf) -> float:
    """An option that is a number, as a float. Raises TypeError for anything else, ValueError outside [least, ∞)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} (={value!r}) must be a number, not {type(value).__name__}")
    if not least <= float(value) < inf or value == -inf:
        raise ValueError(
            f"{name} (={value}) must be a finite number" + (f" of at least {least}" if least > -inf else "")
        )
    return float(value)


def at_least_zero(name: str, value: Any) -> float:
    return finite(name, value, least=0)


def below_one(name: str, value: Any) -> float:
    """The decay of a running average. Raises what `finite` does, and ValueError outside [0, 1)."""
    if not 0 <= finite(name, value) < 1:
        raise ValueError(f"{name} (={value}) must lie in [0, 1)")
    return float(value)


def betas(name: str, value: Any) -> tuple[float, float]:
    """The decays of two running averages."""
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(isinstance(beta, Real) for beta in value):
        raise TypeError(f"{name} (={value!r}) must be two numbers in [0, 1)")
    if not all(0 <= beta < 1 for beta in value):
        raise ValueError(f"{name} (={value!r}) must lie in [0, 1)")
    return float(value[0]), float(value[1])


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} (={value!r}) must be True or False")
    return value


def grouped(parameters: Any) -> tuple[list[Any], str]:
    """An optimizer's groups, of which a plain list of parameters is one, and what messages call its parameters."""
    if isinstance(parameters, Iterator):
        parameters = list(parameters)
    if isinstance(parameters, list | tuple) and any(isinstance(entry, Mapping) for entry in parameters):
        return list(parameters), ""
    return [{"params": parameters}], "parameters"


def listed(parameters: Any, where: str) -> list[tuple[str, Parameter]]:
    """Parameters with their names, which are empty where only parameters were given.

    Raises TypeError and ValueError: not a list, tuple or iterator of Parameters or of pairs (name, Parameter), or some
    are Tensors that a primitive made, come twice, or have no name where others have one.
    """
    if isinstance(parameters, Tensor | Array):
        raise TypeError(f"{where}: a list of Parameters is due, not one {kind_of(parameters)}; write [parameter]")
    if isinstance(parameters, Module):
        raise TypeError(f"{where}: a list is due, not the {type(parameters).__name__} itself; pass its .parameters()")
    if isinstance(parameters, str | Mapping | set | frozenset) or not isinstance(parameters, Iterable):
        raise TypeError(f"{where}: a list of Parameters is due, not a {kind_of(parameters)}")
    found: list[tuple[str, Parameter]] = []
    first: dict[int, int] = {}
    for index, entry in enumerate(parameters):
        name, parameter = entry if isinstance(entry, tuple) and len(entry) == 2 else ("", entry)
        if not isinstance(parameter, Tensor) or not isinstance(name, str):
            due = "a Parameter of photomend" if kind_of(parameter).startswith("torch.") else "a Parameter"
            raise TypeError(f"{where}[{index}] must be {due} or a pair (name, Parameter), not a {kind_of(entry)}")
        if not parameter.is_leaf:
            raise ValueError(f"{where}[{index}] was made by {parameter.node.name!r}; only a leaf can be optimized")
        if id(parameter) in first:
            raise ValueError(f"{where}[{index}] is the same Parameter as {where}[{first[id(parameter)]}]")
        if found and bool(name) != bool(found[0][0]):
            raise ValueError(f"{where}[{index}]: either all parameters have a name or none")
        first[id(parameter)] = index
        found.append((name, cast(Parameter, parameter)))
    return found


def require_gradient(gradient: Any, weight: Array, name: str) -> None:
    """Raise TypeError or ValueError unless a gradient is a dense array of its parameter's shape, dtype and device."""
    if not isinstance(gradient, Array):
        raise TypeError(f"the gradient of {name} must be an array, not a {kind_of(gradient)}")
    if gradient.layout != torch.strided:
        raise TypeError(f"the gradient of {name} is sparse ({gradient.layout}), and must be dense")
    if gradient.shape != weight.shape:
        shapes = f"has shape {tuple(gradient.shape)}, the parameter {tuple(weight.shape)}"
        raise ValueError(f"the gradient of {name} {shapes}")
    if gradient.dtype != weight.dtype or gradient.device != weight.device:
        kinds = f"is {gradient.dtype} on {gradient.device}, the parameter {weight.dtype} on {weight.device}"
        raise TypeError(f"the gradient of {name} {kinds}")


def require_unmoved(slots: Mapping[str, Array], weight: Array, name: str) -> None:
    """Raise TypeError if a parameter has another dtype or device than its running averages, as `Module.to` makes it."""
    for slot in slots.values():
        if slot.dtype != weight.dtype or slot.device != weight.device:
            was, now = (f"{x.dtype} on {x.device}" for x in (slot, weight))
            raise TypeError(f"{name} was {was}, and is {now}; make the optimizer when the network is where it stays")
        return  # all are alike
