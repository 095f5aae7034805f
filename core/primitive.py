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
- Keyword arguments are options (stride, dim, …) and never differentiable.

A barred letter is a cotangent, the gradient of what the backward pass started at: x̄ is x's, W̄ that of W. So "x̄ = ȳ · b"
in a docstring is what the pullback computes. dx is a small change of x.

The naming follows ChainRules.jl's ``rrule``.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any, cast

from .tape import Array, Node, Pullback, is_recording
from .tensor import PRIMITIVES, Tensor

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
        parameters = inspect.signature(rule).parameters
        self._positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        self._variadic = next((p.name for p in parameters.values() if p.kind is p.VAR_POSITIONAL), "")

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(self, *args: Any, **options: Any) -> Any:
        if len(args) < len(self._positional):
            args = self._complete(args, options)
        tensors = [a for a in args if isinstance(a, Tensor)]
        for name, option in options.items():
            if isinstance(option, Tensor):
                raise TypeError(f"{self.name}: {name} is an option and can't be a Tensor; pass its .data")
        arrays = [a.data if isinstance(a, Tensor) else a for a in args]
        self._check_alike(arrays)
        value, pullback = self.rule(*arrays, **options)
        if not tensors:
            return value
        result = Tensor(value, tracked=is_recording() and any(t.tracked for t in tensors))
        if result.tracked:
            parents = tuple([a.node if isinstance(a, Tensor) and a.tracked else None for a in args])
            versions = [
                (position, weakref.ref(arrays[position]), arrays[position]._version)
                for position, parent in enumerate(parents)
                if parent is not None and parent.leaf is not None
            ]
            result._node = Node(self.name, value, parents, pullback, versions)
        return result

    def _complete(self, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        """`args` with those given by name, and the defaults of those left out, in their places: a pullback returns
        one gradient for each argument of its rule."""
        for parameter in self._positional[len(args) :]:
            if parameter.name in options:
                args = (*args, options.pop(parameter.name))
            elif parameter.default is not parameter.empty:
                args = (*args, parameter.default)
            else:
                break  # Python's own message for a missing argument is the best one
        return args

    def _check_alike(self, arrays: list[Any]) -> None:
        """All floating-point arrays of one call share their dtype and device; say who differs."""
        first: Array | None = None
        for position, array in enumerate(arrays):
            if not isinstance(array, Array) or not array.is_floating_point():
                continue
            if first is None:
                first, first_position = array, position
            elif array.dtype != first.dtype or array.device != first.device:
                raise TypeError(
                    f"{self.name}: {self._argument(position)} is {array.dtype} on {array.device}, "
                    f"but {self._argument(first_position)} is {first.dtype} on {first.device}"
                )

    def _argument(self, position: int) -> str:
        named = len(self._positional)
        return self._positional[position].name if position < named else f"{self._variadic}[{position - named}]"


def primitive(rule: Rule) -> Primitive:
    """Make a differentiable operation of a rule (see this module's text) and enter it in the list of all.

    Raises:
        ValueError: another primitive of that name exists.
    """
    made = Primitive(rule)
    if made.name in PRIMITIVES:
        raise ValueError(f"primitive {made.name!r} is defined twice")
    PRIMITIVES[made.name] = made
    return made


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
