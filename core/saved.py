"""Arrays that a pullback reads must be at the backward pass what they were in the forward pass.

What a pullback reads is what its closure holds. That it is looked for there, and not among a primitive's arguments, is
why an addition, which reads neither argument, doesn't mind a change of either. torch counts the changes in place of
every array, and a view counts with the array that it is a view of. So it is enough to remember each array's count, as
torch does for its own saved tensors.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any

import torch

from .module import Module
from .tape import Array, Saved
from .tensor import Tensor

#: Kinds of things that hold no array.
_INERT: set[type] = {int, float, bool, str, NoneType, torch.Size, torch.dtype, torch.device, BuiltinFunctionType}
#: Things that are looked into; a pullback that captured a larger structure is not watched to its end.
MOST = 10_000


def saved_by(pullback: Any) -> list[Saved]:
    """Each array that a pullback has captured, and how often it has been changed in place so far.

    Arrays made in torch's inference mode are left out: torch doesn't count their changes.
    """
    if type(pullback) is not FunctionType or pullback.__defaults__ or pullback.__kwdefaults__:
        return _watched(pullback)
    saved = []
    try:
        for cell in pullback.__closure__ or ():
            content = cell.cell_contents
            kind = type(content)
            if kind is Array:
                saved.append((content, content._version))
            elif kind not in _INERT and not (kind is tuple and _INERT.issuperset(map(type, content))):
                saved += _watched(content)
    except (ValueError, RuntimeError):  # a variable that has no value yet, or an array of inference mode
        return _watched(pullback)
    return saved


def _watched(content: Any) -> list[Saved]:
    return [(array, array._version) for array in _arrays(content) if not array.is_inference()]


def variable_of(pullback: Any, array: Array) -> str:
    """The name of the variable in which a pullback has captured an array, or ""."""
    names, cells = getattr(getattr(pullback, "__code__", None), "co_freevars", ()), getattr(pullback, "__closure__", ())
    for name, cell in zip(names, cells or (), strict=True):
        if any(found is array for found in _arrays(cell)):
            return name
    return ""


def _arrays(start: Any) -> Iterator[Array]:
    """The arrays in a function's closure, a collection or an object, and in whatever these hold.

    Of a Module nothing: it goes on living, and a pullback that calls one (`recompute`) sees to its state itself.
    """
    seen: set[int] = set()
    stack = [start]
    while stack and len(seen) < MOST:
        content = stack.pop()
        if isinstance(content, Array):
            yield content
        elif type(content) in _INERT or isinstance(content, Module | ModuleType | type) or id(content) in seen:
            continue
        else:
            seen.add(id(content))
            stack += _inside(content)


def _inside(content: Any) -> list[Any]:
    if isinstance(content, Tensor):
        return [content.data]
    if isinstance(content, CellType):
        try:
            return [content.cell_contents]
        except ValueError:
            return []
    if isinstance(content, FunctionType):
        return [*(content.__closure__ or ()), content.__defaults__, content.__kwdefaults__]
    if isinstance(content, MethodType):
        return [content.__func__, content.__self__]
    if isinstance(content, functools.partial):
        return [content.func, content.args, content.keywords]
    if isinstance(content, tuple | list | set | frozenset):
        return list(content)
    if isinstance(content, dict):
        return list(content.values())
    slots = [name for kind in type(content).__mro__ for name in vars(kind).get("__slots__", ())]
    return [*getattr(content, "__dict__", {}).values(), *(getattr(content, name, None) for name in slots)]
