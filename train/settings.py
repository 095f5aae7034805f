"""Settings as fields of a dataclass: the values that each may have stand beside its default."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import Field, field
from types import NoneType
from typing import Any

from ..core import PhotomendError

#: What an annotation is called in an error, and the types that it stands for.
_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "bool": ("true or false", (bool,)),
    "str": ("a text", (str,)),
    "int": ("a whole number", (int,)),
    "int | None": ("a whole number", (int, NoneType)),
    "float": ("a number", (int, float)),
    "float | None": ("a number", (int, float, NoneType)),
    "Mapping[str, Any]": ("a table", (Mapping,)),
}


def above_zero(default: float | None) -> Any:
    """A setting that must be above 0 if it is given."""
    return field(default=default, metadata={"must": "be above 0", "holds": lambda value: value > 0})


def at_least_zero(default: float) -> Any:
    """A setting that must be 0 or above."""
    return field(default=default, metadata={"must": "not be negative", "holds": lambda value: value >= 0})


def from_zero_to(most: float, default: float) -> Any:
    """A setting from 0 to `most`."""
    return field(default=default, metadata={"must": f"be from 0 to {most}", "holds": lambda value: 0 <= value <= most})


def one_of(*choices: str, default: str) -> Any:
    """A setting with these choices."""
    return field(default=default, metadata={"must": f"be one of {', '.join(choices)}", "holds": choices.__contains__})


def check_setting(where: str, setting: Field[Any], value: Any) -> None:
    """Refuse a value that isn't what the setting's annotation says, or that is out of its range. A bool is no number,
    nor are ∞ and NaN.

    Raises PhotomendError: `where` names the file or the command that the value comes from.
    """
    what, types = _TYPES[str(setting.type)]
    if isinstance(value, int) and abs(value) > sys.float_info.max:  # too long to be shown, or to be reckoned with
        raise PhotomendError(f"{where}: {setting.name} must be {what} of a computer's range")
    finite = not isinstance(value, float) or math.isfinite(value)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types) or not finite:
        raise PhotomendError(f"{where}: {setting.name} (={value!r:.80}) must be {what}")
    rule = setting.metadata
    if rule and value is not None and not rule["holds"](value):
        raise PhotomendError(f"{where}: {setting.name} (={value!s:.80}) must {rule['must']}")
