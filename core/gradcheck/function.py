"""The function that is checked: its variables, its value, and its derivative by differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..mode import no_grad
from ..module import Module
from ..tape import Array
from ..tensor import Tensor


class CheckedFunction:
    """`fn` as a pure function of its variables, which are the inputs and, if `fn` is a Module, its parameters.

    Args:
        fn, inputs, step: as in `gradcheck`, where the errors are described as well.
    """

    def __init__(self, fn: Callable[..., Any], inputs: tuple[Any, ...], step: float) -> None:
        self.fn, self.step = fn, step
        self.name = type(fn).__name__ if isinstance(fn, Module) else getattr(fn, "__name__", repr(fn))
        for i, x in enumerate(inputs):
            if not isinstance(x, Array):
                raise TypeError(f"gradcheck: input {i} is a {type(x).__name__}; give a float64 array (torch.Tensor)")
            require_float64(f"input {i}", x.dtype, step)
        self.leaves = [Tensor(x) for x in inputs]
        named: dict[str, Tensor] = {f"input {i}": leaf for i, leaf in enumerate(self.leaves)}
        self._buffers: list[tuple[Any, Array, Array]] = []
        if isinstance(fn, Module):
            named |= {name: p for name, p in fn.named_parameters() if p.tracked}
            self._buffers = [(buffer, buffer.data, buffer.data.clone()) for _, buffer in fn.named_buffers()]
        self.names, self.variables = list(named), list(named.values())
        if not any(variable.data.numel() for variable in self.variables):
            raise ValueError(f"gradcheck: {self.name} has no inputs and no parameters to check, or only empty ones")
        for name, variable in named.items():
            require_float64(name, variable.dtype, step)

    def __call__(self) -> Tensor:
        """The value, computed with the buffers (running statistics) as they were at first."""
        for buffer, _, before in self._buffers:
            buffer.data = before.clone()  # a new array: the pullback of an earlier call may still need the old one
        y = self.fn(*self.leaves)
        if not isinstance(y, Tensor):
            what = "a raw array" if isinstance(y, Array) else f"a {type(y).__name__}"
            raise TypeError(f"gradcheck: {self.name} returned {what}; it must return one Tensor")
        return y

    def derivative(self, us: list[Array], v: Array) -> tuple[float, float]:
        """d/dt ⟨f(x + t u), v⟩ at t = 0 by a fourth-order central difference, with a direction u for each variable,
        and the rounding error in it."""
        originals = [t.data for t in self.variables]
        values = []
        try:
            for factor in (-2, -1, 1, 2):
                for t, x, u in zip(self.variables, originals, us, strict=True):
                    t.data = x + factor * self.step * u
                with no_grad():
                    values.append(self().data * v)
        finally:
            for t, x in zip(self.variables, originals, strict=True):
                t.data = x
        a, b, c, d = values
        # Each of y's elements is rounded by about ε of its size, and a derivative that is 0 must not fail for it.
        noise = 4 * torch.finfo(torch.float64).eps / self.step * max(value.norm().item() for value in values)
        return ((a - 8 * b + 8 * c - d) / (12 * self.step)).sum().item(), noise

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Inside, the variables have no gradients at first; afterwards gradients and buffers are as before."""
        kept = [t.grad for t in self.variables]
        try:
            for t in self.variables:
                t.grad = None
            yield
        finally:
            for buffer, array, before in self._buffers:
                buffer.data = array if torch.equal(array, before) else array.copy_(before)
            for t, grad in zip(self.variables, kept, strict=True):
                t.grad = grad


def require_float64(name: str, dtype: torch.dtype, step: float | None = None) -> None:
    if dtype == torch.float64:
        return
    why = ""
    if step is not None and dtype.is_floating_point:
        digits = max(0, int(math.log10(step / torch.finfo(dtype).eps)))
        why = f": rounding leaves about {digits} digits of a difference over {step:g}"
    raise TypeError(f"gradcheck: {name} is {dtype}, but differences need torch.float64{why}")


def normal(like: Array, generator: torch.Generator) -> Array:
    """Normally distributed random numbers of the shape, dtype and device of `like`."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
