"""What a rule must return and must leave alone, before anything is computed with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

from ....core import Array
from ....core.gradcheck.function import argument_names
from ..failure import AnswerError

_ASKED = "a rule returns its value and its pullback: return y, pullback"


def require_contract(name: str, rule: Callable[..., Any], inputs: tuple[Array, ...]) -> None:
    """Call a rule and its pullback once.

    Raises:
        AnswerError: what they return isn't a value, a pullback, and a gradient for each floating-point input; or they
            change their inputs, or ȳ, or give another value when they are called again.
    """

    def fail(what: str, mistake: str, target: str = "return") -> AnswerError:
        return AnswerError(name, "contract", target, f"{name}: {what}", mistake)

    given = [x.clone() for x in inputs]
    returned = rule(*given)
    if returned is None:
        raise fail("it returns nothing", f"return is missing; {_ASKED}")
    if not isinstance(returned, tuple | list):
        raise fail(f"it returns one thing, a {type(returned).__name__}", _ASKED)
    if len(returned) != 2 or not callable(returned[1]):
        raise fail(f"it returns ({', '.join(type(part).__name__ for part in returned):.120})", _ASKED)
    y, pullback = returned
    if not isinstance(y, Array):
        raise fail(f"the value is a {type(y).__name__}", "it must be an array, a torch.Tensor")
    if y.dtype != torch.float64:
        raise fail(f"the value is {y.dtype}", "the inputs are float64, and so must it be", "y")
    names = argument_names(rule, len(inputs))
    for argument, before, after in zip(names, inputs, given, strict=True):
        if not torch.equal(before, after):
            raise fail(f"it changes {argument} in place", "the arrays are the caller's: make new ones", "y")
    again = rule(*given)[0]
    if not (isinstance(again, Array) and torch.equal(y.nan_to_num(), again.nan_to_num())):
        raise fail(
            "called again with the same arrays it gives another value", "something random, or kept between calls", "y"
        )
    _require_gradients(fail, pullback, y, names, inputs)


def _require_gradients(
    fail: Callable[..., AnswerError],
    pullback: Callable[..., Any],
    y: Array,
    names: list[str],
    inputs: tuple[Array, ...],
) -> None:
    ȳ = torch.linspace(0.5, 1.5, y.numel(), dtype=torch.float64).reshape(y.shape)
    given = ȳ.clone()
    try:
        inspect.signature(pullback).bind(given)
    except TypeError:
        raise fail("the pullback can't be called with ȳ alone", "it takes one argument, ȳ: def pullback(ȳ)") from None
    except ValueError:  # a function in C, which has no signature
        pass
    gradients = pullback(given)
    if not torch.equal(given, ȳ):
        raise fail(
            "the pullback changes ȳ in place", "the array is the caller's, and others may still need it: make a new one"
        )
    if gradients is None:
        raise fail("the pullback returns nothing", "return is missing in the pullback")
    gradients = gradients if isinstance(gradients, tuple | list) else (gradients,)
    for argument, x, gradient in zip(names, inputs, gradients, strict=False):
        if gradient is None and x.is_floating_point():
            raise fail(f"the gradient of {argument} is None", "only what has no gradient gets None, as labels do")
