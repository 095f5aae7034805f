"""What a run begins with: fresh random weights, or those of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .. import models
from ..core import Array, PhotomendError, StateDictError, no_grad
from ..models import AttentionModel, GanModel, RepairNetwork
from ..models.weights import Checkpoint, load_checkpoint

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

    From how many sides the finished network looks (`views`) is not among them: nothing is trained that way.

    Raises what `load_start` does.
    """
    return {key: value for key, value in load_start(model, start).config.items() if key != "views"}


#: Settings of a network that may be others than those its weights were trained with.
FREE = {"window", "views"}


def take_over(network: RepairNetwork, start: Checkpoint, path: str) -> None:
    """Give `network` the weights of `start`, read from `path`; blocks that only the network has keep their own.

    So a deeper network goes on where a shallower one ended (Chen, Goodfellow & Shlens, *Net2Net* (2016)), as long as
    the new blocks change nothing at first, as a residual block whose last convolution is zero. Where the settings are
    others than the weights', both networks are asked, and must give the same.

    Raises PhotomendError: the weights don't fit, or with these settings the network gives something else.
    """
    mine = network.config
    other = [key for key in {**mine, **start.config} if key not in FREE and mine.get(key) != start.config.get(key)]
    own = network.state_dict() if other else {}
    _load(network, {**own, **start.weights}, path)
    if other and not _same(network, _as_it_was(start, path)):
        raise PhotomendError(
            f"{path}: with another {' and '.join(other)} the network gives something else than these weights gave; "
            "only blocks that change nothing at first may be added"
        )


def _load(network: RepairNetwork, weights: dict[str, Array], path: str) -> None:
    try:
        network.load_state_dict(weights)
    except StateDictError as error:
        raise PhotomendError(f"{path}: {error}") from error


def _as_it_was(start: Checkpoint, path: str) -> RepairNetwork:
    """The network that the weights were trained in."""
    with torch.random.fork_rng(devices=()):  # its first weights are drawn for nothing
        network: RepairNetwork = models.build(start.model, **start.config)
    _load(network, start.weights, path)
    return network


def _same(network: RepairNetwork, other: RepairNetwork) -> bool:
    """Whether two networks give the same for a photo of random numbers. They may differ by 10⁻⁶ and no more, because a
    network that is hardly trained gives hardly more than its fill."""
    side, device = network.window, network.parameters()[0].data.device
    photo = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, side, side)
    mask[..., side // 3 : side // 2, side // 3 : side // 2] = 1

    def answer(asked: RepairNetwork) -> Array:
        was_training = asked.training
        with no_grad():
            given = asked.eval()((photo * (1 - mask)).to(device), mask.to(device)).data
        asked.train(was_training)
        return given

    return torch.allclose(answer(network), answer(other.to(device)), rtol=0, atol=1e-6)


def say_start(start: str) -> str:
    """What a run began with, in words."""
    return f"the weights of {start}" if start else "random weights"
