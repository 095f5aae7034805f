"""Weights files: safetensors whose header carries a JSON description. Nothing in them is ever executed.

A run folder holds the weights that validated best, `best.safetensors`, and the last, `last.safetensors`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..core import Array, Module, PhotomendError, StateDictError, replacing

BEST, LAST = "best.safetensors", "last.safetensors"
HEADER = "photomend"  # the key in the safetensors metadata under which the JSON stands
VERSION = 1
#: What the description of each kind of file must hold.
_DESCRIBED: dict[str, dict[str, type]] = {
    "weights": {"model": str, "config": dict, "step": int, "metrics": dict},
    "state": {"state": dict},
}


class CheckpointError(PhotomendError):
    """A file that is missing, damaged, or not the checkpoint that was asked for."""


@dataclass(frozen=True)
class Checkpoint:
    """A model's weights and what is known of them: enough to build the model and load it."""

    model: str
    weights: dict[str, Array]
    config: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)  # `Calibration.to_dict`; empty: none was made


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write weights and description to `path`. Raises CheckpointError when it cannot be written."""
    about = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint) if f.name != "weights"}
    write(path, checkpoint.weights, {"kind": "weights", **about})


def load_checkpoint(path: Path, model: str | None = None, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a weights file, or the best (else the last) of a run folder.

    Raises CheckpointError naming the file when there is none, when it is damaged or no photomend checkpoint, and, if
    `model` is given, when it belongs to another model.
    """
    path = find_checkpoint(path)
    weights, about = read(path, "weights", device)
    if model is not None and about["model"] != model:
        raise CheckpointError(f"{path}: holds the model {about['model']!r}, not {model!r}")
    known = {key: about[key] for key in _DESCRIBED["weights"]}
    return Checkpoint(weights=weights, calibration=about.get("calibration", {}), **known)


def save(module: Module, path: str | Path) -> None:
    """Write a module's parameters and buffers to a safetensors file, which replaces another in one step.

    >>> import tempfile
    >>> from photomend.layers import Linear
    >>> path = Path(tempfile.mkdtemp(), "line.safetensors")
    >>> save(Linear(2, 1), path)
    >>> load(path, into=Linear(2, 1))
    Linear(2, 1, bias=True)

    Raises CheckpointError when it cannot be written.
    """
    save_checkpoint(Path(path), Checkpoint(type(module).__name__, module.state_dict()))


def load(path: str | Path, into: Module) -> Module:
    """Read a safetensors file's arrays into the module's parameters and buffers, and return the module.

    The file is one that `save` or a training run wrote, or any other with the module's names, such as one that
    safetensors wrote of the torch.nn twin.

    Raises CheckpointError naming the file when there is none, when it is damaged, or when its names, shapes or dtypes
    are not the module's; nothing has been changed then.
    """
    path = find_checkpoint(Path(path))
    arrays, _ = _open(path, "cpu")
    for name, own in into.state_dict().items():
        if name in arrays and arrays[name].dtype != own.dtype:
            raise CheckpointError(f"{path}: {name} is {arrays[name].dtype} but should be {own.dtype}")
    try:
        into.load_state_dict(arrays)
    except StateDictError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return into


def find_checkpoint(path: Path) -> Path:
    """The weights file that `path` means: itself, or the best (else the last) in a run folder."""
    if not path.is_dir():
        return path
    for name in (BEST, LAST):
        if (path / name).is_file():
            return path / name
    raise CheckpointError(f"{path}: no checkpoint in this folder (neither {BEST} nor {LAST})")


def weights_digest(weights: Mapping[str, Array]) -> str:
    """A short fingerprint of weights: the same names and numbers, the same digest."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(weights):
        digest.update(f"{name}\0{weights[name].dtype}{tuple(weights[name].shape)}\0".encode())
        digest.update(weights[name].cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write(path: Path, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write, flush to the disk, rename: at every moment `path` is whole, the old file or the new one."""
    header = {HEADER: json.dumps({"version": VERSION, **about})}
    # Copies, because safetensors takes neither views nor two names for one storage.
    owned = {k: torch.clone(v.detach().cpu(), memory_format=torch.contiguous_format) for k, v in arrays.items()}
    try:
        with replacing(path) as draft:
            save_file(owned, draft, metadata=header)
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be written ({error})") from error


def read(path: Path, kind: str, device: torch.device | str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and description of a checkpoint of this kind ("weights" or "state")."""
    arrays, about = _open(path, device)
    if not isinstance(about, dict) or "version" not in about:
        raise CheckpointError(f"{path}: a safetensors file, but not one that photomend wrote")
    if about["version"] != VERSION:
        raise CheckpointError(f"{path}: checkpoint format {about['version']}; this photomend reads {VERSION}")
    if about.get("kind") != kind:
        raise CheckpointError(f"{path}: holds {about.get('kind')}, not {kind}")
    for key, wanted in _DESCRIBED[kind].items():
        if not isinstance(about.get(key), wanted):
            raise CheckpointError(f"{path}: a damaged checkpoint, its description has no {key}")
    return arrays, about


def _open(path: Path, device: torch.device | str) -> tuple[dict[str, Array], Any]:
    """The arrays of a safetensors file, and the description that photomend gave it, if it did."""
    if not path.exists():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            header = (file.metadata() or {}).get(HEADER)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return arrays, json.loads(header) if header is not None else None
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: not a checkpoint, or a damaged one ({error})") from error
