"""What a model's name on the command line means: a classical fill, a run folder or a weights file."""

from __future__ import annotations

from pathlib import Path

import torch

from .. import models
from ..core import Module, PhotomendError, did_you_mean
from ..train.checkpoint import find_checkpoint, load_checkpoint
from ..train.evaluate import Reconstructor


def load_reconstructor(name: str, device: torch.device | str = "cpu") -> Reconstructor:
    """The model called `name`, ready to reconstruct on `device`.

    A name of `models.NAMES` is that model; anything else is a run folder (its best weights) or a weights file.

    Raises:
        PhotomendError: no such model or file (the nearest name is given), a damaged checkpoint, or a network's bare
            name: there are no trained weights behind it, and an untrained network repairs nothing.
    """
    if name in models.NAMES:
        if name in models.TRAINED:
            raise PhotomendError(
                f"model {name!r} has no weights yet: train it with `photomend train {name} --out RUN`"
                " and give the run folder as the model"
            )
        model = models.build(name)
    elif Path(name).exists():
        checkpoint = load_checkpoint(Path(name), device=device)
        if checkpoint.model not in models.TRAINED:
            raise PhotomendError(
                f"{find_checkpoint(Path(name))}: holds weights of {checkpoint.model!r}, which is no network here; "
                f"{did_you_mean(checkpoint.model, models.TRAINED)}"
            )
        try:
            model = models.build(checkpoint.model, **checkpoint.config)
            model.load_state_dict(checkpoint.weights)
        except PhotomendError as error:
            raise PhotomendError(f"{find_checkpoint(Path(name))}: {error}") from error
    else:
        raise PhotomendError(f"no model, run folder or weights file {name!r}; {did_you_mean(name, models.NAMES)}")
    if isinstance(model, Module):
        model.to(torch.device(device))
        model.eval()
    return model
