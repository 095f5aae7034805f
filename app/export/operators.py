"""The engine's primitives as ONNX operators: arithmetic, shapes and reductions.

An entry of OPERATORS is called with the graph and with what the primitive was given, all options included, and returns
the name of its result. A layer of your own needs one only if it brings a primitive of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from onnx import helper

from ...core import Array
from .graph import ExportError, Graph, Value

Operator = Callable[..., str]
Number = float | Value

OPERATORS: dict[str, Operator] = {}

#: One node with the same arguments.
_ALIKE = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "power": "Pow", "absolute": "Abs", "maximum": "Max", "minimum": "Min", "matmul": "MatMul",
    "where": "Where", "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softsign": "Softsign", "mish": "Mish",
    "hardswish": "HardSwish",
}  # fmt: skip


def operator(function: Operator) -> Operator:
    """Enter a function in OPERATORS under its own name, which is the primitive's."""
    OPERATORS[function.__name__.rstrip("_")] = function
    return function


def _alike(op: str) -> Operator:
    return lambda g, *inputs: g.node(op, *inputs)


OPERATORS |= {name: _alike(op) for name, op in _ALIKE.items()}


@operator
def clamp(g: Graph, x: Value, *, min: float | None, max: float | None) -> str:
    return g.node("Clip", x, min, max)


@operator
def cast(g: Graph, x: Value, *, dtype: torch.dtype) -> str:
    return g.node("Cast", x, to=helper.np_dtype_to_tensor_dtype(torch.empty(0, dtype=dtype).numpy().dtype))


@operator
def reshape(g: Graph, x: Value, *, shape: tuple[int, ...]) -> str:
    """Sizes that stay, from the front, are copied whatever they are: so any batch may come."""
    sizes = list(shape)
    for i in range(min(x.ndim, len(sizes))):
        if sizes[i] != x.shape[i]:
            break
        sizes[i] = 0
    return g.node("Reshape", x, sizes)


@operator
def permute(g: Graph, x: Value, *, dims: tuple[int, ...]) -> str:
    return g.node("Transpose", x, perm=[d % x.ndim for d in dims])


@operator
def transpose(g: Graph, x: Value, *, dim0: int, dim1: int) -> str:
    order = list(range(x.ndim))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return g.node("Transpose", x, perm=order)


@operator
def broadcast_to(g: Graph, x: Value, *, shape: tuple[int, ...]) -> str:
    kept = x.array.expand(shape).shape  # where shape says −1
    return g.node("Expand", x, list(kept))


@operator
def concatenate(g: Graph, *xs: Value, dim: int) -> str:
    return g.node("Concat", *xs, axis=dim % xs[0].ndim)


@operator
def stack(g: Graph, *xs: Value, dim: int) -> str:
    axis = dim % (xs[0].ndim + 1)
    return g.node("Concat", *(g.node("Unsqueeze", x, [axis]) for x in xs), axis=axis)


@operator
def pad(g: Graph, x: Value, *, pad: tuple[int, ...], mode: str, value: float) -> str:
    axes = len(pad) // 2
    before, after = list(pad[::2])[::-1], list(pad[1::2])[::-1]
    return g.node("Pad", x, [*before, *after], value, list(range(x.ndim - axes, x.ndim)), mode=mode)


@operator
def getitem(g: Graph, x: Value, *, index: Any) -> str:
    """Slices, integers and new axes; index arrays where each takes along an axis of its own, as rows and columns do."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [part for part in parts if not isinstance(part, Array)]:
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        given = sum(part is not None and part is not Ellipsis for part in parts)
        parts[at : at + 1] = [slice(None)] * (x.ndim - given)
    cut: list[tuple[int, int, int, int]] = []
    gathered: list[tuple[int, Array]] = []
    dropped, new, axis, out = [], [], 0, 0
    for part in parts:
        if part is None:
            new.append(out)
            out += 1
            continue
        if isinstance(part, slice) and part != slice(None):
            cut.append((part.start or 0, sys.maxsize if part.stop is None else part.stop, axis, part.step or 1))
        elif isinstance(part, int):
            cut.append((part, part + 1 or sys.maxsize, axis, 1))
            dropped.append(axis)
        elif isinstance(part, Array):
            gathered.append((axis, part))
        elif not isinstance(part, slice):
            raise ExportError(f"an index of {type(part).__name__} has no form in ONNX here")
        out += not isinstance(part, int)
        axis += 1
    result: Value | str = x
    if cut:
        starts, ends, axes, steps = (list(column) for column in zip(*cut, strict=True))
        result = g.node("Slice", result, starts, ends, axes, steps)
    for position, (along, places) in enumerate(gathered):
        wanted = [1] * len(gathered)
        wanted[position] = places.numel()
        if list(places.shape) != wanted[position:] or along != gathered[0][0] + position or dropped or new:
            raise ExportError("such a mixture of index arrays has no form in ONNX here")
        result = g.node("Gather", result, g.constant(places.flatten()), axis=along)
    if dropped:
        result = g.node("Squeeze", result, dropped)
    if new:
        result = g.node("Unsqueeze", result, new)
    return result if isinstance(result, str) else g.node("Identity", result)


def _reduction(op: str) -> Operator:
    def reduced(g: Graph, x: Value, *, dim: Any, keepdim: bool) -> str:
        axes = [dim] if isinstance(dim, int) else list(dim or ())
        return g.node(op, x, axes or None, keepdims=int(keepdim))

    return reduced


OPERATORS |= {
    name: _reduction(f"Reduce{op}")
    for name, op in {
        "sum": "Sum",
        "mean": "Mean",
        "amax": "Max",
        "amin": "Min",
        "logsumexp": "LogSumExp",
    }.items()
}


@operator
def variance(g: Graph, x: Value, *, dim: Any, keepdim: bool, correction: float) -> str:
    if correction:
        raise ExportError(f"a variance with the correction {correction} has no form in ONNX here")
    axes = [dim] if isinstance(dim, int) else list(dim or ())
    deviation = g.node("Sub", x, g.node("ReduceMean", x, axes or None, keepdims=1))
    return g.node("ReduceMean", g.node("Mul", deviation, deviation), axes or None, keepdims=int(keepdim))
