"""A graph in the making: nodes and weights are collected here, and named when the file is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ...core import Array, PhotomendError

#: The version of ONNX's operators that files ask for: the first whose group norm has a scale for each channel.
OPSET = 21
#: The domain of the functions that a file brings along (`functions.py`).
OWN = "photomend"


class ExportError(PhotomendError):
    """A network, or a part of one, that can't be written as ONNX."""


class Value(NamedTuple):
    """An array on its way through the graph: its name there, and one that it was in the example run."""

    name: str
    array: Array

    @property
    def shape(self) -> torch.Size:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim


#: What a node takes: a value, the name of one, a number, whole numbers such as axes, or nothing.
Input = Value | str | float | Sequence[int] | None


@dataclass(frozen=True)
class Node:
    """An operator in the module at `path`."""

    path: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    domain: str
    attributes: tuple[tuple[str, Any], ...]


@dataclass
class Graph:
    """Nodes in their order, weights and constants by name; `path` is that of the module at work."""

    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    path: str = ""

    def node(self, op: str, *inputs: Input, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; its name."""
        return self.nodes_of(op, *inputs, outputs=1, domain=domain, **attributes)[0]

    def nodes_of(self, op: str, *inputs: Input, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node; the names of its outputs."""
        made = [f"%{len(self.nodes)}.{i}" for i in range(outputs)]
        names = tuple(map(self._name, inputs))
        while names and not names[-1]:  # nothing at the end is left out
            names = names[:-1]
        self.nodes.append(Node(self.path, op, names, tuple(made), domain, tuple(attributes.items())))
        return made

    def call(self, function: str, *inputs: Input, outputs: int = 1) -> list[str]:
        """Add a node that stands for one of the file's own functions."""
        return self.nodes_of(function, *inputs, outputs=outputs, domain=OWN)

    def weight(self, name: str, array: Array) -> str:
        """A parameter or buffer, under its name in the state dict."""
        self.arrays[name] = array.detach().cpu().contiguous().numpy()
        return name

    def constant(self, values: Any, dtype: type[np.generic] = np.float32) -> str:
        """A constant; its name says what it is, where that is short."""
        array = values.detach().cpu().numpy() if isinstance(values, Array) else np.asarray(values, dtype)
        words = f"{array.dtype} {array.tolist()}" if array.size <= 8 else ""
        if not words:
            same = (
                name for name, known in self.arrays.items() if name.startswith("constant ") and _equal(known, array)
            )
            words = next(same, f"constant {sum(name.startswith('constant ') for name in self.arrays)}")
        self.arrays[words] = array
        return words

    def _name(self, given: Input) -> str:
        if given is None:
            return ""
        if isinstance(given, Value):
            return given.name
        if isinstance(given, str):
            return given
        if isinstance(given, int | float):
            return self.constant(given)
        return self.constant(given, np.int64)

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        output: onnx.ValueInfoProto,
        result: str,
        functions: Iterable[onnx.FunctionProto] = (),
        facts: Mapping[str, str] | None = None,
    ) -> onnx.ModelProto:
        """The file: its graph gives `result` under the name of `output`."""
        if result not in {made for node in self.nodes for made in node.outputs}:
            result = self.node("Identity", result)  # an input, as it came
        renamed, protos = {result: output.name}, []
        for name, node in zip(self._node_names(), self.nodes, strict=True):
            for i, made in enumerate(node.outputs):
                renamed.setdefault(made, name if i == 0 else f"{name}:{i}")
            taken, given = ([renamed.get(n, n) for n in ends] for ends in (node.inputs, node.outputs))
            attributes: Any = dict(node.attributes)
            protos.append(helper.make_node(node.op, taken, given, name=name, domain=node.domain, **attributes))
        initializers = [numpy_helper.from_array(array, name) for name, array in self.arrays.items()]
        graph = helper.make_graph(protos, "photomend", inputs, [output], initializers)
        own = list(functions)
        opsets = [helper.make_opsetid("", OPSET), *([helper.make_opsetid(OWN, 1)] if own else [])]
        model = helper.make_model_gen_version(
            graph, opset_imports=opsets, functions=own, producer_name="photomend", ir_version=10
        )
        helper.set_model_props(model, dict(facts or {}))
        onnx.checker.check_model(model)
        return model

    def _node_names(self) -> list[str]:
        """The module's path for its only node; the operator behind it where there are several."""
        alone = Counter(node.path for node in self.nodes)
        seen: Counter[str] = Counter()
        names = []
        for node in self.nodes:
            name = node.path if node.path and alone[node.path] == 1 else f"{node.path}/{node.op}".lstrip("/")
            seen[name] += 1
            names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
        return names


def _equal(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b)


def same(one: Graph, other: Graph) -> bool:
    """Whether two graphs have the same nodes and numbers."""
    return (
        one.nodes == other.nodes
        and one.arrays.keys() == other.arrays.keys()
        and all(_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    )


def image(name: str, channels: int, words: str) -> onnx.ValueInfoProto:
    """An input or output (N, `channels`, H, W) of float32, and what it is in words."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", channels, "H", "W"], words)
