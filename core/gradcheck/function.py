"""The function that is checked: its variables, its value, its gradients, and its derivative by differences."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ..mode import no_grad
from ..module import Module
from ..primitive import Primitive
from ..tape import Array
from ..tensor import Tensor


class GradientError(AssertionError):
    """The pullback and the differences disagree, or a value and its reference, or a rule breaks its contract."""


class CheckedFunction:
    """`fn` as a pure function of its variables: the floating-point inputs and, if `fn` is a Module, its parameters.

    Integer and boolean inputs (indices, labels, masks) are constants. Everything is computed in float64; inputs,
    parameters and buffers of another precision are converted, and `note` says so.

    Args:
        fn, inputs, step: as in `gradcheck`, where the errors are described as well.
        constant: positions of floating-point inputs that are constants all the same.
    """

    def __init__(
        self, fn: Callable[..., Any], inputs: tuple[Any, ...], step: float, constant: frozenset[int] = frozenset()
    ) -> None:
        self.fn, self.step, self.constant = fn, step, constant
        self.name = type(fn).__name__ if isinstance(fn, Module) else getattr(fn, "__name__", repr(fn))
        self.input_names = argument_names(fn, len(inputs))
        for name, x in zip(self.input_names, inputs, strict=True):
            if not isinstance(x, Array):
                raise TypeError(f"gradcheck: {name} is a {type(x).__name__}; give an array (torch.Tensor)")
            if x.is_complex():
                raise TypeError(f"gradcheck: {name} is {x.dtype}, but only real gradients are checked")
        doubled = [x.double() if x.is_floating_point() else x for x in inputs]
        self.arguments = [
            Tensor(x) if x.is_floating_point() and i not in constant else x for i, x in enumerate(doubled)
        ]
        named = {n: a for n, a in zip(self.input_names, self.arguments, strict=True) if isinstance(a, Tensor)}
        converted = [n for n, x in zip(self.input_names, inputs, strict=True) if _is_narrow(x)]
        self._buffers: list[tuple[Any, Array, Array]] = []
        if isinstance(fn, Module):
            for name, p in fn.named_parameters():
                if _is_narrow(p.data):
                    converted.append(name)
                if p.tracked:
                    named[f"parameter {name}" if name in named else name] = p
            self._buffers = [(b, b.data, b.data.clone()) for _, b in fn.named_buffers()]
        self.names, self.variables = list(named), list(named.values())
        if not self.variables:
            raise ValueError(
                f"gradcheck: {self.name} has no inputs and no parameters to check; "
                "arrays of integers are constants, and so are frozen parameters"
            )
        self.note = f"{', '.join(converted)} converted to float64" if converted else ""

    def __call__(self) -> Tensor:
        """The value, computed with the buffers (running statistics) as they were at first."""
        for buffer, array, before in self._buffers:
            # A new array: the pullback of an earlier call may still need the old one.
            buffer.data = before.double() if _is_narrow(array) else before.clone()
        y = self.fn(*self.arguments)
        if not isinstance(y, Tensor):
            what = "a raw array" if isinstance(y, Array) else f"a {type(y).__name__}"
            raise TypeError(f"gradcheck: {self.name} returned {what}; it must return one Tensor")
        return y

    def value(self) -> Array:
        with no_grad():
            return self().data

    def gradients(self, v: Array) -> list[Array]:
        """What the pullback makes of the cotangent v for each variable."""
        for t in self.variables:
            t.grad = None
        self().backward(v.clone())
        return [torch.zeros_like(t.data) if t.grad is None else t.grad for t in self.variables]

    def derivative(self, us: list[Array], v: Array) -> tuple[float, float]:
        """d/dt ⟨f(x + t u), v⟩ at t = 0 by a fourth-order central difference, with a direction u for each variable,
        and the rounding error in it."""
        values = [y * v for y in self.along(us, [factor * self.step for factor in (-2, -1, 1, 2)])]
        a, b, c, d = values
        # Each of y's elements is rounded by about ε of its size, and a derivative that is 0 must not fail for it.
        noise = 4 * torch.finfo(torch.float64).eps / self.step * max(value.norm().item() for value in values)
        return ((a - 8 * b + 8 * c - d) / (12 * self.step)).sum().item(), noise

    def along(self, us: Sequence[Array], ts: Sequence[float]) -> list[Array]:
        """f(x + t u) for each t, with a direction u for each variable."""
        xs = [t.data for t in self.variables]
        values = []
        for factor in ts:
            with self.at([x + factor * u for x, u in zip(xs, us, strict=True)]):
                values.append(self.value())
        return values

    @contextmanager
    def at(self, arrays: Sequence[Array]) -> Iterator[None]:
        """Inside, the variables have these values."""
        before = [t.data for t in self.variables]
        try:
            for t, x in zip(self.variables, arrays, strict=True):
                t.data = x
            yield
        finally:
            for t, x in zip(self.variables, before, strict=True):
                t.data = x

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Inside, the variables have no gradients at first and a Module computes in float64; afterwards gradients,
        parameters and buffers are as before."""
        parameters = self.fn.parameters() if isinstance(self.fn, Module) else []
        data = [(p, p.data) for p in parameters]
        kept = [(t, t.grad) for t in self.variables]
        try:
            for p, array in data:
                p.data = array.double()
            for t in self.variables:
                t.grad = None
            yield
        finally:
            for buffer, array, before in self._buffers:
                buffer.data = array if torch.equal(array, before) else array.copy_(before)
            for p, array in data:
                p.data = array
            for t, grad in kept:
                t.grad = grad


def argument_names(fn: Callable[..., Any], count: int) -> list[str]:
    """What `fn` calls its first `count` positional arguments; ``input 3`` where its signature doesn't say."""
    called = fn.forward if isinstance(fn, Module) else fn.rule if isinstance(fn, Primitive) else fn
    try:
        parameters = list(inspect.signature(called).parameters.values())
    except (TypeError, ValueError):  # a function in C
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    if rest := next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), ""):
        names += [f"{rest}[{i}]" for i in range(count - len(names))]
    return names + [f"input {i}" for i in range(len(names), count)]


def _is_narrow(x: Array) -> bool:
    return x.is_floating_point() and x.dtype != torch.float64


def normal(like: Array, generator: torch.Generator) -> Array:
    """Normally distributed random numbers of the shape, dtype and device of `like`."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
