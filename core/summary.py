"""What a module is made of, as a table: its layers, the shapes that they give, and how many numbers they train."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from .mode import no_grad
from .module import Module, Parameter, in_mode
from .tape import Array
from .tensor import Tensor

_HEADINGS = ("name", "layer", "output", "parameters")


def summary(module: Module, *inputs: Array | Tensor) -> str:
    """A table of the module and all below it, read off one forward pass of `inputs`; print it.

    The pass is one in evaluation mode and leaves no trace. A layer's parameters are its own, without those of the
    layers below it; one that is shared is counted where it comes first. A layer that is called several times shows the
    output of the last call and how many calls there were.

    >>> from photomend.layers import Linear, ReLU, Sequential
    >>> import torch
    >>> print(summary(Sequential(Linear(8, 16), ReLU(), Linear(16, 3)), torch.ones(5, 8)))
    name  layer       output   parameters
    -------------------------------------
          Sequential  (5, 3)            0
    0     Linear      (5, 16)         144
    1     ReLU        (5, 16)           0
    2     Linear      (5, 3)           51
    -------------------------------------
    195 parameters, 195 of them trained

    Raises:
        What the module's forward pass raises.
    """
    outputs = _outputs(module, inputs)
    rows, seen = [], set[int]()
    for name, layer in module.named_modules():
        own = [p for _, p in layer._members() if isinstance(p, Parameter) and id(p) not in seen]
        count = sum({id(p): p.data.numel() for p in own}.values())
        seen.update(map(id, own))
        calls = outputs[id(layer)]
        shown = _shape(calls[-1]) if calls else "not called"
        rows.append((name, type(layer).__name__, shown + (f" ×{len(calls)}" if len(calls) > 1 else ""), f"{count:,}"))
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    lines = [
        f"{name:{widths[0]}}  {kind:{widths[1]}}  {output:{widths[2]}}  {count:>{widths[3]}}"
        for name, kind, output, count in (_HEADINGS, *rows)
    ]
    rule = "-" * len(lines[0])
    trained = sum(p.data.numel() for p in module.parameters() if p.tracked)
    last = f"{module.parameter_count():,} parameters, {trained:,} of them trained"
    return "\n".join([lines[0], rule, *lines[1:], rule, last])


def _outputs(module: Module, inputs: tuple[Array | Tensor, ...]) -> dict[int, list[Any]]:
    """What each module below gives in a forward pass, call by call, under its id."""
    outputs: dict[int, list[Any]] = defaultdict(list)

    def watched(layer: Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*args: Any, **kwargs: Any) -> Any:
            output = forward(*args, **kwargs)
            outputs[id(layer)].append(output)
            return output

        return watching

    layers = {id(layer): layer for _, layer in module.named_modules()}.values()
    before = [(layer, vars(layer).get("forward")) for layer in layers]
    try:
        for layer in layers:
            vars(layer)["forward"] = watched(layer, layer.forward)
        with in_mode(module, training=False), no_grad():
            module(*inputs)
    finally:
        for layer, forward in before:
            vars(layer).pop("forward", None)
            if forward is not None:
                vars(layer)["forward"] = forward
    return outputs


def _shape(output: Any) -> str:
    """The shapes of arrays, of several one after the other; of anything else its type."""
    if isinstance(output, Array | Tensor):
        return str(tuple(output.shape))
    if isinstance(output, list | tuple):
        return ", ".join(map(_shape, output))
    return type(output).__name__
