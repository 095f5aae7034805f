"""Weights files: safetensors whose header carries a JSON description. Nothing in them is ever executed.

A run folder holds the weights that validated best, `best.safetensors`, and the last, `last.safetensors`.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from ..core import Array, Module, PhotomendError, StateDictError, did_you_mean
from ..core.init import undrawn
from . import TRAINED, build
from .network import RepairNetwork
from .safetensors_file import CheckpointError, read_file, write_file

BEST, LAST = "best.safetensors", "last.safetensors"
#: Of a checkpoint's description. Those of version 1 have no digest.
VERSION = 2
#: What the description of each kind of file must hold.
_DESCRIBED: dict[str, dict[str, type]] = {
    "weights": {"model": str, "config": dict, "step": int, "metrics": dict},
    "state": {"state": dict},
}


@dataclass(frozen=True)
class Checkpoint:
    """A model's weights and what is known of them: enough to build the model and load it."""

    model: str
    weights: dict[str, Array]
    config: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)  # `Calibration.to_dict`; empty: none was made
    natural_calibration: dict[str, Any] = field(default_factory=dict)  # the same, drawn anew by `exemplar.TextureFill`
    for_comparison: bool = False  # whether they are known to be unfit for repair


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write weights and description to `path`. Raises CheckpointError when it cannot be written."""
    about = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint) if f.name != "weights"}
    write(path, checkpoint.weights, {"kind": "weights", **about})


def load_checkpoint(
    path: Path, model: str | None = None, device: torch.device | str = "cpu", shipped: str | None = None
) -> Checkpoint:
    """Read a weights file, or the best (else the last) of a run folder; `shipped` is that of `read_file`.

    Raises CheckpointError naming the file when there is none, when it is damaged or no photomend checkpoint, and, if
    `model` is given, when it belongs to another model.
    """
    path = find_checkpoint(path)
    try:
        weights, about = read(path, "weights", device, shipped)
    except CheckpointError as error:
        if path.name != BEST or not (last := path.with_name(LAST)).is_file():
            raise
        raise CheckpointError(f"{error}; the last weights are in {last}") from error
    if model is not None and about["model"] != model:
        raise CheckpointError(f"{path}: holds the model {about['model']!r:.80}, not {model!r}")
    require_usable(path, weights)
    known = {key: about[key] for key in _DESCRIBED["weights"]}
    known |= {name: about.get(name, {}) for name in ("calibration", "natural_calibration")}
    return Checkpoint(weights=weights, for_comparison=about.get("for_comparison") is True, **known)


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
    arrays = read_file(path).arrays
    require_usable(path, arrays)
    for name, own in into.state_dict().items():
        if name in arrays and arrays[name].dtype != own.dtype:
            raise CheckpointError(f"{path}: {name:.80} is {arrays[name].dtype} but should be {own.dtype}")
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


def write(path: Path, arrays: Mapping[str, Array], about: Mapping[str, Any], keep: Path | None = None) -> None:
    """Write arrays and their description; see `write_file`."""
    write_file(path, arrays, {"version": VERSION, **about}, keep)


def read(
    path: Path, kind: str, device: torch.device | str, shipped: str | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and description of a checkpoint of this kind ("weights" or "state"); `shipped` is that of `read_file`."""
    arrays, about, checked = read_file(path, device, shipped)
    if not isinstance(about, dict) or "version" not in about:
        raise CheckpointError(f"{path}: a safetensors file, but not one that photomend wrote")
    version = about["version"]
    if version not in (1, VERSION):
        raise CheckpointError(f"{path}: checkpoint format {version!s:.80}; this photomend reads 1 and {VERSION}")
    if about.get("kind") != kind:
        raise CheckpointError(f"{path}: holds {about.get('kind')!s:.80}, not {kind}")
    for key, wanted in _DESCRIBED[kind].items():
        if not isinstance(about.get(key), wanted):
            raise CheckpointError(f"{path}: a damaged checkpoint, its description has no {key}")
    if not checked and version == VERSION:
        raise CheckpointError(f"{path}: a damaged checkpoint, it has lost its digest")
    if not checked:
        warnings.warn(f"{path}: of an earlier photomend, without a digest: damage may go unnoticed", stacklevel=3)
    return arrays, about


def require_usable(path: Path, weights: Mapping[str, Array]) -> None:
    """Raise CheckpointError for weights that are no finite numbers."""
    for name, array in weights.items():
        if array.is_complex() or not torch.isfinite(array).all():
            raise CheckpointError(f"{path}: its weights are damaged: {name:.80} has values that are no finite numbers")


def build_network(path: Path, checkpoint: Checkpoint) -> RepairNetwork:
    """The network that was saved in the file `path`, with its weights.

    It is built without memory first, and must have the arrays that the file has: so a description can't ask for more
    than the file holds.

    Raises CheckpointError: no such network, or one of other settings than the weights'.
    """
    name, config = checkpoint.model, checkpoint.config
    if name not in TRAINED:
        known = did_you_mean(name, TRAINED)
        raise CheckpointError(f"{path}: holds weights of {name!r:.80}, which is no network here; {known}")
    for key, value in config.items():
        if hasattr(value, "__len__") and len(value) > len(checkpoint.weights):
            raise CheckpointError(f"{path}: {key:.80} has {len(value):,} entries, for {len(checkpoint.weights)} arrays")
    try:
        with undrawn():
            with torch.device("meta"):
                sizes = {key: array.shape for key, array in build(name, **config).state_dict().items()}
            if sizes == {key: array.shape for key, array in checkpoint.weights.items()}:
                network: RepairNetwork = build(name, **config)
                network.load_state_dict(checkpoint.weights)
                return network
    except PhotomendError as error:
        raise CheckpointError(f"{path}: {error!s:.500}") from error
    except (RuntimeError, OverflowError, MemoryError) as error:
        raise CheckpointError(f"{path}: model {name!r:.80} can't have the settings {config!r:.200}") from error
    raise CheckpointError(f"{path}: {_unlike(sizes, checkpoint.weights, name)}")


def _unlike(sizes: Mapping[str, torch.Size], weights: Mapping[str, Array], name: str) -> str:
    """How the arrays differ from those that the description asks for."""
    for key, size in sizes.items():
        if key not in weights:
            return f"lacks {key} of the model {name!r}"
        if size != weights[key].shape:
            return f"{key} is {tuple(weights[key].shape)}, but by its settings it should be {tuple(size)}"
    return f"holds {next(key for key in weights if key not in sizes)!r:.80}, which the model {name!r} doesn't have"
