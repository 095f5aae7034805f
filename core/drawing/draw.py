"""`draw`: from a tape to boxes and arrows."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ..arrays import kind_of
from ..mode import keep_values, recording
from ..module import Module, Parameter
from ..recompute import having, rerun
from ..tape import Array, Node, topological_order
from ..tensor import Tensor
from .svg import Box, Drawing, render

#: The largest array whose numbers are all shown, and its most columns.
MOST_NUMBERS, MOST_COLUMNS = 16, 4


def draw(
    what: Tensor | Callable[..., Any],
    *inputs: Any,
    values: bool = False,
    backward: bool | Array = False,
    names: Mapping[str, Tensor] | None = None,
) -> Drawing:
    """The tape behind a Tensor as a picture, data flowing from top to bottom, one box for each operation and each leaf.

    >>> from photomend.core import Tensor
    >>> a = Tensor(torch.tensor(3.0))
    >>> picture = draw(lambda a: (a + a) * 2, a, values=True, backward=True)  # a notebook shows it
    >>> "y = 12" in picture.svg, "ȳ = 4" in picture.svg
    (True, True)

    Operations have sharp corners, parameters are blue and other leaves green; each box says the result's shape.
    Constants, dashed, are known if `what` is a module or a function, or if the forward pass ran under `keep_values`.

    Args:
        what: a Tensor whose tape has not been used by ``backward()`` yet; or a module or a function that gives one for
            `inputs`. It runs in the mode it is in, and leaves buffers, random numbers and gradients as they were.
        inputs: arrays (constants) and Tensors.
        values: write values beside the shapes: small arrays in full, of larger ones the least and the largest number.
            The tape keeps no results, so of a Tensor's tape that was not made under `keep_values` only the leaves' and
            the last value are known.
        backward: also go backward, and write the cotangent ȳ that arrives at each box. An array is the last one's
            cotangent. On a Tensor this is its ``backward()``: leaves receive their gradients, and the tape is freed.
        names: what to call leaves, beyond a module's parameters and a function's arguments.

    Raises:
        TypeError: `what` is nothing that can be drawn, or gives no Tensor.
        RuntimeError: nothing was recorded, or the tape was already used.
        And what the forward and the backward pass raise.
    """
    if isinstance(what, Tensor):
        if inputs:
            raise TypeError(f"draw: inputs are for a module or a function, not for a {type(what).__name__}")
        return _picture(what, values, backward, {id(leaf): name for name, leaf in (names or {}).items()})
    if not callable(what):
        raise TypeError(f"draw: a Tensor, a module or a function is due, not a {kind_of(what)}")
    owner = getattr(what, "__self__", what)
    module = owner if isinstance(owner, Module) else Module()
    known = _arguments(what, inputs) | dict(module.named_parameters()) | dict(names or {})
    own = [x for x in inputs if isinstance(x, Tensor)]
    devices = [
        x.device for x in (*inputs, *module.parameters()) if isinstance(x, Array | Tensor) and x.device.type == "cuda"
    ]
    with (
        torch.random.fork_rng(devices[:1]),
        rerun(module),
        having(own, "grad", [None] * len(own)),
        recording(True),
        keep_values(),
    ):
        result = what(*inputs)
        if not isinstance(result, Tensor):
            raise TypeError(f"draw: a single Tensor is due from {_called(what)}, not a {kind_of(result)}")
        return _picture(result, values, backward, {id(thing): name for name, thing in known.items()})


def _called(what: Any) -> str:
    return getattr(what, "__name__", type(what).__name__)


def _arguments(what: Callable[..., Any], inputs: Sequence[Any]) -> dict[str, Any]:
    """The inputs by the names that the function, or the module's forward method, gives them."""
    function = what.forward if isinstance(what, Module) else what
    try:
        bound = inspect.signature(function).bind(*inputs).arguments
    except (TypeError, ValueError):  # no signature, or not such arguments: calling it will tell
        return {}
    found: dict[str, Any] = {}
    for name, value in bound.items():
        found |= {f"{name}[{i}]": x for i, x in enumerate(value)} if isinstance(value, tuple) else {name: value}
    return {name: value for name, value in found.items() if isinstance(value, Tensor | Array)}


def _picture(result: Tensor, values: bool, backward: bool | Array, names: dict[int, str]) -> Drawing:
    if not result.tracked:
        raise RuntimeError("draw: nothing was recorded for this Tensor (made under no_grad, or from constants)")
    nodes = topological_order(result.node)
    boxes = _boxes(nodes, names)
    constants = _constants(nodes, boxes, names, values)
    if values:
        for node, box in boxes.items():
            value = result.data if node is result.node else _value(node)
            box.lines += [] if value is None else numbers("y", value)
    if backward is not False:
        with _cotangents(nodes) as arrived:
            result.backward(None if backward is True else backward)
        for node, lines in arrived.items():
            boxes[node].lines += lines
    for box in boxes.values():
        box.title += f", of {', '.join(source.name for source in box.sources)}" if box.sources else ""
    operations = sum(box.kind == "operation" for box in boxes.values())
    title = f"Computation of {nodes[0].name}: {operations} operations on {len(boxes) - operations} leaves"
    return render([*boxes.values(), *constants], title)


def _boxes(nodes: list[Node], names: dict[int, str]) -> dict[Node, Box]:
    """A box for each node, with arrows from the nodes of its arguments."""
    boxes: dict[Node, Box] = {}
    for node in nodes:
        shape = _shape(node.shape)
        if node.leaf is None:
            if node.pullback is None:
                raise RuntimeError(
                    f"draw: the tape behind {node.name!r} was already used and freed; draw before backward(), or let "
                    "draw(…, backward=True) go backward"
                )
            box = Box("operation", node.name, node.name, [shape])
        else:
            leaf = node.leaf()
            kind = "parameter" if isinstance(leaf, Parameter) else "leaf"
            name = names.get(id(leaf), kind)
            box = Box(kind, name, name if name == kind else f"{kind} {name}", [shape])
        box.title += f": {shape}, {str(node.dtype).removeprefix('torch.')}"
        boxes[node] = box
    for node, box in boxes.items():
        box.sources = [boxes[parent] for parent in node.parents if parent is not None]
    return boxes


def _constants(nodes: list[Node], boxes: dict[Node, Box], names: dict[int, str], values: bool) -> list[Box]:
    """Boxes for the constants that nodes remember, with their arrows in the arguments' places."""
    made: dict[int, Box] = {}
    for node in nodes:
        if node.kept is None:
            continue
        sources: list[Box] = []
        for argument, parent in zip(node.kept[1], node.parents, strict=True):
            if parent is not None:
                sources.append(boxes[parent])
            elif isinstance(argument, Array):
                name, shape = names.get(id(argument), "constant"), _shape(argument.shape)
                lines = [shape, *(numbers("y", argument) if values else [])]
                title = f"constant {name}" if name != "constant" else name
                sources.append(made.setdefault(id(argument), Box("constant", name, f"{title}: {shape}", lines)))
            elif isinstance(argument, int | float) and not isinstance(argument, bool):
                box = Box("constant", f"{argument:.4g}", f"constant {argument}", [])
                made[id(box)] = box
                sources.append(box)
        boxes[node].sources = sources
    return list(made.values())


def _value(node: Node) -> Array | None:
    """What a node computed, where that is known."""
    if node.leaf is not None:
        leaf = node.leaf()
        return None if leaf is None else leaf.data
    return None if node.kept is None else node.kept[0]


@contextmanager
def _cotangents(nodes: list[Node]) -> Iterator[dict[Node, list[str]]]:
    """What arrives at these nodes in the backward pass that runs inside, in words."""
    arrived: dict[Node, list[str]] = {}
    leaves = {node: leaf for node in nodes if node.leaf is not None and (leaf := node.leaf()) is not None}
    for node in nodes:
        if node.pullback is not None:
            node.pullback = _noted(node, arrived)
    before = {node: leaf.grad for node, leaf in leaves.items()}
    for leaf in leaves.values():
        leaf.grad = None
    try:
        yield arrived
    finally:
        for node, leaf in leaves.items():
            fresh, earlier = leaf.grad, before[node]
            if fresh is not None:
                arrived[node] = numbers("ȳ", fresh)
            leaf.grad = earlier if fresh is None else fresh if earlier is None else earlier + fresh


def _noted(node: Node, arrived: dict[Node, list[str]]) -> Callable[[Array], Any]:
    pullback = node.pullback
    assert pullback is not None

    @functools.wraps(pullback)
    def noted(ȳ: Array) -> Any:
        arrived[node] = numbers("ȳ", ȳ)
        return pullback(ȳ)

    return noted


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "scalar"


def numbers(symbol: str, array: Array) -> list[str]:
    """A small array row by row; of a larger one the range of its numbers.

    >>> numbers("y", torch.tensor([[1.0, 2.0], [3.0, 4.5]]))
    ['y = [1, 2]', '    [3, 4.5]']
    >>> numbers("y", torch.arange(100.0))
    ['y: 0 … 99']
    """
    if not array.numel():
        return []
    array = array.detach()
    if array.numel() > MOST_NUMBERS or array.ndim > 2 or (array.ndim and array.shape[-1] > MOST_COLUMNS):
        return [f"{symbol}: {_number(array.min().item())} … {_number(array.max().item())}"]
    if array.ndim == 0:
        return [f"{symbol} = {_number(array.item())}"]
    rows = [f"[{', '.join(map(_number, row))}]" for row in array.reshape(-1, array.shape[-1]).tolist()]
    return [f"{symbol} = {rows[0]}", *(f"    {row}" for row in rows[1:])]


def _number(x: float) -> str:
    return f"{x + 0.0:.4g}"  # −0 becomes 0
