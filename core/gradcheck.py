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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .hints import Suspect, hint
from .module import Module
from .tape import Array, no_grad
from .tensor import Tensor

#: The derivative by differences along one direction for each variable, and the rounding error in it.
Along = Callable[[list[Array]], tuple[float, float]]

#: Mixed into the seed: an input drawn with a small seed of its own must not come out equal to the cotangent.
_OWN_STREAM = 0x5EED_60AD


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
            hint if a classic mistake explains them (`photomend.core.hints`). Or something was changed in place that
            belongs to the caller: an input, a parameter, the cotangent.
        TypeError: an input, a parameter or the value isn't float64: at step 1e-3, float32's rounding of 1e-7 leaves no
            more than three digits of the difference. Or an input is no array, or what `fn` returns is no Tensor.
        ValueError: there is nothing to check: no inputs and no parameters that get gradients, or none with elements;
            `fn` is random; step, rtol or directions isn't above 0.

    Parameters, the gradients on them, and buffers (running statistics) are afterwards as they were before.

    >>> gradcheck(lambda x: x * x, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)) < 1e-8
    True
    """
    for name, value in (("directions", directions), ("step", step), ("rtol", rtol)):
        if not value > 0:
            raise ValueError(f"gradcheck: {name} (={value}) must be above 0")
    function = _Function(fn, inputs, step)
    generator = torch.Generator().manual_seed(_OWN_STREAM + seed)
    with function.left_as_it_was():
        y, v, analytic = _analytic(function, generator)
        along = _differences(function, v, step)
        everything = range(len(analytic))
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
                lines = _explained(function, moving, y, v, analytic, step)
                raise GradientError("\n  ".join([f"{function.name}: relative error {error:.2e} > {rtol:g}", *lines]))
    return worst


class _Function:
    """What is checked, as a pure function of its variables: buffers start every call from the same values."""

    def __init__(self, fn: Callable[..., Any], inputs: tuple[Any, ...], step: float) -> None:
        self.fn, self.name = fn, _name(fn)
        for i, x in enumerate(inputs):
            if not isinstance(x, Array):
                raise TypeError(f"gradcheck: input {i} is a {type(x).__name__}; give a float64 array (torch.Tensor)")
            _require_float64(f"input {i}", x.dtype, step)
        self.leaves = [Tensor(x) for x in inputs]
        named: list[tuple[str, Tensor]] = [(f"input {i}", leaf) for i, leaf in enumerate(self.leaves)]
        if isinstance(fn, Module):
            named += [(name, p) for name, p in fn.named_parameters() if p.tracked]
        self.names, self.variables = [name for name, _ in named], [variable for _, variable in named]
        if not any(variable.data.numel() for variable in self.variables):
            raise ValueError(f"gradcheck: {self.name} has no inputs and no parameters to check, or only empty ones")
        for name, variable in named:
            _require_float64(name, variable.dtype, step)
        buffers = [b for _, b in fn.named_buffers()] if isinstance(fn, Module) else []
        self.buffers = [(buffer, buffer.data, buffer.data.clone()) for buffer in buffers]

    def __call__(self) -> Tensor:
        self._put_buffers_back()
        y = self.fn(*self.leaves)
        if not isinstance(y, Tensor):
            what = "a raw array" if isinstance(y, Array) else f"a {type(y).__name__}"
            raise TypeError(f"gradcheck: {self.name} returned {what}; it must return one Tensor")
        return y

    def _put_buffers_back(self) -> None:
        for buffer, array, before in self.buffers:
            buffer.data = array.copy_(before)

    @contextmanager
    def left_as_it_was(self) -> Iterator[None]:
        """Gradients and buffers are afterwards as before."""
        kept = [t.grad for t in self.variables]
        try:
            yield
        finally:
            self._put_buffers_back()
            for t, grad in zip(self.variables, kept, strict=True):
                t.grad = grad


def _analytic(function: _Function, generator: torch.Generator) -> tuple[Array, Array, list[Array]]:
    """The value, a random cotangent, and the gradient that the pullback makes of it for each variable."""
    for t in function.variables:
        t.grad = None
    caller = {name: (t.data, t.data._version) for name, t in zip(function.names, function.variables, strict=True)}
    y = function()
    _require_untouched(function.name, caller)
    with no_grad():
        again = function()
    _require_float64(f"the value of {function.name}", y.dtype, None)
    if y.data.numel() == 0:
        raise ValueError(f"gradcheck: the value of {function.name} has no elements: there is nothing to check")
    if not torch.equal(y.data.nan_to_num(), again.data.nan_to_num()):
        raise ValueError(f"gradcheck: {function.name} is random: called twice, it returned two values")
    v = _normal(y.data, generator)
    caller["the cotangent"] = v, v._version
    y.backward(v)
    _require_untouched(function.name, caller)
    return y.data, v, [torch.zeros_like(t.data) if t.grad is None else t.grad for t in function.variables]


def _require_untouched(function: str, caller: dict[str, tuple[Array, int]]) -> None:
    for name, (array, version) in caller.items():
        if array._version != version:
            raise GradientError(f"{function}: {name} was changed in place, but it is the caller's")


def _differences(function: _Function, v: Array, step: float) -> Along:
    """The function that differentiates ⟨fn, v⟩ along directions by fourth-order central differences."""

    def along(us: list[Array]) -> tuple[float, float]:
        originals = [t.data for t in function.variables]
        values = []
        try:
            for factor in (-2, -1, 1, 2):
                for t, x, u in zip(function.variables, originals, us, strict=True):
                    t.data = x + factor * step * u
                with no_grad():
                    values.append(function().data * v)
        finally:
            for t, x in zip(function.variables, originals, strict=True):
                t.data = x
        a, b, c, d = values
        # Each of y's elements is rounded by about ε of its size, and a derivative that is 0 must not fail for it.
        noise = 4 * torch.finfo(torch.float64).eps / step * max(value.norm().item() for value in values)
        return ((a - 8 * b + 8 * c - d) / (12 * step)).sum().item(), noise

    return along


def _explained(
    function: _Function, moving: list[int], y: Array, v: Array, analytic: list[Array], step: float
) -> list[str]:
    """The worst entry of a wrong gradient, and a hint if there is one."""
    k, lines = _worst(moving, function.names, analytic, _differences(function, v, step))

    def numeric(us: list[Array], v: Array) -> float:
        return _differences(function, v, step)(us)[0]

    found = hint(Suspect(k, function.variables, function.names, analytic, y, v, numeric))
    return [*lines, f"hint:     {found}"] if found else lines


def _require_float64(name: str, dtype: torch.dtype, step: float | None) -> None:
    if dtype == torch.float64:
        return
    why = ""
    if step is not None and dtype.is_floating_point:
        digits = max(0, int(math.log10(step / torch.finfo(dtype).eps)))
        why = f": rounding leaves about {digits} digits of a difference over {step:g}"
    raise TypeError(f"gradcheck: {name} is {dtype}, but differences need torch.float64{why}")


def _normal(like: Array, generator: torch.Generator) -> Array:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


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
