"""Elementwise primitives. Arguments broadcast as in NumPy; the pullback sums over what was repeated.

A pullback keeps alive whatever array it names, so one that needs only a shape takes the shape beforehand.
"""

from __future__ import annotations

from typing import Any

import torch

from ..primitive import primitive, sum_to_shape
from ..tape import Array, Pullback

Scalar = float | int


def _shape(a: Array | Scalar) -> torch.Size:
    return a.shape if isinstance(a, Array) else torch.Size()


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
def power(x: Array, *, exponent: Scalar) -> tuple[Array, Pullback]:
    """xⁿ for a fixed number n; x̄ = ȳ · n · xⁿ⁻¹.

    At x = 0, as in torch: 0⁰ = 1, so for n = 1 the derivative is 1 and for n = 0 it is 0; for n < 1 it is infinite.
    """

    def power_pullback(ȳ: Array):
        return (x ** (exponent - 1)).mul_(exponent).mul_(ȳ) if exponent != 0 else torch.zeros_like(x)

    return x**exponent, power_pullback


@primitive
def absolute(x: Array) -> tuple[Array, Pullback]:
    """|x|; x̄ = ȳ · sign x. At the kink x = 0 the derivative is taken as 0, as in torch."""

    def absolute_pullback(ȳ: Array):
        return torch.sign(x).mul_(ȳ)

    return torch.abs(x), absolute_pullback


@primitive
def clamp(x: Array, *, low: Scalar, high: Scalar) -> tuple[Array, Pullback]:
    """x held within [low, high]; x̄ = ȳ where low ≤ x ≤ high (edges included, as in torch), else 0.

    Raises:
        ValueError: low is above high.
    """
    if low > high:
        raise ValueError(f"clamp: low (={low}) must not be above high (={high})")

    def clamp_pullback(ȳ: Array):
        held = torch.clamp(x, low, high)
        return torch.eq(x, held, out=held).mul_(ȳ)  # 1 where it was not changed, else 0

    return torch.clamp(x, low, high), clamp_pullback


@primitive
def maximum(a: Array, b: Array) -> tuple[Array, Pullback]:
    """The larger of a and b; the larger one receives ȳ, and where they tie each receives half, as in torch."""

    def maximum_pullback(ȳ: Array):
        # Comparisons that write numbers: those that write booleans cost torch several times as much on a CPU.
        share = torch.gt(a, b, out=torch.empty_like(ȳ))
        share.add_(torch.eq(a, b, out=torch.empty_like(ȳ)), alpha=0.5)
        return lambda: sum_to_shape(ȳ * share, a.shape), lambda: sum_to_shape((1 - share).mul_(ȳ), b.shape)

    return torch.maximum(a, b), maximum_pullback


@primitive
def where(condition: Array, a: Array, b: Array) -> tuple[Array, Pullback]:
    """a where `condition` (a bool array) holds, b elsewhere; each receives ȳ where it was taken."""
    shape_a, shape_b = a.shape, b.shape

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
