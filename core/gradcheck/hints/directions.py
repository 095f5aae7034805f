"""Hypotheses that are tried along random directions, on arrays of any size.

A mistake leaves a trace. A missing factor makes the gradient proportional to the right one; a dropped mean leaves an
error that is the same along the axes of the mean; a transposed factor gives exactly the gradient that would be right if
that factor *were* transposed. Each hypothesis is tried along a few random directions, so it costs a few calls of the
function whatever the size of the arrays, and is believed only if it explains all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import torch

from ...tape import Array
from ..function import CheckedFunction, normal
from .general import factor_sentence, named

Axes = tuple[int, ...]

_DIRECTIONS = 3  # along which a hypothesis must explain the error
_CLOSE = 1e-6  # far above the differences' own error, far below any mistake that it would take for explained


class Suspect:
    """A variable whose gradient is wrong, and everything that a hypothesis may ask about it.

    Args:
        k: the variable's number among those of the function.
        analytic: the gradient that the pullback claims for each of them.
        y, v: the function's value, and the cotangent that the gradients belong to.
    """

    def __init__(self, function: CheckedFunction, k: int, analytic: list[Array], y: Array, v: Array) -> None:
        self.function, self.k, self.analytic, self.y, self.v = function, k, analytic, y, v
        self.name, self.claimed = function.names[k], analytic[k]
        self._generator = torch.Generator().manual_seed(0)

    def explained(self, claim: Array, *, v: Array | None = None, without: Array | None = None, over: Axes = ()) -> bool:
        """Whether differences agree with the gradient `claim` along random directions.

        Args:
            v: another cotangent for the differences.
            without: only directions that are orthogonal to this array along the axes `over` are tried.
        """
        for _ in range(_DIRECTIONS):
            u = self.direction()
            if without is not None:
                u = u - without * (u * without).sum(over, keepdim=True) / without.square().sum(over, keepdim=True)
            terms, numeric = u * claim, self.numeric(u, v)
            scale = max(terms.norm().item(), abs(numeric))
            if not abs(terms.sum().item() - numeric) <= _CLOSE * scale or scale == 0:
                return False
        return True

    def direction(self) -> Array:
        return normal(self.claimed, self._generator)

    def numeric(self, u: Array, v: Array | None = None) -> float:
        us = [torch.zeros_like(g) for g in self.analytic]
        us[self.k] = u
        return self.function.derivative(us, self.v if v is None else v)[0]


def directional(suspect: Suspect) -> str:
    """The mistake that explains the wrong gradient, in a sentence; empty if it is none of these."""
    for hypothesis in (_nothing, _factor, _swapped, _transposed, _transposed_factor, _missing_sum):
        if found := hypothesis(suspect):
            return found
    return ""


def _nothing(s: Suspect) -> str:
    return "" if s.claimed.any() else "the gradient is 0: it was never computed, or never added"


def _factor(s: Suspect) -> str:
    """Is the gradient a multiple of the right one?"""
    u = s.direction()
    numeric = s.numeric(u)
    factor = (u * s.claimed).sum().item() / numeric if numeric else math.inf
    if s.claimed.numel() < 2 or not math.isfinite(factor) or factor == 0 or not s.explained(s.claimed / factor):
        return ""
    return factor_sentence(factor, [("the value", tuple(s.y.shape)), (s.name, tuple(s.claimed.shape))])


def _swapped(s: Suspect) -> str:
    for j, other in enumerate(s.analytic):
        if j != s.k and other.shape == s.claimed.shape and s.explained(other):
            return f"this is the gradient of {s.function.names[j]}: two gradients are returned in the wrong order"
    return ""


def _transposed(s: Suspect) -> str:
    for what, changed in _rearranged(s.claimed):
        if s.explained(changed):
            return f"the gradient is right when {what}"
    return ""


def _transposed_factor(s: Suspect) -> str:
    """Would the gradient be right if another variable were transposed or flipped?"""
    for j, variable in enumerate(s.function.variables):
        before = variable.data
        for what, changed in _rearranged(before) if j != s.k else ():
            try:
                variable.data = changed
                fits = s.explained(s.claimed)
            except Exception:  # the function may refuse such a variable, which says nothing about the gradient
                fits = False
            finally:
                variable.data = before
            if fits:
                return f"the gradient would be right if {s.function.names[j]} were {what}"
    return ""


def _rearranged(x: Array) -> Iterator[tuple[str, Array]]:
    """x with its last two axes exchanged, and flipped, where that changes anything but the order."""
    if x.ndim >= 2 and x.shape[-1] == x.shape[-2] > 1:
        yield "transposed", x.mT
    if x.ndim >= 2 and max(x.shape[-2:]) > 1:
        yield "flipped along its last two axes", x.flip(-2, -1)


def _missing_sum(s: Suspect) -> str:
    """Does only one slice of the cotangent arrive?"""
    for axis, n in enumerate(s.v.shape):
        for index in (0, n - 1) if n > 1 else ():
            slice_only = torch.zeros_like(s.v)
            slice_only.select(axis, index).copy_(s.v.select(axis, index))
            if s.explained(s.claimed, v=slice_only):
                return (
                    f"only entry {index} along axis {axis} of the value's cotangent {tuple(s.v.shape)} arrives: "
                    "the sum over that axis is missing"
                )
    return ""


def missing_term(s: Suspect) -> str:
    """Is what is missing the same along some axes, or a multiple of the value along them?"""
    shape = s.claimed.shape
    for what, array in (("the same", torch.ones_like(s.claimed)), ("a multiple of the value", s.y)):
        for axes in _subsets(len(shape)) if array.shape == shape else ():
            if math.prod(shape[a] for a in axes) > 1 and s.explained(s.claimed, without=array, over=axes):
                return f"what is missing is {what} along {named(axes)}: was a sum or a mean over it dropped?"
    return ""


def _subsets(axes: int) -> Iterator[Axes]:
    """Every choice of axes, the largest first."""
    for size in range(axes, 0, -1):
        yield from combinations(range(axes), size)
