"""A run's state in one file, `state.safetensors`: all that it needs to go on as if it had never stopped.

The file's form is that of weights files (`models/weights.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..core import Array, PhotomendError
from ..models.weights import read, weights_digest, write
from .initial_weights import load_initial
from .trainer import BaseTrainer

STATE = "state.safetensors"
ARRAY = "$array"  # marks where an array belongs in the JSON of a state


def state_of(trainer: BaseTrainer[Any]) -> dict[str, Any]:
    """The state of a run, arrays not copied."""
    random = {"cpu": torch.get_rng_state()}
    if trainer.device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(trainer.device)
    return {
        "model": trainer.config.model,
        "settings": _fixed_settings(trainer),
        "photos": trainer.photos,
        "initial_weights": trainer.initial,
        "random": random,
        **{name: part.state_dict() for name, part in trainer.parts().items()},
    }


def restore(trainer: BaseTrainer[Any], path: Path) -> None:
    """Go on from the state in this file.

    Raises:
        PhotomendError: no such state, a damaged one, or one of another model, or of other settings, photos or initial
            weights; the same initial weights in another place are welcome.
    """
    state = load_state(path)
    if missing := state_of(trainer).keys() - state.keys():
        raise PhotomendError(f"{path}: damaged, or of another version: it lacks {', '.join(sorted(missing))}")
    _require_same_run(trainer, state, path)
    for name, part in trainer.parts().items():
        part.load_state_dict(state[name])
    trainer.initial = state["initial_weights"] | {"path": trainer.config.initial_weights}
    torch.set_rng_state(state["random"]["cpu"])
    if trainer.device.type == "cuda" and "cuda" in state["random"]:
        torch.cuda.set_rng_state(state["random"]["cuda"], trainer.device)


def _fixed_settings(trainer: BaseTrainer[Any]) -> dict[str, Any]:
    """The settings that a resumed run can't change."""
    return {**trainer.network.config, **{name: getattr(trainer.config, name) for name in trainer.config.fixed}}


def _require_same_run(trainer: BaseTrainer[Any], state: dict[str, Any], path: Path) -> None:
    config = trainer.config
    if state["model"] != config.model:
        raise PhotomendError(f"{path}: holds a run of {state['model']!r}, not of {config.model!r}")
    mine, theirs = _fixed_settings(trainer), state["settings"]
    for name in {**mine, **theirs}:
        if theirs.get(name) != mine.get(name):
            raise PhotomendError(
                f"{path}: was made with {name} (={theirs.get(name)}), and can't go on with {name} (={mine.get(name)})"
            )
    if state["photos"]["digest"] != trainer.photos["digest"]:
        raise PhotomendError(
            f"{path}: was trained on {state['photos']['origin']}, not on these photos of {trainer.photos['origin']}"
        )
    began, given = state["initial_weights"], config.initial_weights
    if given == began["path"]:
        return
    if not given or weights_digest(load_initial(config.model, given).weights) != began["digest"]:
        first = f"the weights of {began['path']}" if began["path"] else "random weights"
        raise PhotomendError(f"{path}: began with {first}, and can't go on with initial_weights (={given})")


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
