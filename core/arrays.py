"""What may come in as an array: plain numbers, for which torch records nothing.

An array that requires torch's own gradients (a ``torch.nn.Parameter``, or what was computed from one) would have torch
record a second tape beside this engine's, and whatever such an array is written into would require them from then on.
So one rule holds at every door: it is refused by name, and `detach` makes a plain array of it. Where arrays are copied
(`load_state_dict`) they are detached.
"""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import Any

import numpy as np
import torch

#: Whether torch records what is computed from an array.
recorded_by_torch = attrgetter("requires_grad")


def require_plain(name: str, array: torch.Tensor) -> None:
    """Raises TypeError if `array`, which is called `name` where it comes in, requires torch's gradients."""
    if recorded_by_torch(array):
        raise TypeError(
            f"{name} (a {type(array).__name__} of shape {tuple(array.shape)}) requires torch's gradients, which this "
            f"engine doesn't record; pass {name.rpartition(' ')[2]}.detach()"
        )


def kind_of(found: Any) -> str:
    """The name of something's type; torch's with their module, since photomend's own may have the same.

    >>> kind_of(torch.ones(1)), kind_of(3)
    ('torch.Tensor', 'int')
    """
    kind = type(found)
    parts = kind.__module__.split(".")
    if parts[0] != "torch":
        return kind.__name__
    paths = (".".join(parts[:length]) for length in range(1, len(parts) + 1))  # the shortest that has it
    path = next((p for p in paths if getattr(sys.modules.get(p), kind.__name__, None) is kind), kind.__module__)
    return f"{path}.{kind.__name__}"


def not_an_array(found: Any, *, maybe_integers: bool = False) -> str:
    """What something is that stands where an array is due, and what to write instead: of integers, where they
    `maybe_integers` such as classes or indices, an array of integers."""
    kind = kind_of(found)
    if isinstance(getattr(found, "data", None), torch.Tensor):
        return f"not a {kind} of photomend; pass its .data"
    if maybe_integers and isinstance(found, list | tuple | np.ndarray) and _of_integers(found):
        return f"not {kind}; pass torch.as_tensor(…)"
    if isinstance(found, list | tuple | int | float | np.ndarray | np.generic):
        return f"not {kind}; pass torch.as_tensor(…, dtype=torch.float32)"
    return f"not {kind}"


def _of_integers(found: Any) -> bool:
    if isinstance(found, list | tuple):
        return bool(found) and all(map(_of_integers, found))
    return found.dtype.kind in "biu" if isinstance(found, np.ndarray) else isinstance(found, int | np.integer)
