"""Half precision: computed in float32 inside, and rounded once at the end."""

from __future__ import annotations

import functools
from typing import Any

import torch

from ..tape import HALF_PRECISION, Array, Gradient, Pullback


def rounded_once(rule: Any) -> Any:
    """The rule, which for arrays in half precision computes value and gradients in float32 and rounds each once.

    A formula of several steps, each rounded to 8 or 11 binary digits, loses more than torch's own kernels do, which
    compute in float32 inside. What the pullback keeps are the arguments in half precision: what the rule would keep of
    the computation in float32 takes twice the memory, and is computed once more instead. Other dtypes go straight
    through.
    """

    @functools.wraps(rule)
    def wide_rule(*arguments: Any, **options: Any) -> tuple[Array, Pullback]:
        halves = [argument.dtype for argument in arguments if isinstance(argument, Array)]
        if not halves or halves[0] not in HALF_PRECISION:
            return rule(*arguments, **options)
        value, _ = rule(*map(_wide, arguments), **options)

        def rounded_once_pullback(ȳ: Array) -> tuple[Gradient, ...]:
            _, pullback = rule(*map(_wide, arguments), **options)
            gradients = pullback(_wide(ȳ))
            gradients = list(gradients) if isinstance(gradients, tuple | list) else [gradients]
            return tuple([_narrow(gradient, halves[0]) for gradient in gradients])

        return value.to(halves[0]), rounded_once_pullback

    return wide_rule


def wide(x: Array) -> Array:
    """What is computed with: float32 for half precision."""
    return x.to(torch.float32) if x.dtype in HALF_PRECISION else x


def _wide(argument: Any) -> Any:
    return wide(argument) if isinstance(argument, Array) else argument


def _narrow(gradient: Gradient, dtype: torch.dtype) -> Gradient:
    """A gradient in half precision, made on demand if it was."""
    if gradient is None:
        return None
    if callable(gradient):
        return lambda: gradient().to(dtype)
    return gradient.to(dtype)
