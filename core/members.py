"""What a module finds in its attributes, and what it refuses because it could not find it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import GeneratorType
from typing import Any

import numpy as np

from .arrays import kind_of, recorded_by_torch
from .tape import Array

#: Whether something is a module, a parameter or a buffer.
IsPart = Callable[[Any], bool]


def flat(owner: str, name: str, value: Any, is_part: IsPart, above: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """What stands in an attribute, in lists of lists and dicts of them too, each under its full name.

    Raises:
        TypeError, ValueError: what `require_findable` raises, or a list contains itself, or two keys of a dict have the
            same name.
    """
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, list | tuple):
        items = enumerate(value)
    elif isinstance(value, dict):
        items = value.items()
    else:
        require_findable(f"{owner}.{name}", value, is_part)
        yield name, value
        return
    if id(value) in above:
        raise ValueError(f"{owner}.{name} is a {type(value).__name__} that contains itself")
    first: dict[str, Any] = {}
    for key, item in items:
        if first.setdefault(str(key), key) is not key and is_part(item):
            raise ValueError(f"{owner}.{name} has the keys {first[str(key)]!r} and {key!r}, which are one name")
        yield from flat(owner, f"{name}.{key}", item, is_part, (*above, id(value)))


def require_findable(name: str, value: Any, is_part: IsPart) -> None:
    """Raise TypeError where an attribute hides what would be trained, or is torch.nn's, trained by torch alone."""
    kind = kind_of(value)
    if isinstance(value, set | frozenset | deque) and any(is_part(member) for member in value):
        raise TypeError(f"{name} is a {kind}, whose members have no names; use a list or a dict")
    if isinstance(value, GeneratorType | map | filter | zip):
        raise TypeError(f"{name} is a {kind}, which can be gone through once; make a list of it")
    if isinstance(value, np.ndarray) and value.dtype == object and any(is_part(member) for member in value.flat):
        raise TypeError(f"{name} is a NumPy array, in which modules and parameters are not found; use a list")
    if isinstance(value, Array) and type(value) is not Array and recorded_by_torch(value):  # torch's Parameter
        raise TypeError(f"{name} is a {kind}, which is not trained here; write Parameter({name}.detach())")
    if any(base.__module__ == "torch.nn.modules.module" for base in type(value).__mro__):
        raise TypeError(f"{name} is a {kind}, which is not trained here; use a layer of photomend.layers")
