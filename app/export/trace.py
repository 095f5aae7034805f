"""From a run to a graph: while modules compute an example, each primitive that they call becomes nodes.

Nothing else computes in a network, so this is all of it, in the order in which it ran. Nodes are named after the module
that called; weights are known by their arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from ...core import Array, Module, Primitive, Tensor, all_primitives, no_grad
from ...core.module import in_mode
from . import activations, layer_operators  # noqa: F401 (they enter their operators)
from .graph import ExportError, Graph, Value
from .operators import OPERATORS


def trace(graph: Graph, network: Module, function: Callable[..., Array | Tensor], inputs: Mapping[str, Array]) -> str:
    """Add to the graph what `function` of a network, in evaluation mode, makes of the inputs; the result's name.

    Args:
        graph: where nodes and weights go.
        network: the module whose parameters, buffers and sub-modules have names.
        function: called with the inputs' arrays; `network` itself, or a method of it.
        inputs: examples, by their names in the graph.

    Raises:
        ExportError: something has no form in ONNX; the module, its type and the operation are named.
    """
    with in_mode(network, training=False), no_grad():
        return _Tracing(graph, network, inputs).run(function, list(inputs.values()))


class _Tracing:
    """One run, and the names of the arrays in it."""

    def __init__(self, graph: Graph, network: Module, inputs: Mapping[str, Array]) -> None:
        self.graph, self.network = graph, network
        self.modules = dict(network.named_modules())
        self.weights = {id(array): name for name, array in reversed(network.state_dict().items())}
        self.names = {id(array): name for name, array in inputs.items()}
        self.kept: list[Array] = list(inputs.values())  # were one gone, another array could get its id
        self.inside = False  # a primitive, which may call others

    def run(self, function: Callable[..., Array | Tensor], inputs: list[Array]) -> str:
        with ExitStack() as meanwhile:
            first = {id(module): name for name, module in reversed(self.modules.items())}  # of one that is shared
            for name in first.values():
                meanwhile.enter_context(self._at(name, self.modules[name]))
            for primitive in all_primitives().values():
                meanwhile.enter_context(self._told_by(primitive))
            result = function(*inputs)
        array = result.data if isinstance(result, Tensor) else result
        if id(array) not in self.names:
            raise ExportError(f"{type(self.network).__name__}: its result isn't computed by its layers alone")
        return self.names[id(array)]

    @contextmanager
    def _at(self, name: str, module: Module) -> Iterator[None]:
        """Meanwhile the graph's path is this module's while it computes; its own `forward` shadows its class's."""
        forward, path = module.forward, name.replace(".", "/")

        def forward_here(*arguments: Any, **options: Any) -> Any:
            before, self.graph.path = self.graph.path, path
            try:
                return forward(*arguments, **options)
            finally:
                self.graph.path = before

        vars(module)["forward"] = forward_here
        try:
            yield
        finally:
            del vars(module)["forward"]

    @contextmanager
    def _told_by(self, primitive: Primitive) -> Iterator[None]:
        """Meanwhile calls of this primitive are written down."""
        rule, signature = primitive.rule, inspect.signature(primitive.rule)

        def rule_and_tell(*arrays: Any, **options: Any) -> Any:
            if self.inside:
                return rule(*arrays, **options)
            self.inside = True
            try:
                value, pullback = rule(*arrays, **options)
            finally:
                self.inside = False
            if id(value) not in self.names:  # a cast to the same type, for one, gives back what it was given
                call = signature.bind(*arrays, **options)
                call.apply_defaults()
                self._convert(primitive.name, call, value)
            return value, pullback

        primitive.rule = rule_and_tell
        try:
            yield
        finally:
            primitive.rule = rule

    def _convert(self, name: str, call: inspect.BoundArguments, value: Array) -> None:
        try:
            if name not in OPERATORS:
                raise ExportError(f"its operation {name!r} has no form in ONNX here")
            made = OPERATORS[name](
                self.graph, *map(self._given, call.args), **{k: self._given(v) for k, v in call.kwargs.items()}
            )
        except ExportError as error:
            path = self.graph.path.replace("/", ".")
            kind = type(self.modules[path]).__name__
            raise ExportError(f"{path or 'the network'} ({kind}): {error}") from error
        self.names[id(value)] = made
        self.kept.append(value)

    def _given(self, argument: Any) -> Any:
        return self._value(argument) if isinstance(argument, Array) else argument

    def _value(self, array: Array) -> Value:
        """An array with its name: that of what made it, or of a weight; or else it is a constant."""
        if id(array) not in self.names:
            weight = self.weights.get(id(array))
            name = self.graph.constant(array) if weight is None else self.graph.weight(weight, array)
            self.names[id(array)] = name
            self.kept.append(array)
        return Value(self.names[id(array)], array)
