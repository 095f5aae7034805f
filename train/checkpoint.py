"""What resuming needs, in one file, `state.safetensors`: weights, optimizer, averages and counters.

Its form is that of weights files (`models/weights.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..core import Array
from ..models.weights import read, write

STATE = "state.safetensors"
ARRAY = "$array"  # marks where an array belongs in the JSON of a state


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a nested state (string keys; arrays, numbers, strings, lists) to `path`, replacing it in one
    step.

    Arrays go into the safetensors body under their path, the rest into the JSON of the header; floats survive
    exactly. Raises CheckpointError.
    """
    arrays: dict[str, Array] = {}

    def strip(value: Any, name: str) -> Any:
        if isinstance(value, torch.Tensor):
            arrays[name] = value
            return {ARRAY: name}
        if isinstance(value, Mapping):
            return {key: strip(inner, f"{name}/{key}" if name else key) for key, inner in value.items()}
        return value

    described = strip(state, "")
    write(path, arrays, {"kind": "state", "state": described})


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The nested state that `save_state` wrote. Raises CheckpointError naming the file."""
    arrays, about = read(path, "state", device)

    def fill(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if value.keys() == {ARRAY}:
            return arrays[value[ARRAY]]
        return {key: fill(inner) for key, inner in value.items()}

    state: dict[str, Any] = fill(about["state"])
    return state
