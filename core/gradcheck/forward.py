"""The value against a reference: any function on arrays, torch's or NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..module import Module
from ..tape import Array
from .function import CheckedFunction, GradientError

_RTOL = 1e-8  # of a value in float64 against its reference, relative to the largest entry


@dataclass(frozen=True)
class Reference:
    """A reference as a function of the arguments, which it is given as they are, or as NumPy arrays.

    For a Module it is also given the parameters by name, as ``torch.nn.functional.linear(x, weight=…, bias=…)`` takes
    them, unless it can't be called that way.
    """

    function: Callable[..., Any]
    module: Module | None

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def __call__(self, xs: list[Array]) -> Array:
        named = {n: p.data for n, p in self.module.named_parameters()} if self.module is not None else {}
        failure: Exception | None = None
        for options in (named, {}) if named else ({},):
            for convert in (lambda a: a, lambda a: a.detach().numpy()):
                try:
                    found = self.function(*map(convert, xs), **{n: convert(p) for n, p in options.items()})
                    return _as_array(found)
                except Exception as error:
                    failure = failure or error
        raise TypeError(
            f"check: the reference {self.name} can't be called with these arguments: {failure}"
        ) from failure


def _as_array(found: Any) -> Array:
    if isinstance(found, Array):
        return found.detach().double()
    return torch.as_tensor(np.asarray(found, dtype=np.float64))


def differs(got: Array, expected: Array) -> bool:
    """Whether a value isn't the expected one: in shape, or by more than rounding."""
    if got.shape != expected.shape:
        return True
    if not got.numel():
        return False
    same = (got == expected) | (got.isnan() & expected.isnan())
    scale = expected[expected.isfinite()].abs().max().item() if bool(expected.isfinite().any()) else 0.0
    return not bool((same | ((got - expected).abs() <= _RTOL * max(scale, 1e-300))).all())


def all_arguments(function: CheckedFunction) -> list[Array]:
    """The arrays that `fn` is called with now, the integers too."""
    return [a if isinstance(a, Array) else a.data for a in function.arguments]


def compare_value(function: CheckedFunction, reference: Reference) -> tuple[Array, Array]:
    """(got, expected) of the function as it stands."""
    return function.value(), reference(all_arguments(function))


def explain_value(function: CheckedFunction, reference: Reference) -> str:
    """The mistake that a wrong value may come from; empty if none explains it."""
    from .hints.values import ValuePoint, value_hint  # here, because only a wrong value needs it

    points: list[ValuePoint] = []
    xs = [t.data for t in function.variables]
    generator = torch.Generator().manual_seed(2)
    for spread in (0.0, 0.1):
        noise = [torch.randn(x.shape, generator=generator, dtype=x.dtype).clamp(-1, 1).to(x.device) for x in xs]
        try:
            with function.at([x * (1 + spread * n) for x, n in zip(xs, noise, strict=True)]):
                got, expected = compare_value(function, reference)
                arguments = all_arguments(function)
        except Exception:  # at other numbers either side may refuse, and one point must do
            if not points:
                raise
            continue
        if got.shape != expected.shape:
            return shape_hint(tuple(got.shape), tuple(expected.shape))
        if not points or differs(got, expected):
            points.append(ValuePoint(arguments, expected, got))
    return value_hint(points, function.input_names, reference)


def shape_hint(got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """What two shapes that differ may come from."""
    if sorted(got) == sorted(expected) and len(got) > 1:
        return "the axes are in another order: a transpose is missing or too many"
    if tuple(s for s in got if s != 1) == tuple(s for s in expected if s != 1):
        return "axes of size 1 are kept or dropped (keepdim)"
    if len(got) > len(expected) and _is_broadcast(expected, got):
        extra = len(got) - len(expected)
        over = "axis" if extra == 1 else f"{extra} axes"
        return f"the sum over the first {over} is missing, along which it was broadcast"
    if len(got) == len(expected) and _is_broadcast(expected, got):
        axes = [i for i, (g, s) in enumerate(zip(got, expected, strict=True)) if g != s]
        return f"the sum over axis {axes[0]} is missing, along which it was broadcast"
    if len(got) < len(expected):
        return "an axis is missing: it was reduced, or isn't expanded again"
    return ""


def _is_broadcast(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    return all(s in (1, n) for s, n in zip(reversed(small), reversed(large), strict=False))


def value_error(function: CheckedFunction, reference: Reference, got: Array, expected: Array) -> list[str]:
    """What is wrong with a value: the lines below the title of the message."""
    if got.shape != expected.shape:
        lines = [
            f"expected: shape {tuple(expected.shape)}, as {reference.name} gives",
            f"got:      shape {tuple(got.shape)}",
        ]
    else:
        off = (got - expected).abs().nan_to_num(nan=float("inf"))
        index = tuple(int(i) for i in torch.unravel_index(off.argmax(), off.shape)) if off.ndim else ()
        lines = [
            f"worst at  {list(index)}",
            f"expected: {expected[index].item(): .12e}",
            f"got:      {got[index].item(): .12e}",
        ]
    hint = explain_value(function, reference)
    return [*lines, *([f"hint:     {hint}"] if hint else [])]


def require_value(function: CheckedFunction, reference: Reference, show: Callable[[], list[str]]) -> None:
    """Raise what is wrong with the value, with the lines that `show` gives as an example."""
    got, expected = compare_value(function, reference)
    if differs(got, expected):
        title = f"{function.name}: the value isn't that of {reference.name}"
        raise GradientError("\n  ".join([title, *value_error(function, reference, got, expected), *show()]))
