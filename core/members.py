"""What a module finds in its attributes, and what it refuses because it could not find it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import GeneratorType
from typing import Any

import numpy as np

from .arrays import kind_of, recorded_by_torch
from .tape import Array

#: What has members without names, and what is empty after it was gone through.
HIDE_ALL, GONE_THROUGH_ONCE = (set, frozenset, deque), (GeneratorType, map, filter, zip)
#: Whether something is a module, a parameter or a buffer.
IsPart = Callable[[Any], bool]


def flat(owner: str, name: str, value: Any, is_part: IsPart, above: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """What stands in an attribute, in lists of lists and dicts of them too, each under its full name.

    Raises:
        TypeError, ValueError: what `require_findable` raises, or a list contains itself, or two keys of a dict have the
            same name.
    """
    if not isinstance(value, (list, tuple, dict)):
        require_findable(owner, name, value, is_part)
        yield name, value
        return
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    if id(value) in above:
        raise ValueError(f"{owner}.{name} is a {type(value).__name__} that contains itself")
    first: dict[str, Any] = {}
    for key, item in items:
        if first.setdefault(str(key), key) is not key and is_part(item):
            raise ValueError(f"{owner}.{name} has the keys {first[str(key)]!r} and {key!r}, which are one name")
        yield from flat(owner, f"{name}.{key}", item, is_part, (*above, id(value)))


def require_findable(owner: str, name: str, value: Any, is_part: IsPart) -> None:
    """Raise TypeError where an attribute hides what would be trained, or is torch.nn's, trained by torch alone."""
    if value is None or isinstance(value, (str, int, float)) or is_part(value):
        return  # nearly all are: a walk over a network asks for a thousand values, at every step of training
    what = f"{owner}.{name}"
    if isinstance(value, HIDE_ALL) and any(is_part(member) for member in value):
        raise TypeError(f"{what} is a {kind_of(value)}, whose members have no names; use a list or a dict")
    if isinstance(value, GONE_THROUGH_ONCE):
        raise TypeError(f"{what} is a {kind_of(value)}, which can be gone through once; make a list of it")
    if isinstance(value, np.ndarray) and value.dtype == object and any(is_part(member) for member in value.flat):
        raise TypeError(f"{what} is a NumPy array, in which modules and parameters are not found; use a list")
    if isinstance(value, Array) and type(value) is not Array and recorded_by_torch(value):  # torch's Parameter
        raise TypeError(f"{what} is a {kind_of(value)}, which is not trained here; write Parameter({what}.detach())")
    if any(base.__module__ == "torch.nn.modules.module" for base in type(value).__mro__):
        raise TypeError(f"{what} is a {kind_of(value)}, which is not trained here; use a layer of photomend.layers")
