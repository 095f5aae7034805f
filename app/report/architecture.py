"""A drawing of a network: its boxes are the parts that ran, its arrows are read off the tape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from markupsafe import Markup

from ...core import Array, Module, Tensor
from ...core.tape import Node
from ...layers import Sequential
from ...models import RepairNetwork
from . import templates

#: The least width of a box, the height of a line, and the room between boxes, in the drawing's own units.
BOX, LINE, ACROSS, DOWN = 78.0, 13.0, 18.0, 36.0
#: The width of a character, by the class of its line: of a wide font, for the reader's isn't known.
CHARACTER = {"part-name": 7.4, "layer": 5.6, "shape": 5.6}
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


def trace(network: RepairNetwork) -> list[Part]:
    """Run a network on a grey window with a hole in its middle; its parts in the order in which they ran.

    The last part is the network's output. A part whose arguments no other part made has the network's input as source.
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

    side, hole = network.window, network.window // 3
    masked, mask = torch.full((1, 3, side, side), 0.5), torch.zeros(1, 1, side, side)
    mask[:, :, hole:-hole, hole:-hole] = 1
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


def draw(parts: list[Part], title: str, key: str = "1") -> Markup:
    """The parts from left to right by how many stand before them, from top to bottom by how small their results are.

    `key` tells this drawing's arrow heads from those of others on the page.
    """
    shown = [Part(INPUT, [], parts[-1].shape, 0, []), *parts]
    column = {INPUT: 0}
    for part in parts:
        column[part.name] = 1 + max(column[source] for source in part.sources)
    sides = sorted({part.side for part in shown}, reverse=True)
    row = {part.name: sides.index(part.side) for part in shown}
    heights = [max(height(part) for part in shown if part.side == side) for side in sides]
    middles = [DOWN * (i + 1) + sum(heights[:i]) + heights[i] / 2 for i in range(len(sides))]
    lefts, widths = columns(shown, column)
    place = {name: (lefts[column[name]], middles[row[name]]) for name in column}
    arrows = [
        arrow(place[source], place[part.name], widths[at], heights[row[source]], column[part.name] - at)
        for part in parts
        for source, at in ((source, column[source]) for source in part.sources)
    ]
    boxes = []
    for part in shown:
        (x, middle), tall, wide = place[part.name], height(part), widths[column[part.name]]
        box = {"x": x, "top": middle - tall / 2, "width": wide, "height": tall, "line": LINE, "lines": lines_of(part)}
        boxes.append(box)
    width = lefts[-1] + widths[-1] + 2
    total = sum(heights) + DOWN * (len(heights) + 0.5)
    template = templates().get_template("architecture.svg.jinja")
    return Markup(template.render(width=width, height=total, title=title, key=key, arrows=arrows, boxes=boxes))


def height(part: Part) -> float:
    return LINE * len(lines_of(part)) + 10


def columns(parts: Sequence[Part], column: Mapping[str, int]) -> tuple[list[float], list[float]]:
    """Where each column begins, and how wide it is: as wide as the longest line in its boxes."""
    widths = [BOX] * (1 + max(column.values()))
    for part in parts:
        longest = max(len(text) * CHARACTER[kind] for text, kind in lines_of(part))
        widths[column[part.name]] = max(widths[column[part.name]], longest + 8)
    lefts = [2 + sum(widths[:i]) + i * ACROSS for i in range(len(widths))]
    return lefts, widths


def arrow(start: tuple[float, float], end: tuple[float, float], wide: float, tall: float, ahead: int) -> str:
    """The path from the right side of a box, `wide`, to the left of another, so many columns `ahead`.

    Places are the middles of the boxes' left sides. Over boxes of the same row it goes above that row, which is `tall`.
    """
    (x0, y0), (x1, y1) = start, end
    if ahead > 1 and y0 == y1:
        return f"M{x0 + wide / 2},{y0} V{y0 - (tall + DOWN) / 2} H{x1 - ACROSS / 2} V{y1 - 8} H{x1 - 3}"
    return f"M{x0 + wide},{y0} H{x1 - ACROSS / 2} V{y1} H{x1 - 3}"


def lines_of(part: Part) -> list[tuple[str, str]]:
    """What stands in a part's box, with the class of each line: its name, layers, result and number of weights."""
    counted = ((name, len(list(same))) for name, same in groupby(part.layers))  # equal neighbours
    layers = [(f"{times} × {name}" if times > 1 else name, "layer") for name, times in counted]
    lines = [(part.name, "part-name"), *layers, (" × ".join(map(str, part.shape)), "shape")]
    return [*lines, (f"{count(part.parameters)} weights", "shape")] if part.parameters else lines


def count(number: int) -> str:
    """A number of parameters with at most three digits: 812, 4.61 k, 1.18 M."""
    power = 0 if number < 1000 else min(2, int(math.log10(number)) // 3)
    return f"{number / 1000**power:.3g}{('', ' k', ' M')[power]}"
