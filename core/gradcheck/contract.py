"""The contract of a rule: it returns (value, pullback), and the pullback one gradient like each of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..module import Module
from ..primitive import Primitive
from ..tape import Array
from ..tensor import Tensor
from .forward import shape_hint
from .function import GradientError, argument_names, normal


def as_operation(fn: Callable[..., Any], inputs: tuple[Any, ...]) -> Callable[..., Any]:
    """`fn` as something that takes and returns Tensors; a bare rule becomes a primitive.

    Raises:
        GradientError: what it returns is neither a value nor a pair of value and pullback.
    """
    if isinstance(fn, Module | Primitive):
        return fn
    failure: Exception | None = None
    try:
        returned = fn(*(x.double() if isinstance(x, Array) and x.is_floating_point() else x for x in inputs))
    except Exception as error:  # a function that is written for Tensors only
        failure, returned = error, None
    if isinstance(returned, tuple | list):
        _require_pair(getattr(fn, "__name__", repr(fn)), returned)
        return Primitive(fn)
    if failure is not None:
        try:
            fn(*(Tensor(x.double()) if isinstance(x, Array) and x.is_floating_point() else x for x in inputs))
        except Exception:
            raise failure from None  # what it said of raw arrays, which a rule takes
    return fn


def _require_pair(name: str, returned: Any) -> None:
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], Array) and callable(returned[1]):
        return
    kinds = ", ".join(type(part).__name__ for part in returned)
    raise GradientError(f"{name}: returned ({kinds}); a rule returns a value, which is an array, and its pullback")


def require_contract(fn: Primitive, inputs: tuple[Array, ...]) -> frozenset[int]:
    """Ask a primitive's rule for its value and gradients, on raw arrays.

    Returns:
        The positions of floating-point inputs whose gradient is None: the rule takes them for constants.

    Raises:
        GradientError: it doesn't return a pair; or the pullback's gradients aren't as many as the arguments, or one
            isn't an array of its argument's shape and dtype.
    """
    arrays = tuple(x.double() if x.is_floating_point() else x for x in inputs)
    bound = fn._complete(arrays, {})
    returned = fn.rule(*bound)
    if not isinstance(returned, tuple | list):
        raise GradientError(
            f"{fn.name}: returned {_kind(returned)}; a rule returns a value, which is an array, and its pullback"
        )
    _require_pair(fn.name, returned)
    value, pullback = returned
    gradients = pullback(normal(value, torch.Generator().manual_seed(0)))
    gradients = gradients if isinstance(gradients, tuple | list) else (gradients,)
    names = argument_names(fn, len(bound))
    if len(gradients) != len(bound):
        raise GradientError(
            f"{fn.name}: the pullback returned {_count(len(gradients), 'gradient')} for "
            f"{_count(len(bound), 'argument')} ({', '.join(names)}); one that can't have a gradient gets None"
        )
    constant = []
    for i, (name, x, gradient) in enumerate(zip(names, bound, gradients, strict=True)):
        if gradient is None and i < len(inputs) and inputs[i].is_floating_point():
            constant.append(i)
        elif isinstance(x, Array) and x.is_floating_point():
            _require_like(fn.name, name, x, gradient() if callable(gradient) else gradient)
    return frozenset(constant)


def _require_like(rule: str, name: str, x: Array, gradient: Any) -> None:
    what = f"{rule}: the pullback's gradient of {name} is"
    if not isinstance(gradient, Array):
        raise GradientError(f"{what} {_kind(gradient)}, but {name} is a floating-point array {tuple(x.shape)}")
    if gradient.shape != x.shape:
        hint = shape_hint(tuple(gradient.shape), tuple(x.shape))
        raise GradientError(
            f"{what} of shape {tuple(gradient.shape)}, but {name} is {tuple(x.shape)}"
            + (f"\n  hint:     {hint}" if hint else "")
        )
    if gradient.dtype != x.dtype:
        raise GradientError(f"{what} {gradient.dtype}, but {name} is {x.dtype}")


def _kind(x: Any) -> str:
    return "None" if x is None else "an array" if isinstance(x, Array) else f"a {type(x).__name__}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
