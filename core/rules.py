"""How a rule is called and what it must return, and what an error says of one that returns something else."""

from __future__ import annotations

import inspect
from typing import Any

from .arrays import recorded_by_torch
from .tape import Array
from .tensor import Tensor


def not_a_rule(returned: Any) -> str:
    """What is wrong with what a rule returned."""
    asked = "a rule returns its value, an array, and its pullback: return y, pullback"
    if not isinstance(returned, tuple) or len(returned) != 2:
        several = f" of {len(returned)}" if isinstance(returned, tuple | list) else ""
        return f"{asked}; this one returned a {type(returned).__name__}{several}"
    value, pullback = returned
    if isinstance(value, Array) and recorded_by_torch(value):
        return "the value requires torch's gradients; detach the arrays that the rule captured"
    if not isinstance(value, Array):
        is_ours = "; rules compute with arrays, so call other primitives' rules" if isinstance(value, Tensor) else ""
        return f"{asked}; the value is a {type(value).__name__}{is_ours}"
    return f"{asked}; the pullback is a {type(pullback).__name__}, which can't be called"


def arranged(
    name: str,
    positional: list[inspect.Parameter],
    option_names: list[str],
    variadic: bool,
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> tuple[Any, ...]:
    """The `args` of a call of the primitive `name` in their places, with those given by name and the defaults of those
    left out: a pullback returns one gradient for each argument of its rule. Options that were given by position are put
    among the `options`, and arrays in a list, for a `variadic` rule, are unpacked."""
    if not variadic:
        args, more = args[: len(positional)], args[len(positional) :]
    elif args and isinstance(args[0], list | tuple):
        args, more = tuple(args[0]), args[1:]
    else:
        return args
    if len(more) > len(option_names):
        raise TypeError(f"{name}: {len(more) - len(option_names)} arguments too many are given")
    for option, value in zip(option_names, more, strict=False):
        if option in options:
            raise TypeError(f"{name}: {option} is given twice, by position and by name")
        if isinstance(value, Array | Tensor) and len(positional) > 1:  # torch's order of arrays may be another one
            strange = [p.name for p, a in zip(positional, args, strict=False) if isinstance(a, list | tuple)]
            order = f"; {strange[0]} is no array: first come {', '.join(p.name for p in positional)}" if strange else ""
            raise TypeError(f"{name}: {option} is an array beside others; give it by name: {option}=…{order}")
        options[option] = value
    for parameter in positional[len(args) :]:
        if parameter.name in options:
            args = (*args, options.pop(parameter.name))
        elif parameter.default is not parameter.empty:
            args = (*args, parameter.default)
        else:
            break  # Python's own message for a missing argument is the best one
    return args
