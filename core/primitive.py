"""`@primitive`: a function and its pullback become one differentiable operation.

The rule computes the value and returns it with a *named* inner function, the pullback, which takes the cotangent
ȳ of the value to the cotangents of the array arguments:

    @primitive
    def multiply(a, b):
        def multiply_pullback(ȳ):
            return lambda: ȳ * b, lambda: ȳ * a
        return a * b, multiply_pullback

- One gradient for each positional argument, in order; for an argument that can't have one, None.
- A gradient may be a function: it is called only if somebody asked for that gradient.
- Gradients are fresh arrays or views of ȳ, never of anything the caller still holds; ȳ is not changed.
- Keyword-only arguments are options (stride, dim, …) and never differentiable. As in torch, callers may give them by
  position after the arrays, and any number of arrays in a list: ``sum(x, 1)``, ``concatenate([a, b], 1)``.

A barred letter is a cotangent, the gradient of what the backward pass started at: x̄ is x's, W̄ that of W. So "x̄ = ȳ · b"
in a docstring is what the pullback computes. dx is a small change of x.

The naming follows ChainRules.jl's ``rrule``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NoReturn, cast

import numpy as np
import torch

from .anomaly import require_sound
from .arrays import not_an_array, recorded_by_torch, require_plain
from .mode import is_checking, is_keeping, is_recording
from .operators import PRIMITIVES
from .rules import arranged, not_a_rule
from .saved import saved_by, variable_of
from .tape import Array, Node, Pullback, Version
from .tensor import Tensor, made

Rule = Callable[..., tuple[Array, Pullback]]


class Primitive:
    """A differentiable operation; what the `primitive` decorator makes of a rule.

    Called with any Tensor among its positional arguments it returns a Tensor, recorded on the tape if one of them is
    tracked. Called with raw arrays only it returns the raw value. `rule` is the function as it was written, which
    returns the value and the pullback; tests and benchmarks call it on raw arrays.
    """

    def __init__(self, rule: Rule) -> None:
        functools.update_wrapper(self, rule)
        self.rule = rule
        self.name = rule.__name__
        signature = inspect.signature(rule)
        parameters = signature.parameters
        self.__signature__ = signature.replace(return_annotation=Tensor)
        self._names = set(parameters)
        self._positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        self._constants = [i for i, p in enumerate(self._positional) if "Constant" in str(p.annotation)]
        self._variadic = next((p.name for p in parameters.values() if p.kind is p.VAR_POSITIONAL), "")
        self._options = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]

    def __repr__(self) -> str:
        bare = [p.replace(annotation=p.empty) for p in self.__signature__.parameters.values()]
        return f"<primitive {self.name}{inspect.Signature(bare)}>"

    def __call__(self, *args: Any, **options: Any) -> Any:
        if len(args) != len(self._positional):
            args = self._complete(args, options)
        arrays: list[Any] = []
        sources: list[Tensor | None] = []
        among = tracked = False
        for argument in args:
            if isinstance(argument, Tensor):
                among = True
                if argument.tracked:
                    tracked = True
                    sources.append(argument)
                else:
                    sources.append(None)
                arrays.append(argument.data)
            else:
                sources.append(None)
                arrays.append(argument)
        self._check_alike(arrays)
        if options:
            self._check_options(options)
        try:
            returned = self.rule(*arrays, **options)
        except (TypeError, RuntimeError, AttributeError) as error:
            if "axis" in options and "dim" in self._options:
                raise TypeError(f"{self.name}: there is no option 'axis'; write dim={options['axis']}") from None
            self._explain(arrays, error)
            raise
        if type(returned) is not tuple or len(returned) != 2:
            raise TypeError(f"{self.name}: {not_a_rule(returned)}")
        value, pullback = returned
        if not isinstance(value, Array) or not callable(pullback) or recorded_by_torch(value):
            raise TypeError(f"{self.name}: {not_a_rule(returned)}")
        if not among:
            return value
        if is_checking():
            require_sound(self.name, [self._argument(i) for i in range(len(arrays))], arrays, options, value)
        if not value.is_floating_point():
            raise TypeError(f"{self.name}: the value is {value.dtype}, and only floating point has gradients")
        if not (tracked and is_recording()):
            return made(value, None)
        return made(value, self._node(arrays, sources, value, pullback))

    def _node(self, arrays: list[Any], sources: list[Tensor | None], value: Array, pullback: Pullback) -> Node:
        """The place on the tape of a value that was made of these arrays, some of which are those of `sources`."""
        parents: list[Node | None] = []
        versions: list[Version] = []
        for position in self._constants:
            if sources[position] is not None:
                name = self._argument(position)
                raise TypeError(f"{self.name}: {name} is a constant and has no gradient; pass {name}.detach()")
        for source in sources:
            if source is None:
                parents.append(None)
            else:
                parents.append(parent := source.node)
                if parent.leaf is not None:
                    try:
                        versions.append((parent.array, source.data._version))
                    except RuntimeError:  # made in torch's inference mode, which doesn't count changes
                        continue
        ids = [*map(id, arrays), id(value)]
        node = Node(value, self, parents, pullback, versions, saved_by(pullback), ids)
        if is_keeping():
            node.kept = value, arrays
        return node

    def _explain(self, arrays: list[Any], error: Exception) -> None:
        """Raise a clearer error if a rule failed because something else stands where a floating-point array is due."""
        for position, array in enumerate(arrays):
            name = self._argument(position)
            if not isinstance(array, Array):
                if not self._may_be(position, array):
                    self._refuse(position, array, error)
            elif not array.is_floating_point() and array.dtype != torch.bool and "type" in str(error):
                raise TypeError(
                    f"{self.name}: {name} is {array.dtype}, not floating point; pass {name}.to(torch.float32)"
                ) from error

    def _refuse(self, position: int, found: Any, cause: Exception | None = None) -> NoReturn:
        name = self._argument(position)
        if isinstance(found, list | tuple) and any(isinstance(item, Array | Tensor) for item in found):
            whole = f"{self.name}(stack([…]))" if len(self._positional) == 1 else "stack([…])"
            better = f"unpack it: {self.name}(*arrays)" if self._variadic else f"make one array of it: {whole}"
            advice = f"is a {type(found).__name__}; {better}"
        else:
            advice = f"must be an array, {not_an_array(found, maybe_integers=True)}"
            if isinstance(found, list | tuple) and position and self._options:
                advice += f", and give options by name: {self!r}"
        raise TypeError(f"{self.name}: {name} {advice}") from cause

    def _may_be(self, position: int, value: Any) -> bool:
        """Whether a rule says by its annotation, or by having none, that an argument may be a number or None."""
        if position >= len(self._positional):
            return False
        parameter = self._positional[position]
        return parameter.annotation not in (Array, "Array") and (value is not None or parameter.default is None)

    def _complete(self, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments of a call in their places; see `arranged`."""
        return arranged(self.name, self._positional, self._options, bool(self._variadic), args, options)

    def _check_alike(self, arrays: list[Any]) -> None:
        """All floating-point arrays of one call share their dtype and device, and torch records none of them; say who
        is otherwise."""
        dtype = device = None
        for position, array in enumerate(arrays):
            if not isinstance(array, Array):
                if isinstance(array, np.ndarray | list | tuple):  # of which torch would silently make an array
                    self._refuse(position, array)
                continue
            if recorded_by_torch(array):
                require_plain(f"{self.name}: {self._argument(position)}", array)
            if dtype is None:
                if array.is_floating_point():
                    dtype, device, first = array.dtype, array.device, position
            elif (array.dtype is not dtype or array.device != device) and array.is_floating_point():
                raise TypeError(
                    f"{self.name}: {self._argument(position)} is {array.dtype} on {array.device}, "
                    f"but {self._argument(first)} is {dtype} on {device}"
                )

    def _check_options(self, options: dict[str, Any]) -> None:
        for name, option in options.items():
            if isinstance(option, Tensor):
                raise TypeError(f"{self.name}: {name} is an option and can't be a Tensor; pass its .data")
            if isinstance(option, Array):
                require_plain(f"{self.name}: {name}", option)

    def _argument(self, position: int) -> str:
        named = len(self._positional)
        return self._positional[position].name if position < named else f"{self._variadic}[{position - named}]"

    def naming(self, node: Node, of: Array | int) -> str:
        """What an array, or the argument at a position, is to a node of this primitive; or else what the pullback calls
        it."""
        if isinstance(of, int):
            return f"argument {self._argument(of)}"
        if id(of) in node.ids:
            position = node.ids.index(id(of))
            return "the value" if position == len(node.ids) - 1 else f"argument {self._argument(position)}"
        variable = variable_of(node.pullback, of)
        return f"argument {variable}" if variable in self._names else f"{variable or 'an array'} in the pullback"


def primitive(rule: Rule) -> Primitive:
    """Make a differentiable operation of a rule (see this module's text) and enter it in the list of all.

    A rule that is defined again, by the same name in the same module, takes the place of the earlier one, as in a
    notebook whose cell is run again.

    Raises:
        ValueError: another module has a primitive of that name.
    """
    made = Primitive(rule)
    if (earlier := all_primitives().get(made.name)) and _place(earlier.rule) != _place(rule):
        raise ValueError(
            f"primitive {made.name!r} is defined twice, in {_place(earlier.rule)} and in {_place(rule)}; call one "
            "otherwise, or make it by Primitive(rule), which enters no list"
        )
    PRIMITIVES[made.name] = made
    return made


def _place(rule: Rule) -> str:
    return f"{rule.__module__}.{rule.__qualname__}"


def all_primitives() -> dict[str, Primitive]:
    """Every primitive defined so far, by name."""
    return cast(dict[str, Primitive], dict(PRIMITIVES))


def sum_to_shape(gradient: Array, shape: Any) -> Array:
    """The adjoint of broadcasting: sum `gradient` over the axes along which an array of `shape` was repeated."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    axes = [*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1)]
    return gradient.sum(dim=axes).reshape(shape)
