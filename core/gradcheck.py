"""Is this backward pass right? Central differences against the pullback, along random directions.

For y = f(x), a random cotangent v and a random direction u, the two numbers

    ⟨u, pullback(v)⟩   and   d/dt ⟨f(x + t u), v⟩ at t = 0

must agree. The cotangent is random and not all ones, because ones make many checks vacuous: Σ softmax(x) is
constant, so a gradient of 0 would be "right" and so would its negative.

Each variable (an input or a parameter) first moves by itself, and is measured by its own gradient: beside a variable
whose gradient is 10⁹ times as large, any mistake looks small. Then all of them move together.

Source: Griewank & Walther, *Evaluating Derivatives* (2008), ch. 3; the fourth-order difference is
Abramowitz & Stegun (1964), 25.3.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from .hints import Suspect, hint
from .module import Module
from .tape import Array, no_grad
from .tensor import Tensor

#: The derivative by differences along one direction for each variable, and the rounding error in it.
Along = Callable[[list[Array]], tuple[float, float]]


class GradientError(AssertionError):
    """The pullback and the differences disagree."""


def gradcheck(
    fn: Callable[..., Any],
    *inputs: Array,
    seed: int = 0,
    directions: int = 4,
    step: float = 1e-3,
    rtol: float = 1e-8,
) -> float:
    """Check the gradient of `fn` with respect to every input and, if `fn` is a Module, every parameter.

    Args:
        fn: takes Tensors and returns one Tensor; called many times, so it must not be random.
        inputs: float64 arrays. Stay clear of kinks (ReLU at 0, ties under a maximum) by much more than `step`.
        seed: of the random cotangent and directions.
        directions: how many random directions are tried with all variables together, after one for each by itself.
        step: of the fourth-order central difference, whose error is about step⁴ · |f⁽⁵⁾| / 30.
        rtol: largest error allowed, relative to the size of the numbers compared.

    Returns:
        The largest relative error seen.

    Raises:
        GradientError: the two disagree; the message shows the worst entry's analytic and numeric derivative, and a
            hint if a classic mistake explains them (`photomend.core.hints`).
        TypeError: an input or a parameter isn't float64: at step 1e-3, float32's rounding of 1e-7 leaves no more
            than three digits of the difference.
        ValueError: there is nothing to check: no inputs, and no parameters that get gradients.

    Parameters, and the gradients on them, are afterwards as they were before.

    >>> gradcheck(lambda x: x * x, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)) < 1e-8
    True
    """
    leaves = [Tensor(x) for x in inputs]
    named: list[tuple[str, Tensor]] = [(f"input {i}", leaf) for i, leaf in enumerate(leaves)]
    if isinstance(fn, Module):
        named += [(name, p) for name, p in fn.named_parameters() if p.tracked]
    if not named:
        raise ValueError(f"gradcheck: {_name(fn)} has no inputs and no parameters to check")
    for name, variable in named:
        if variable.dtype != torch.float64:
            raise TypeError(
                f"gradcheck: {name} is {variable.dtype}, but differences need torch.float64: rounding leaves "
                f"about {_digits(variable.dtype, step)} digits of a difference over {step:g}"
            )
    names, variables = [name for name, _ in named], [variable for _, variable in named]
    generator = torch.Generator().manual_seed(seed)
    y, v, analytic = _analytic(fn, leaves, variables, generator)
    along = _differences(fn, leaves, variables, v, step)

    everything = range(len(variables))
    worst = 0.0
    for moving in [*([k] for k in everything), *[list(everything)] * directions]:
        us = [_normal(g, generator) if k in moving else torch.zeros_like(g) for k, g in enumerate(analytic)]
        terms = torch.cat([(us[k] * analytic[k]).reshape(-1) for k in moving])
        numeric, noise = along(us)
        # The terms' root sum of squares is what their sum typically is; the sum itself may be small by chance.
        scale = max(terms.norm().item(), abs(numeric), noise / rtol, 1e-300)
        error = abs(terms.sum().item() - numeric) / scale
        worst = max(worst, error)
        if not error <= rtol:
            k, lines = _worst(moving, names, analytic, along)

            def numeric_for(us: list[Array], v: Array) -> float:
                return _differences(fn, leaves, variables, v, step)(us)[0]

            found = hint(Suspect(k, variables, names, analytic, y, v, numeric_for))
            lines += [f"hint:     {found}"] if found else []
            raise GradientError("\n  ".join([f"{_name(fn)}: relative error {error:.2e} > {rtol:g}", *lines]))
    return worst


def _analytic(
    fn: Callable[..., Any], leaves: list[Tensor], variables: list[Tensor], generator: torch.Generator
) -> tuple[Array, Array, list[Array]]:
    """The value, a random cotangent, and the gradient that the pullback makes of it for each variable."""
    kept = [t.grad for t in variables]
    try:
        for t in variables:
            t.grad = None
        y = fn(*leaves)
        v = _normal(y.data, generator)
        y.backward(v)
        return y.data, v, [torch.zeros_like(t.data) if t.grad is None else t.grad for t in variables]
    finally:
        for t, grad in zip(variables, kept, strict=True):
            t.grad = grad


def _differences(fn: Callable[..., Any], leaves: list[Tensor], variables: list[Tensor], v: Array, step: float) -> Along:
    """The function that differentiates ⟨fn, v⟩ along directions by fourth-order central differences."""

    def along(us: list[Array]) -> tuple[float, float]:
        originals = [t.data for t in variables]
        values = []
        try:
            for factor in (-2, -1, 1, 2):
                for t, x, u in zip(variables, originals, us, strict=True):
                    t.data = x + factor * step * u
                with no_grad():
                    values.append(fn(*leaves).data * v)
        finally:
            for t, x in zip(variables, originals, strict=True):
                t.data = x
        a, b, c, d = values
        # Each of y's elements is rounded by about ε of its size, and a derivative that is 0 must not fail for it.
        noise = 4 * torch.finfo(torch.float64).eps / step * max(value.norm().item() for value in values)
        return ((a - 8 * b + 8 * c - d) / (12 * step)).sum().item(), noise

    return along


def _normal(like: Array, generator: torch.Generator) -> Array:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def _digits(dtype: torch.dtype, step: float) -> int:
    """Decimal digits that a difference over `step` keeps of numbers near 1."""
    rounding = torch.finfo(dtype).eps if dtype.is_floating_point else 1.0
    return max(0, int(math.log10(step / rounding)))


def _name(fn: Callable[..., Any]) -> str:
    return type(fn).__name__ if isinstance(fn, Module) else getattr(fn, "__name__", repr(fn))


def _worst(moving: list[int], names: list[str], analytic: list[Array], along: Along) -> tuple[int, list[str]]:
    """The variable of `moving` whose two derivatives differ most, and its worst entry as three aligned lines.

    Large arrays are halved, keeping the half whose derivative along a random direction is further off, until few enough
    entries are left to try each.
    """

    def compare(k: int, entries: Array, weights: Array) -> tuple[float, float]:
        """(analytic, numeric) derivative along `weights` on some flat entries of variable k."""
        us = [torch.zeros(g.shape, dtype=g.dtype, device=g.device) for g in analytic]
        us[k].view(-1)[entries] = weights
        return (us[k] * analytic[k]).sum().item(), along(us)[0]

    def off(k: int, entries: Array) -> float:
        claimed, numeric = compare(k, entries, _normal(entries.to(torch.float64), generator).to(analytic[k].device))
        return abs(claimed - numeric)

    generator = torch.Generator().manual_seed(0)
    spans = [torch.arange(g.numel(), device=g.device) for g in analytic]
    worst = max(moving, key=lambda k: off(k, spans[k]))
    entries = spans[worst]
    while len(entries) > 64:
        entries = max(entries.tensor_split(2), key=lambda half: off(worst, half))
    tried = [(*compare(worst, e, torch.ones_like(e, dtype=torch.float64)), e.item()) for e in entries.split(1)]
    claimed, numeric, flat = max(tried, key=lambda t: abs(t[0] - t[1]))
    index = [int(i) for i in torch.unravel_index(torch.tensor(flat), analytic[worst].shape)]
    return worst, [f"worst at  {names[worst]}{index}", f"analytic: {claimed: .12e}", f"numeric:  {numeric: .12e}"]
