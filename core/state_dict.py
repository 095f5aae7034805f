"""Loading a state dict: everything is checked, and converted where that can fail, before the first array is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .arrays import kind_of
from .errors import PhotomendError
from .tape import Array


class StateDictError(PhotomendError):
    """A state dict that does not fit the module: keys missing or unexpected, or values that are no such arrays."""


def load(own: Mapping[str, Array], state: Mapping[str, Any], owner: str) -> None:
    """Copy the arrays of `state` into those of `own`, which keep their dtype and device.

    Raises:
        StateDictError: keys or values don't fit; then nothing has been changed. `owner` is whose state it is.
    """
    if not isinstance(state, Mapping):
        raise StateDictError(f"a state dict is due for {owner}, not a {kind_of(state)}{_call(state)}")
    complaints = []
    if missing := [k for k in own if k not in state]:
        complaints.append(f"missing {_few(missing)}")
    if unexpected := [k for k in state if k not in own]:
        complaints.append(f"unexpected {_few([str(k) for k in unexpected])}")
    wrong = [f"{k} {fault}" for k in own if k in state and (fault := _fault(own[k], state[k]))]
    if complaints := complaints + wrong[:3]:
        raise StateDictError(f"state dict does not fit {owner}: {'; '.join(complaints)}")
    # An array that is converted is a copy already; one of another name in the same module must become one.
    mine = {array.data_ptr() for array in own.values()}
    ready = {}
    for key, array in own.items():
        given = state[key].detach().to(array.device, array.dtype)
        ready[key] = given.clone() if given.data_ptr() in mine - {array.data_ptr()} else given
    for key, array in own.items():
        array.copy_(ready[key])


def _call(found: Any) -> str:
    """What to write where a module was given for its state dict, as the end of a message."""
    return "; pass its .state_dict()" if callable(getattr(found, "state_dict", None)) else ""


def _fault(mine: Array, given: Any) -> str:
    """Why `given` can't be copied into `mine`, or ""."""
    if not isinstance(given, Array):
        return f"is a {kind_of(given)}, not an array"
    if given.shape != mine.shape:
        return f"is {tuple(given.shape)} but should be {tuple(mine.shape)}"
    if given.is_meta or mine.is_meta:
        return "is on the meta device, which holds no numbers"
    if given.layout != torch.strided:
        return f"is {given.layout}, not a dense array"
    if _kind(given) == _kind(mine):
        return ""
    # A count that was stored in floating point, as `Module.to` of another library may have left it.
    if given.is_floating_point() and _kind(mine) == "an integer" and bool((given == given.trunc()).all()):
        return ""
    return f"is {given.dtype} but should be {_kind(mine)} array"


def _kind(array: Array) -> str:
    if array.is_floating_point():
        return "a floating-point"
    if array.is_complex():
        return "a complex"
    return "a boolean" if array.dtype == torch.bool else "an integer"


def _few(names: list[str]) -> str:
    """The first three names and how many more there are."""
    shown = ", ".join(f"{name:.80}" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
