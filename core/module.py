"""Module: something with parameters, sub-modules and a forward method.

Parameters, buffers and sub-modules are plain attributes, or stand in an attribute that is a list, tuple or dict; the
module finds them by looking at itself, in the order in which they were set. Names are the attributes' names joined by
dots, the same as torch.nn gives them, so that weights travel both ways.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import torch

from .arrays import not_an_array, require_plain
from .habits import FOR_MODULES
from .members import flat, require_findable
from .state_dict import StateDictError, load
from .tape import Array
from .tensor import Tensor

__all__ = ["Buffer", "Module", "Parameter", "StateDictError"]


class Parameter(Tensor):
    """A Tensor that a Module owns and an optimizer changes. Frozen (``tracked = False``), it gets no gradient.

    ``p += 1`` raises TypeError: it would make a new Tensor and leave the Parameter as it is. Change ``p.data``.
    """

    __slots__ = ()

    def _in_place(self, other: Any) -> NoReturn:
        raise TypeError(
            "a Parameter is not changed by an operator such as +=, which would make a new Tensor: change its array, "
            "p.data += …, or write q = p + …"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __imatmul__ = __ipow__ = _in_place


class Buffer:
    """An array that belongs to a module's state but is not trained, such as running statistics."""

    __slots__ = ("data",)

    def __init__(self, data: Array) -> None:
        if not isinstance(data, Array):
            raise TypeError(f"Buffer: data must be an array, {not_an_array(data)}")
        require_plain("Buffer: data", data)
        self.data = data


class Module:
    """Base of all layers and models: write `__init__` and `forward`, and the rest follows."""

    training: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse an attribute that would hide a method, or in which parameters would not be found; a function may take
        a method's place."""
        require_findable(type(self).__name__, name, value, _is_part)
        if _is_part(value) or not callable(value):
            for kind in type(self).__mro__:
                if name in vars(kind):
                    if isinstance(vars(kind)[name], FunctionType):
                        raise AttributeError(f"{type(self).__name__}.{name} is a method; call the attribute otherwise")
                    break
        object.__setattr__(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules by name; members of a list are named by their position, of a dict by their key."""
        return ((name, value) for name, value in self._members() if isinstance(value, Module))

    def _members(self) -> Iterator[tuple[str, Any]]:
        """The attributes, and what stands in attributes that are lists, tuples or dicts, of these too."""
        for name, value in vars(self).items():
            yield from flat(type(self).__name__, name, value, _is_part)

    def children(self) -> list[Module]:
        """The direct sub-modules."""
        return [child for _, child in self.named_children()]

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (under the name `prefix`) and all below it, each before its own sub-modules.

        Raises:
            ValueError: a module contains itself.
        """
        return self._walk(prefix, ())

    def modules(self) -> list[Module]:
        """This module and all below it; one that is shared comes once."""
        return list({id(module): module for _, module in self.named_modules()}.values())

    def _walk(self, prefix: str, above: tuple[Module, ...]) -> Iterator[tuple[str, Module]]:
        if any(module is self for module in above):
            raise ValueError(f"the {type(self).__name__} called {prefix!r} contains itself")
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(f"{prefix}.{name}" if prefix else name, (*above, self))

    def _named_state(self, *kinds: type) -> Iterator[tuple[str, Any]]:
        for module_name, module in self.named_modules():
            for name, value in module._members():
                if isinstance(value, kinds):
                    yield (f"{module_name}.{name}" if module_name else name), value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their full names; one that is shared comes once, under its first name."""
        seen: set[int] = set()
        for name, parameter in self._named_state(Parameter):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def parameters(self) -> list[Parameter]:
        """All parameters; one that is shared comes once."""
        return [p for _, p in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """All buffers with their full names."""
        yield from self._named_state(Buffer)

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return sum(p.data.numel() for p in self.parameters())

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or else set them to 0."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else torch.zeros_like(parameter.grad)

    def freeze(self, frozen: bool = True) -> Self:
        """Stop (or resume) gradients for every parameter below; the backward pass doesn't compute them then."""
        for parameter in self.parameters():
            parameter.tracked = not frozen
        return self

    def train(self, mode: bool = True) -> Self:
        """Set training mode (batch statistics, dropout) here and below."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode (running statistics, no dropout) here and below."""
        return self.train(False)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """Move all parameters and buffers in place; integer buffers keep their dtype."""
        for parameter in self.parameters():
            parameter.data = parameter.data.to(device=device, dtype=dtype)
            parameter.grad = None if parameter.grad is None else parameter.grad.to(device=device, dtype=dtype)
        for _, buffer in self.named_buffers():
            float_dtype = dtype if buffer.data.is_floating_point() else None
            buffer.data = buffer.data.to(device=device, dtype=float_dtype)
        return self

    def state_dict(self) -> dict[str, Array]:
        """Parameters and buffers by full name; the arrays are the module's own, not copies."""
        items = list(self._named_state(Parameter, Buffer))
        parameters = {name: item.data for name, item in items if isinstance(item, Parameter)}
        return parameters | {name: item.data for name, item in items if isinstance(item, Buffer)}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Copy arrays into the parameters and buffers, keeping their dtype and device. Arrays that require torch's
        gradients are detached.

        Raises:
            StateDictError: keys are missing or unexpected, or a value isn't an array of the shape and of the kind
                (floating-point, integer or boolean) that is due; then nothing has been changed.
        """
        load(self.state_dict(), state, type(self).__name__)

    if not TYPE_CHECKING:  # to a type checker a name that isn't there stays an error

        def __getattr__(self, name: str) -> Any:
            if name in FOR_MODULES:
                message = f"{type(self).__name__} has no attribute {name!r}; {FOR_MODULES[name]}"
                raise AttributeError(message, name=name, obj=self)
            return object.__getattribute__(self, name)  # Python's own error, or that of a property

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        """The tree of sub-modules, each with its own settings."""
        lines = [f"{type(self).__name__}({self.extra_repr()})"]
        for name, child in self.named_children():
            lines += [f"  ({name}): " + repr(child).replace("\n", "\n  ")]
        return "\n".join(lines)

    def extra_repr(self) -> str:
        """A layer's settings, as they appear in its repr."""
        return ""


@contextmanager
def in_mode(module: Module, *, training: bool) -> Iterator[None]:
    """Inside this context the module and all below it are in training or evaluation mode; afterwards each in its own,
    also those that differed."""
    before = [(below, below.training) for _, below in module.named_modules()]
    module.train(training)
    try:
        yield
    finally:
        for below, was_training in before:
            below.training = was_training


def _is_part(value: Any) -> bool:
    return isinstance(value, (Module, Tensor, Buffer))
