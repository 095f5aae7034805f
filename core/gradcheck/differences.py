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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..mode import no_grad
from ..tape import Array
from .function import CheckedFunction, GradientError, normal
from .kinks import entry_near_kink, is_near_kink, single

#: Mixed into the seed: an input drawn with a small seed of its own must not come out equal to the cotangent.
_OWN_STREAM = 0x5EED_60AD


def gradcheck(
    fn: Callable[..., Any],
    *inputs: Array,
    seed: int = 0,
    directions: int = 4,
    step: float = 1e-3,
    rtol: float = 1e-8,
    explain: bool = True,
) -> float:
    """Check the gradient of `fn` with respect to every input and, if `fn` is a Module, every parameter.

    Args:
        fn: takes Tensors and returns one Tensor; called many times, so it must not be random.
        inputs: arrays of any shape. Integers and booleans (indices, labels, masks) are constants. Floating-point arrays
            that aren't float64 are converted, and so are a Module's parameters while it is checked: at step 1e-3,
            float32's rounding of 1e-7 would leave no more than three digits of a difference. Stay clear of kinks
            (ReLU at 0, ties under a maximum) by much more than `step`.
        seed: of the random cotangent and directions.
        directions: how many random directions are tried with all variables together, after one for each by itself.
        step: of the fourth-order central difference, whose error is about step⁴ · |f⁽⁵⁾| / 30.
        rtol: largest error allowed, relative to the size of the numbers compared.
        explain: whether to look for the mistake behind a disagreement, which takes up to a few thousand calls of `fn`.

    Returns:
        The largest relative error seen; 0 where no variable or no value has elements.

    Raises:
        GradientError: the two disagree; the message shows the worst entry's analytic and numeric derivative, and a
            hint if a classic mistake explains them (`hints/`), or says that the entry is near a kink. Or an input or
            a parameter, which belong to the caller, were changed in place.
        RuntimeError: `backward` refused: a pullback changed its cotangent, or an array that another one reads.
        TypeError: the value isn't float64, an input is no array, or what `fn` returns is no Tensor.
        ValueError: there is nothing to check: no inputs and no parameters that get gradients; `fn` is random; step,
            rtol or directions isn't above 0.

    Parameters, the gradients on them, and buffers (running statistics) are afterwards as they were before.

    >>> gradcheck(lambda x: x * x, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)) < 1e-8
    True
    """
    for name, value in (("directions", directions), ("step", step), ("rtol", rtol)):
        if not value > 0:
            raise ValueError(f"gradcheck: {name} (={value}) must be above 0")
    function = CheckedFunction(fn, inputs, step)
    with function.unchanged():
        largest, failure = compare(function, seed, directions, rtol)
        if failure is not None:
            why = failure.explanation() if explain else []
            raise GradientError("\n  ".join([*failure.lines, *why, *notes(function)]))
    return largest


@dataclass(frozen=True)
class Failure:
    """Where a pullback and the differences disagree.

    Attributes:
        error, limit: the relative error, and what is allowed.
        us: the direction in which they do; v: the cotangent.
        k, index: the variable and its worst entry; claimed, measured: the two derivatives there.
    """

    function: CheckedFunction
    error: float
    limit: float
    us: list[Array]
    v: Array
    k: int
    index: tuple[int, ...]
    claimed: float
    measured: float

    @property
    def lines(self) -> list[str]:
        """The title and the worst entry."""
        return [
            f"{self.function.name}: relative error {self.error:.2e} > {self.limit:g}",
            f"worst at  {self.function.names[self.k]}{list(self.index)}",
            f"analytic: {self.claimed: .12e}",
            f"numeric:  {self.measured: .12e}",
        ]

    @property
    def kink(self) -> list[str]:
        """That a kink is near, where the differences say nothing about the pullback."""
        entry = f"{self.function.names[self.k]}{list(self.index)}"
        agree = abs(self.claimed - self.measured) <= 1e-6 * max(abs(self.claimed), abs(self.measured))
        if agree:  # so it takes several entries together to reach the kink
            if not is_near_kink(self.function, self.us, self.v):
                return []
            entry = entry_near_kink(self.function, self.us, self.v) or "an input"
        elif not is_near_kink(self.function, single(self.function, self.k, self.index), self.v):
            return []
        return [
            f"kink:     {entry} is near a kink, where the differences to its left and right disagree: "
            "this says nothing about the pullback; move the input away"
        ]

    def explanation(self) -> list[str]:
        """That a kink is near, or which mistake it may be."""
        if kink := self.kink:
            return kink
        from .hints import gradient_hint  # here, because only a wrong gradient needs it

        found = gradient_hint(self.function, self.k, self.v)
        return [f"hint:     {found}"] if found else []


def compare(function: CheckedFunction, seed: int, directions: int, rtol: float) -> tuple[float, Failure | None]:
    """The largest relative error, and the first disagreement above `rtol`, at which it stops."""
    generator = torch.Generator().manual_seed(_OWN_STREAM + seed)
    v, analytic = _analytic(function, generator)
    everything = [k for k, g in enumerate(analytic) if g.numel()]
    largest = 0.0
    if not everything or not v.numel():
        return largest, None
    for moving in [*([k] for k in everything), *[everything] * directions]:
        us = [normal(g, generator) if k in moving else torch.zeros_like(g) for k, g in enumerate(analytic)]
        terms = torch.cat([(us[k] * analytic[k]).reshape(-1) for k in moving])
        numeric, noise = function.derivative(us, v)
        # The terms' root sum of squares is what their sum typically is; the sum itself may be small by chance.
        scale = max(terms.norm().item(), abs(numeric), noise / rtol, 1e-300)
        error = abs(terms.sum().item() - numeric) / scale
        largest = max(largest, error)
        if not error <= rtol:
            k, index, claimed, measured = _worst(function, moving, analytic, v)
            return largest, Failure(function, error, rtol, us, v, k, index, claimed, measured)
    return largest, None


def notes(function: CheckedFunction) -> list[str]:
    """What was converted, for the last line of a message."""
    return [f"note:     {function.note}"] if function.note else []


def _analytic(function: CheckedFunction, generator: torch.Generator) -> tuple[Array, list[Array]]:
    """A random cotangent, and the gradient that the pullback makes of it for each variable."""
    caller = {name: (t.data, t.data._version) for name, t in zip(function.names, function.variables, strict=True)}
    y = function()
    _require_untouched(function.name, caller)
    with no_grad():
        again = function()
    if y.dtype != torch.float64:
        raise TypeError(f"gradcheck: the value of {function.name} is {y.dtype}, but differences need torch.float64")
    if not torch.equal(y.data.nan_to_num(), again.data.nan_to_num()):
        raise ValueError(f"gradcheck: {function.name} is random: called twice, it returned two values")
    v = normal(y.data, generator)
    caller["the cotangent"] = v, v._version
    y.backward(v)
    _require_untouched(function.name, caller)
    return v, [torch.zeros_like(t.data) if t.grad is None else t.grad for t in function.variables]


def _require_untouched(function: str, caller: dict[str, tuple[Array, int]]) -> None:
    for name, (array, version) in caller.items():
        if array._version != version:
            raise GradientError(f"{function}: {name} was changed in place, but it is the caller's")


def _worst(
    function: CheckedFunction, moving: list[int], analytic: list[Array], v: Array
) -> tuple[int, tuple[int, ...], float, float]:
    """The variable of `moving` whose two derivatives differ most, its worst entry, and the two derivatives there.

    Large arrays are halved, keeping the half whose derivative along a random direction is further off, until few enough
    entries are left to try each.
    """

    def both(k: int, entries: Array, weights: Array) -> tuple[float, float]:
        """(analytic, numeric) derivative along `weights` on some flat entries of variable k."""
        us = [torch.zeros(g.shape, dtype=g.dtype, device=g.device) for g in analytic]
        us[k].view(-1)[entries] = weights
        return (us[k] * analytic[k]).sum().item(), function.derivative(us, v)[0]

    def off(k: int, entries: Array) -> float:
        claimed, numeric = both(k, entries, normal(entries.to(torch.float64), generator).to(analytic[k].device))
        return abs(claimed - numeric)

    generator = torch.Generator().manual_seed(0)
    spans = [torch.arange(g.numel(), device=g.device) for g in analytic]
    worst = max(moving, key=lambda k: off(k, spans[k]))
    entries = spans[worst]
    while len(entries) > 64:
        entries = max(entries.tensor_split(2), key=lambda half: off(worst, half))
    tried = [(*both(worst, e, torch.ones_like(e, dtype=torch.float64)), e.item()) for e in entries.split(1)]
    claimed, numeric, flat = max(tried, key=lambda t: abs(t[0] - t[1]))
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), analytic[worst].shape))
    return worst, index, claimed, numeric
