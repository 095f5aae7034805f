"""Elementwise primitives. Arguments broadcast as in NumPy; the pullback sums over what was repeated.

A pullback keeps alive whatever array it names, so one that needs only a shape takes the shape beforehand.
"""

from __future__ import annotations

from typing import Any

import torch

from ..primitive import primitive, sum_to_shape
from ..tape import Array, Pullback
from .half import rounded_once
from .masking import masked, unless

Scalar = float | int


def _shape(a: Array | Scalar) -> torch.Size:
    return a.shape if isinstance(a, Array) else torch.Size()


def _as_array(number: Array | Scalar, like: Any) -> Array:
    """A number as an array without axes, beside an array `like`; an array as it is."""
    return number if isinstance(number, Array) else torch.full((), number, dtype=like.dtype, device=like.device)


def _for(argument: Array | Scalar, needed: Array | Scalar) -> Any:
    """What an argument's gradient needs; a number has no gradient, so nothing is kept for it."""
    return needed if isinstance(argument, Array) else None


@primitive
def add(a: Array, b: Array | Scalar) -> tuple[Array, Pullback]:
    """a + b; ā = ȳ, b̄ = ȳ."""
    shape_a, shape_b = _shape(a), _shape(b)

    def add_pullback(ȳ: Array):
        return lambda: sum_to_shape(ȳ, shape_a), lambda: sum_to_shape(ȳ, shape_b)

    return a + b, add_pullback


@primitive
def subtract(a: Array, b: Array | Scalar) -> tuple[Array, Pullback]:
    """a − b; ā = ȳ, b̄ = −ȳ."""
    shape_a, shape_b = _shape(a), _shape(b)

    def subtract_pullback(ȳ: Array):
        return lambda: sum_to_shape(ȳ, shape_a), lambda: -sum_to_shape(ȳ, shape_b)

    return a - b, subtract_pullback


@primitive
def multiply(a: Array, b: Array | Scalar) -> tuple[Array, Pullback]:
    """a · b; ā = ȳ · b, b̄ = ȳ · a."""
    shape_a, shape_b = _shape(a), _shape(b)
    y, a, b = a * b, _for(b, a), _for(a, b)

    def multiply_pullback(ȳ: Array):
        return lambda: sum_to_shape(ȳ * b, shape_a), lambda: sum_to_shape(ȳ * a, shape_b)

    return y, multiply_pullback


@primitive
@rounded_once
def divide(a: Array, b: Array | Scalar) -> tuple[Array, Pullback]:
    """a / b; ā = ȳ / b, b̄ = −ȳ · a / b². At b = 0 value and derivatives are infinite or NaN, as in torch."""
    shape_a, shape_b = _shape(a), _shape(b)
    y = a / b
    kept = _for(b, y)

    def divide_pullback(ȳ: Array):
        return lambda: sum_to_shape(ȳ / b, shape_a), lambda: sum_to_shape((ȳ * kept).div_(b).neg_(), shape_b)

    return y, divide_pullback


@primitive
def negative(x: Array) -> tuple[Array, Pullback]:
    """−x; x̄ = −ȳ."""

    def negative_pullback(ȳ: Array):
        return -ȳ

    return -x, negative_pullback


@primitive
def exp(x: Array) -> tuple[Array, Pullback]:
    """eˣ; x̄ = ȳ · eˣ."""
    y = torch.exp(x)

    def exp_pullback(ȳ: Array):
        return ȳ * y

    return y, exp_pullback


@primitive
def log(x: Array) -> tuple[Array, Pullback]:
    """ln x for x > 0; x̄ = ȳ / x. At x = 0 the value is −∞ and the derivative infinite, as in torch."""

    def log_pullback(ȳ: Array):
        return ȳ / x

    return torch.log(x), log_pullback


@primitive
def sqrt(x: Array) -> tuple[Array, Pullback]:
    """√x for x > 0; x̄ = ȳ / (2√x). At x = 0 the derivative is infinite, as in torch."""
    y = torch.sqrt(x)

    def sqrt_pullback(ȳ: Array):
        return (ȳ / y).div_(2)

    return y, sqrt_pullback


@primitive
def power(x: Array | Scalar, exponent: Array | Scalar) -> tuple[Array, Pullback]:
    """xⁿ; x̄ = ȳ · n · xⁿ⁻¹ and n̄ = ȳ · xⁿ · ln x. For x < 0 only whole n give a number, and n̄ is NaN.

    At x = 0, as in torch: 0⁰ = 1, so for n = 1 the derivative is 1 and for n = 0 it is 0; for n < 1 it is infinite.
    n̄ = 0 there for n ≥ 0.
    """
    n, shape_x, shape_n = exponent, _shape(x), _shape(exponent)
    y: Array = x**n  # type: ignore[assignment]
    kept = _for(n, y)

    def power_pullback(ȳ: Array):
        def x̄() -> Array:
            slope: Array = (x ** (n - 1)).mul_(n).mul_(ȳ)  # type: ignore[union-attr]
            # For n = 0 the slope is 0 everywhere, but 0 · x⁻¹ is NaN at 0.
            some = torch.ne(_as_array(n, ȳ).expand_as(slope), 0, out=torch.empty_like(slope))
            return sum_to_shape(masked(slope, some), shape_x)

        def n̄() -> Array:
            base = _as_array(x, ȳ)
            slope = torch.where((base == 0) & (n >= 0), 0, kept * torch.log(base))
            return sum_to_shape(slope * ȳ, shape_n)

        return x̄, n̄

    return y, power_pullback


@primitive
def absolute(x: Array) -> tuple[Array, Pullback]:
    """|x|; x̄ = ȳ · sign x. At the kink x = 0 the derivative is taken as 0, as in torch."""

    def absolute_pullback(ȳ: Array):
        return torch.sign(x).mul_(ȳ)

    return torch.abs(x), absolute_pullback


@primitive
def clamp(x: Array, *, min: Scalar | None = None, max: Scalar | None = None) -> tuple[Array, Pullback]:
    """x held within [min, max]; x̄ = ȳ where min ≤ x ≤ max (edges included, as in torch), else 0. None is no bound.

    NaN stays NaN and passes no gradient on, as in torch.

    Raises:
        ValueError: min is above max, or neither is given.
    """
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given")
    if min is not None and max is not None and min > max:
        raise ValueError(f"clamp: min (={min}) must not be above max (={max})")

    def clamp_pullback(ȳ: Array):
        held = torch.clamp(x, min, max)
        return masked(ȳ, torch.eq(x, held, out=held))  # where it was not changed

    return torch.clamp(x, min, max), clamp_pullback


@primitive
def maximum(a: Array | Scalar, b: Array | Scalar) -> tuple[Array, Pullback]:
    """The larger of a and b; the larger one receives ȳ, and where they tie each receives half, as in torch.

    Where one is NaN so is the maximum, and both receive ȳ, as in torch.
    """
    a, b = _as_array(a, b), _as_array(b, a)

    def maximum_pullback(ȳ: Array):
        return unless(torch.lt, a, b, ȳ)

    return torch.maximum(a, b), maximum_pullback


@primitive
def minimum(a: Array | Scalar, b: Array | Scalar) -> tuple[Array, Pullback]:
    """The smaller of a and b; the smaller one receives ȳ, and where they tie each receives half, as in torch.

    Where one is NaN so is the minimum, and both receive ȳ, as in torch.
    """
    a, b = _as_array(a, b), _as_array(b, a)

    def minimum_pullback(ȳ: Array):
        return unless(torch.gt, a, b, ȳ)

    return torch.minimum(a, b), minimum_pullback


@primitive
def where(condition: Array, a: Array | Scalar, b: Array | Scalar) -> tuple[Array, Pullback]:
    """a where `condition` (a bool array) holds, b elsewhere; each receives ȳ where it was taken."""
    shape_a, shape_b = _shape(a), _shape(b)

    def where_pullback(ȳ: Array):
        zero = torch.zeros((), dtype=ȳ.dtype, device=ȳ.device)
        return (
            None,
            lambda: sum_to_shape(torch.where(condition, ȳ, zero), shape_a),
            lambda: sum_to_shape(torch.where(condition, zero, ȳ), shape_b),
        )

    return torch.where(condition, a, b), where_pullback


@primitive
def cast(x: Array, *, dtype: torch.dtype) -> tuple[Array, Pullback]:
    """x in another floating-point type; the pullback takes ȳ back to x's own.

    Raises:
        TypeError: `dtype` isn't floating point.
    """
    if not dtype.is_floating_point:
        raise TypeError(f"cast: dtype (={dtype}) must be floating point")
    before = x.dtype

    def cast_pullback(ȳ: Array):
        return ȳ.to(before)

    return x.to(dtype), cast_pullback
