"""What `fit` refuses at its door, each in one sentence that says what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..core import Module, PhotomendError, kind_of
from .optimizers import Optimizer


def require_model(model: Any) -> None:
    """Raise PhotomendError unless there is something to train."""
    if not isinstance(model, Module):
        found = getattr(model, "__name__", None) or f"a {kind_of(model)}"
        raise PhotomendError(f"fit: model must be a Module of photomend, such as Sequential(…), not {found}")
    if not (parameters := model.parameters()):
        raise PhotomendError(f"fit: the model ({type(model).__name__}) has no parameters to train")
    if not any(parameter.tracked for parameter in parameters):
        raise PhotomendError(f"fit: the model ({type(model).__name__}) is frozen; call model.freeze(False)")


def require_data(name: str, data: Any) -> None:
    """Raise PhotomendError for a dict, and for arrays in a list, which would be taken for a dataset."""
    if isinstance(data, Mapping):
        raise PhotomendError(f"fit: {name} must be a tuple (x, y), a dataset or batches, not a {kind_of(data)}")
    if isinstance(data, list) and len(data) > 1 and all(isinstance(part, torch.Tensor) for part in data):
        raise PhotomendError(f"fit: {name} is a list of arrays; pass the tuple (x, y)")


def require_optimizer(optimizer: Any) -> None:
    """Raise PhotomendError unless it is a name or an optimizer of this package."""
    if isinstance(optimizer, type):
        raise PhotomendError(f"fit: optimizer is the class {optimizer.__name__}; make one of the model's parameters()")
    if not isinstance(optimizer, str | Optimizer):
        due = "a name such as 'adam' or an optimizer of photomend.train.optimizers"
        raise PhotomendError(f"fit: optimizer must be {due}, not a {kind_of(optimizer)}")


def require_metrics(metrics: Any, validated: bool) -> None:
    """Raise PhotomendError unless the metrics are a list, for which there is something to validate on."""
    if isinstance(metrics, str) or callable(metrics):
        raise PhotomendError("fit: metrics must be a list; write metrics=[…]")
    if metrics and not validated:
        raise PhotomendError("fit: metrics are for validation_data, and there is none")


def place_of(device: Any, default: torch.device) -> torch.device:
    """The device to run on. Raises PhotomendError where there is no such device."""
    try:
        place = default if device is None else torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise PhotomendError(f"fit: device (={device!r}) is unknown; there are 'cpu' and 'cuda'") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise PhotomendError(f"fit: device (={str(place)!r}): CUDA isn't available here; use 'cpu'")
    return place
