"""The operators of Tensors. Those that compute call the primitive that has the pullback: ``a * b`` is `multiply`.

Comparisons have no derivative and give raw arrays of booleans, which are constants: ``where(x > 0, x, 0)``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from numbers import Number
from typing import TYPE_CHECKING, Any

from .habits import FOR_TENSORS
from .tape import Array
from .torch_calls import NotForTorch

if TYPE_CHECKING:
    from .tensor import Tensor

#: Every primitive by name, filled by `photomend.core.primitive`; operators and methods look themselves up here.
PRIMITIVES: dict[str, Callable[..., Any]] = {}


def _operators(name: str) -> tuple[Callable[[Any, Any], Tensor], Callable[[Any, Any], Tensor]]:
    """The methods for ``a · b`` and ``b · a``, where · is the primitive called `name`."""
    return lambda self, other: PRIMITIVES[name](self, other), lambda self, other: PRIMITIVES[name](other, self)


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Array]:
    """The method for a comparison, element by element, of a Tensor with a Tensor, an array or a number."""

    def method(self: Any, other: Any) -> Any:
        if isinstance(other, Operators):
            other = other.data
        return compare(self.data, other) if isinstance(other, Array | Number) else NotImplemented

    return method


class Operators(NotForTorch):
    """The operators of a `Tensor`."""

    __slots__ = ()

    data: Array
    tracked: bool

    __add__, __radd__ = _operators("add")
    __sub__, __rsub__ = _operators("subtract")
    __mul__, __rmul__ = _operators("multiply")
    __truediv__, __rtruediv__ = _operators("divide")
    __matmul__, __rmatmul__ = _operators("matmul")
    __pow__, __rpow__ = _operators("power")

    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __eq__ = _comparison(operator.eq)  # type: ignore[assignment]
    __ne__ = _comparison(operator.ne)  # type: ignore[assignment]
    # Which Tensor it is, not what it holds: so Tensors are members of sets and keys of dicts.
    __hash__ = object.__hash__

    def __neg__(self) -> Tensor:
        return PRIMITIVES["negative"](self)

    def __abs__(self) -> Tensor:
        return PRIMITIVES["absolute"](self)

    def __getitem__(self, index: Any) -> Tensor:
        return PRIMITIVES["getitem"](self, index=index)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        """The parts along the first axis, one after the other."""
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        """The truth of a single element; of several it is ambiguous, and torch's error says so."""
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.data)

    def __int__(self) -> int:
        return int(self.data)

    def __format__(self, spec: str) -> str:
        """A single element as a number, ``f"{loss:.3f}"``; several, without a format, as `repr` does."""
        if spec and self.data.numel() != 1:
            raise TypeError(f"format: {spec!r} is of a single number, not of shape {tuple(self.data.shape)}")
        return format(self.data.item(), spec) if spec or not self.data.ndim else repr(self)

    if not TYPE_CHECKING:  # to a type checker a name that isn't there stays an error

        def __getattr__(self, name: str) -> Any:
            """What torch calls a method may be a function here."""
            hint = ""
            if name in PRIMITIVES:
                hint = f"; call the function: {name}(x)"
            elif name in FOR_TENSORS:
                hint = f"; {FOR_TENSORS[name]}"
            elif not name.startswith("__"):  # for which Python itself asks, as in a deep copy, and expects a quick no
                names = [known for known in dir(type(self)) if not known.startswith("_")]
                if near := get_close_matches(name, names, n=1):
                    hint = f"; did you mean {near[0]!r}?"
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}", name=name, obj=self)
