"""The weights of an earlier run that a run begins with in place of random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..core import Array, PhotomendError, StateDictError, no_grad
from ..models import AttentionModel, GanModel, RepairNetwork
from ..models.weights import Checkpoint, build_network, load_checkpoint

#: Settings of a network that may differ from those its weights were trained with.
FREE = {"window", "views"}


def load_initial(model: str, path: str, device: torch.device | str = "cpu") -> Checkpoint:
    """The weights in the run folder or weights file `path`, for a run of `model`: its own, or for gan attention's.

    Raises PhotomendError: no such weights, or another model's.
    """
    return load_checkpoint(Path(path), AttentionModel.name if model == GanModel.name else model, device)


def initial_settings(model: str, path: str) -> dict[str, Any]:
    """The network's settings that these weights were trained with; without `views`, which are for `reconstruct` alone.

    Raises what `load_initial` does.
    """
    return {key: value for key, value in load_initial(model, path).config.items() if key != "views"}


def warm_start(network: RepairNetwork, initial: Checkpoint, path: str) -> None:
    """Give `network` the weights `initial`, read from `path`; blocks that only the network has keep their own.

    So a deeper network goes on where a shallower one ended (Chen, Goodfellow & Shlens, *Net2Net* (2016)), as long as
    the new blocks change nothing at first, as a residual block whose last convolution is zero. Where the settings
    differ from the weights', both networks fill the same hole, and must give the same.

    Raises PhotomendError: the weights don't fit, or with these settings the network gives something else.
    """
    mine, theirs = network.config, initial.config
    other = [key for key in {**mine, **theirs} if key not in FREE and mine.get(key) != theirs.get(key)]
    _load(network, {**(network.state_dict() if other else {}), **initial.weights}, path)
    if not other:
        return
    earlier = build_network(Path(path), initial)
    earlier.to(network.parameters()[0].data.device)
    # A network that is hardly trained gives hardly more than its harmonic fill, so the two must be very close.
    if not torch.allclose(_answer(network, network.window), _answer(earlier, network.window), rtol=0, atol=1e-6):
        raise PhotomendError(
            f"{path}: with another {' and '.join(other)} the network gives something else than these weights gave; "
            "only blocks that change nothing at first may be added"
        )


def _load(network: RepairNetwork, weights: dict[str, Array], path: str) -> None:
    try:
        network.load_state_dict(weights)
    except StateDictError as error:
        raise PhotomendError(f"{path}: {error}") from error


def _answer(network: RepairNetwork, side: int) -> Array:
    """What a network fills into a hole in random noise of `side` pixels, in evaluation mode."""
    photo = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, side, side)
    mask[..., side // 3 : side // 2, side // 3 : side // 2] = 1
    device, was_training = network.parameters()[0].data.device, network.training
    with no_grad():
        answer = network.eval()((photo * (1 - mask)).to(device), mask.to(device)).data
    network.train(was_training)
    return answer
