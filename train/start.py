"""What a run begins with: fresh random weights, or those of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..models import AttentionModel, GanModel
from .checkpoint import Checkpoint, load_checkpoint

#: Models that begin with another model's weights; all others begin with their own.
_OTHERS = {GanModel.name: AttentionModel.name}


def starting_model(model: str) -> str:
    """Whose weights a run of `model` can begin with."""
    return _OTHERS.get(model, model)


def load_start(model: str, start: str, device: torch.device | str = "cpu") -> Checkpoint:
    """The weights in the run folder or weights file `start`, for a run of `model`.

    Raises PhotomendError: no such weights, or another model's.
    """
    return load_checkpoint(Path(start), model=starting_model(model), device=device)


def start_settings(model: str, start: str) -> dict[str, Any]:
    """The network's settings that these weights were trained with, and that a run that begins with them shares.

    Raises what `load_start` does.
    """
    return load_start(model, start).config


def say_start(start: str) -> str:
    """What a run began with, in words."""
    return f"the weights of {start}" if start else "random weights"
