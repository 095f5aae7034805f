"""The parts of a network as they ran, for a drawing (`drawing.py`): what they gave, and from whose results, as the tape
says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ...core import Array, Module, Tensor
from ...core.tape import Node
from ...layers import Sequential
from ...models import RepairNetwork

#: A part of more layers is replaced by its own parts.
MOST = 7
INPUT, OUTPUT = "photo + mask", "rebuilt photo"


@dataclass
class Part:
    """A part of a network as it ran: its layers, the shape of its result, and the parts whose results it was given."""

    name: str
    layers: list[str]
    shape: tuple[int, ...]
    parameters: int
    sources: list[str]

    @property
    def side(self) -> int:
        """The height of its result, 1 if that is no image."""
        return self.shape[1] if len(self.shape) == 3 else 1


@contextmanager
def listening(modules: Mapping[str, Module], heard: Callable[[str, tuple[Any, ...], Any], object]) -> Iterator[None]:
    """Inside this context, `heard` gets the name, the arguments and the result of each call of these modules.

    Each module gets a `forward` of its own meanwhile, which shadows its class's.
    """

    def overheard(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def forward_and_tell(*arguments: Any) -> Any:
            result = forward(*arguments)
            heard(name, arguments, result)
            return result

        return forward_and_tell

    for name, module in modules.items():
        vars(module)["forward"] = overheard(name, module.forward)
    try:
        yield
    finally:
        for module in modules.values():
            del vars(module)["forward"]


def trace(network: RepairNetwork, size: tuple[int, int] | None = None) -> list[Part]:
    """Run a network on a grey photo with a hole in its middle; its parts in the order in which they ran.

    The photo has this `size` (rows, columns), or else that of the network's window. The last part is the network's
    output. A part whose arguments no other part made has the network's input as source.

    Raises ValueError: the network takes no photo of this size.
    """
    modules = dict(parts_of(network))
    parts: dict[str, Part] = {}
    made: dict[int, str] = {}  # the id of a result, a node or an array → the part that made it
    kept: list[Any] = []  # the results: were one gone, another object could get its id

    def heard(name: str, arguments: tuple[Any, ...], result: Array | Tensor) -> None:
        sources = sorted({source for x in arguments for source in sources_of(x, made)}, key=list(parts).index)
        module = modules.get(name, network)
        parts[name] = Part(
            name, list(layers_in(module)), tuple(result.shape[1:]), module.parameter_count(), sources or [INPUT]
        )
        key = result.node if isinstance(result, Tensor) else result
        kept.append(key)
        made[id(key)] = name

    height, width = size or (network.window, network.window)
    masked, mask = torch.full((1, 3, height, width), 0.5), torch.zeros(1, 1, height, width)
    mask[:, :, height // 3 : -(height // 3), width // 3 : -(width // 3)] = 1
    device = network.parameters()[0].data.device
    was_training = network.training
    network.eval()
    try:
        with listening(modules, heard):
            result = network((masked * (1 - mask)).to(device), mask.to(device))
    finally:
        network.train(was_training)
    ends = sorted(sources_of(result, made), key=list(parts).index)
    own = Part(OUTPUT, [], tuple(result.shape[1:]), network.parameter_count(), ends or [INPUT])
    return merged([*parts.values(), own])


def sources_of(x: Array | Tensor, made: dict[int, str]) -> set[str]:
    """The parts from whose results `x` was computed: the nearest behind it on the tape."""
    if not isinstance(x, Tensor):
        return {made[id(x)]} if id(x) in made else set()
    found: set[str] = set()
    seen: set[int] = set()
    ahead: list[Node] = [x.node]
    while ahead:
        node = ahead.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if id(node) in made:
            found.add(made[id(node)])
        else:
            ahead += [parent for parent in node.parents if parent is not None]
    return found


def parts_of(network: Module) -> Iterator[tuple[str, Module]]:
    """A network's direct children by name; a sequence of more than MOST layers gives its own children instead."""
    for name, child in network.named_children():
        if isinstance(child, Sequential) and len(list(layers_in(child))) > MOST:
            yield from ((f"{name}.{own}", part) for own, part in child.named_children())
        else:
            yield name, child


def merged(parts: Iterable[Part]) -> list[Part]:
    """The parts, with neighbours from one sequence joined again where their results have the same size."""
    found: list[Part] = []
    now: dict[str, str] = {INPUT: INPUT}  # a part's name → the name of the part that it has been joined to
    last = ""  # the previous part's own name
    for part in parts:
        sequence = part.name.rpartition(".")[0]
        before = found[-1] if found else part
        if sequence and before.name.startswith(f"{sequence}.") and before.side == part.side and part.sources == [last]:
            before.layers += part.layers
            before.shape, before.parameters = part.shape, before.parameters + part.parameters
        else:
            found.append(part)
        last = part.name
        now[last] = found[-1].name
    for part in found:
        part.sources = [now[source] for source in part.sources]
    return found


def layers_in(module: Module) -> Iterator[str]:
    if isinstance(module, Sequential):
        for _, child in module.named_children():
            yield from layers_in(child)
    else:
        weight = getattr(getattr(module, "conv", module), "weight", None)  # a gated convolution has one inside
        kernel = f" {weight.shape[2]}×{weight.shape[3]}" if weight is not None and weight.ndim == 4 else ""
        yield type(module).__name__ + kernel


def count(number: int) -> str:
    """A number of parameters with at most three digits: 812, 4.61 k, 1.18 M."""
    power = 0 if number < 1000 else min(2, int(math.log10(number)) // 3)
    return f"{number / 1000**power:.3g}{('', ' k', ' M')[power]}"
