"""A run's state in one file, `state.safetensors`: all that it needs to go on as if it had never stopped.

The file's form is that of weights files (`models/weights.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..core import Array, PhotomendError, StateDictError
from ..models.weights import read, write
from .trainer import BaseTrainer

STATE = "state.safetensors"
ARRAY = "$array"  # marks where an array belongs in the JSON of a state


def state_of(trainer: BaseTrainer[Any]) -> dict[str, Any]:
    """The state of a run, arrays not copied."""
    random = {"cpu": torch.get_rng_state()}
    if trainer.device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(trainer.device)
    return {**trainer.about(), "random": random, **{name: part.state_dict() for name, part in trainer.parts().items()}}


def restore(trainer: BaseTrainer[Any], path: Path) -> None:
    """Go on from the state in this file.

    Raises:
        PhotomendError: no such state, a damaged one, or what `BaseTrainer.resume` raises.
    """
    state = load_state(path)
    if missing := state_of(trainer).keys() - state.keys():
        raise PhotomendError(f"{path}: damaged, or of another version: it lacks {', '.join(sorted(missing))}")
    try:
        trainer.resume(state, path)
    except StateDictError as error:
        raise PhotomendError(f"{path}: {error}") from error
    torch.set_rng_state(state["random"]["cpu"])
    if trainer.device.type == "cuda" and "cuda" in state["random"]:
        torch.cuda.set_rng_state(state["random"]["cuda"], trainer.device)


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a nested state (string keys; arrays, numbers, strings, lists) to `path`, replacing it in one step.

    Arrays go into the safetensors body under their path, the rest into the JSON of the header; floats survive exactly.
    Raises CheckpointError.
    """
    arrays: dict[str, Array] = {}

    def strip(value: Any, name: str) -> Any:
        if isinstance(value, torch.Tensor):
            arrays[name] = value
            return {ARRAY: name}
        if isinstance(value, Mapping):
            return {key: strip(inner, f"{name}/{key}" if name else key) for key, inner in value.items()}
        return value

    write(path, arrays, {"kind": "state", "state": strip(state, "")})


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
