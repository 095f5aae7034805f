"""What a run begins with: fresh random weights, or those of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .. import models
from ..core import Array, PhotomendError, StateDictError, no_grad
from ..models import AttentionModel, GanModel, RepairNetwork
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


def take_over(network: RepairNetwork, start: Checkpoint, path: str) -> None:
    """Give `network` the weights of `start`, read from `path`; blocks that only the network has keep their own.

    So a deeper network goes on where a shallower one ended (Chen, Goodfellow & Shlens, *Net2Net* (2016)), as long as
    the new blocks change nothing at first, which a residual block doesn't whose last convolution is zero.

    Raises PhotomendError: the weights don't fit, or the new blocks change what the network gives.
    """
    fresh = {name: array for name, array in network.state_dict().items() if name not in start.weights}
    _load(network, start.weights | fresh, path)
    if not fresh:
        return
    shallower = models.build(start.model, **start.config)
    _load(shallower, start.weights, path)
    side, generator = network.window, torch.Generator().manual_seed(0)
    photo, mask = torch.rand(1, 3, side, side, generator=generator), torch.zeros(1, 1, side, side)
    mask[..., side // 3 : side // 2, side // 3 : side // 2] = 1
    before, after = (_answer(each, photo * (1 - mask), mask) for each in (shallower, network))
    if not torch.allclose(before, after, rtol=0, atol=1e-6):  # a network hardly trained gives hardly more than its fill
        raise PhotomendError(f"{path}: has no {next(iter(fresh))}, which would change what the network gives")


def _load(network: RepairNetwork, weights: dict[str, Array], path: str) -> None:
    try:
        network.load_state_dict(weights)
    except StateDictError as error:
        raise PhotomendError(f"{path}: {error}") from error


def _answer(network: RepairNetwork, masked: Array, mask: Array) -> Array:
    """What the network gives for one photo, without its running statistics changing."""
    device, was_training = network.parameters()[0].data.device, network.training
    with no_grad():
        answer = network.eval().forward(masked.to(device), mask.to(device)).data
    network.train(was_training)
    return answer.cpu()


def say_start(start: str) -> str:
    """What a run began with, in words."""
    return f"the weights of {start}" if start else "random weights"
