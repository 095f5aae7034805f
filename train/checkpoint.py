"""A run's state in one file, `state.safetensors`: all that it needs to go on as if it had never stopped.

The file's form is that of weights files (`models/weights.py`). The state before it is kept, in case the disk damages
the latest: a run goes on from it to the same end.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core import Array, PhotomendError, StateDictError, files
from ..models.safetensors_file import CheckpointError
from ..models.weights import BEST, LAST, read, write
from .distributed import gathered, here
from .log import LOG
from .trainer import BaseTrainer

STATE, PREVIOUS = "state.safetensors", "state-previous.safetensors"
ARRAY = "$array"  # marks where an array belongs in the JSON of a state


def state_of(trainer: BaseTrainer[Any]) -> dict[str, Any]:
    """The state of a run, arrays not copied; of several ranks all must ask for it, and get it."""
    random: dict[str, Any] = {}
    for rank, state in enumerate(gathered(torch.get_rng_state())):
        random[_of_rank("cpu", rank)] = state
    if trainer.device.type == "cuda":
        for rank, state in enumerate(gathered(torch.cuda.get_rng_state(trainer.device))):
            random[_of_rank("cuda", rank)] = state
    return {**trainer.about(), "random": random, **{name: part.state_dict() for name, part in trainer.parts().items()}}


def _of_rank(kind: str, rank: int) -> str:
    """The key of the state of a rank's random numbers; a run on one rank has only rank 0's."""
    return f"{kind}{rank or ''}"


def draw_apart(seed: int) -> None:
    """Let the ranks draw different random numbers, for dropout, from here on; rank 0 goes on as it would alone."""
    if not (place := here()).first:
        torch.manual_seed(int(np.random.SeedSequence((seed, place.rank)).generate_state(1)[0]))


@contextmanager
def run_folder(out: Path, resume: bool) -> Iterator[None]:
    """Have a run folder to oneself: a new one, or one with a run to resume.

    Raises PhotomendError: another process trains there, or a new run's folder holds one already.
    """
    if resume and not out.is_dir():
        yield  # and `restore` says what is missing
        return
    busy = f"{out}: another process is training in this folder; wait for it, or choose another folder"
    with files.claimed(out, busy, keep=out.exists()):
        if not resume:
            require_no_run(out)
        yield


def holds_state(out: Path) -> bool:
    """Whether this folder holds a state from which a run can go on."""
    return any((out / name).exists() for name in (STATE, PREVIOUS))


def require_no_run(out: Path) -> None:
    """Raise PhotomendError where this folder holds a run."""
    if any((out / name).exists() for name in (STATE, PREVIOUS, LAST, BEST, LOG)):
        raise PhotomendError(f"{out}: holds a run already; resume it, or choose another folder")


def restore(trainer: BaseTrainer[Any], path: Path) -> None:
    """Go on from the state in this file, or from the one before it, if this is damaged; a warning says so.

    Raises:
        PhotomendError: no such state, only damaged ones, or what `BaseTrainer.resume` raises.
    """
    previous = path.with_name(PREVIOUS)
    try:
        state = load_state(path)
    except CheckpointError as error:
        if not previous.exists():
            raise
        state = load_state(previous)
        warnings.warn(f"{error}; the run goes on from the state before it, {previous.name}", stacklevel=2)
    if missing := state_of(trainer).keys() - state.keys():
        raise PhotomendError(f"{path}: damaged, or of another version: it lacks {', '.join(sorted(missing))}")
    try:
        trainer.resume(state, path)
        _restore_random_numbers(trainer, state["random"])
    except StateDictError as error:
        raise PhotomendError(f"{path}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:  # of a state made by hand
        raise PhotomendError(f"{path}: damaged, or of another version: {error}") from error


def _restore_random_numbers(trainer: BaseTrainer[Any], states: Mapping[str, Array]) -> None:
    """Go on drawing where this rank stopped; one that the run hasn't had yet draws others."""
    cpu, cuda = (_of_rank(kind, here().rank) for kind in ("cpu", "cuda"))
    if cpu not in states and not here().first:
        draw_apart(trainer.config.seed + trainer.progress.steps)
        return
    torch.set_rng_state(states[cpu])
    if trainer.device.type == "cuda" and cuda in states:
        torch.cuda.set_rng_state(states[cuda], trainer.device)


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a nested state (string keys; arrays, numbers, strings, lists) to `path`; what was there becomes PREVIOUS.

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

    write(path, arrays, {"kind": "state", "state": strip(state, "")}, keep=path.with_name(PREVIOUS))


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The nested state that `save_state` wrote. Raises CheckpointError naming the file."""
    arrays, about = read(path, "state", device)

    def fill(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if value.keys() == {ARRAY}:
            return arrays[value[ARRAY]]
        return {key: fill(inner) for key, inner in value.items()}

    try:
        state: dict[str, Any] = fill(about["state"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: a damaged checkpoint, it lacks the array {error}") from error
    return state
