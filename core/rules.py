"""What a rule must return, and what an error says of one that returns something else."""

from __future__ import annotations

from typing import Any

from .arrays import recorded_by_torch
from .tape import Array
from .tensor import Tensor


def not_a_rule(returned: Any) -> str:
    """What is wrong with what a rule returned."""
    asked = "a rule returns its value, an array, and its pullback: return y, pullback"
    if not isinstance(returned, tuple) or len(returned) != 2:
        several = f" of {len(returned)}" if isinstance(returned, tuple | list) else ""
        return f"{asked}; this one returned a {type(returned).__name__}{several}"
    value, pullback = returned
    if isinstance(value, Array) and recorded_by_torch(value):
        return "the value requires torch's gradients; detach the arrays that the rule captured"
    if not isinstance(value, Array):
        is_ours = "; rules compute with arrays, so call other primitives' rules" if isinstance(value, Tensor) else ""
        return f"{asked}; the value is a {type(value).__name__}{is_ours}"
    return f"{asked}; the pullback is a {type(pullback).__name__}, which can't be called"
