"""Trainers of all kinds in a small size, on any device, and what a step of theirs asks of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from photomend import models
from photomend.core import Array
from photomend.models.weights import Checkpoint, save_checkpoint
from photomend.tests.models.holes import crops
from photomend.train.adversarial import AdversarialTrainer
from photomend.train.config import AdversarialConfig, TrainConfig
from photomend.train.trainer import BaseTrainer, Trainer

from .device import Event

SIDE = 48
#: The most that the host may read back in a step: the mask, to find its holes; whether holes that are no rectangles
#: are filled; the loss, the norm and what else goes to the log.
MOST = 3
SMALL: dict[str, dict[str, Any]] = {
    "linear": {"window": SIDE},
    "cnn": {"width": 4, "window": SIDE},
    "attention": {"width": 8, "dilations": [1], "window": SIDE},
    "attention-report": {"width": 16, "window": SIDE},  # 16 channels at least for each hidden unit of its attention
}
SETTINGS: dict[str, dict[str, Any]] = {
    **{model: {"model": model} for model in SMALL},
    "attention, recomputed": {"model": "attention", "recompute": True},
    "attention-report, recomputed": {"model": "attention-report", "recompute": True},
    "attention in bfloat16": {"model": "attention", "precision": "bfloat16"},
    "cnn in bfloat16": {"model": "cnn", "precision": "bfloat16"},
    "attention in tf32": {"model": "attention", "precision": "tf32"},
    **{f"cnn by {name}": {"model": "cnn", "optimizer": name} for name in ("sgd", "adam", "muon")},
    "gan": {},
}


@cache
def trained() -> Path:
    """The weights of an attention model that has learned something, though nothing useful."""
    torch.manual_seed(0)
    network = models.build("attention", **SMALL["attention"])
    network.head[2].weight.data.normal_(0, 0.05)
    path = Path(mkdtemp()) / "attention.safetensors"
    save_checkpoint(path, Checkpoint("attention", network.state_dict(), network.config))
    return path


def trainer(name: str, device: torch.device | str) -> BaseTrainer[Any]:
    """The trainer of one of the SETTINGS; tf32, which no CPU has, is float32 there."""
    run: dict[str, Any] = {"steps": 10, "batch_size": 2}
    made: BaseTrainer[Any]
    if name == "gan":
        config = AdversarialConfig(initial_weights=str(trained()), model_config=SMALL["attention"], **run)
        made = AdversarialTrainer(config, device)
    else:
        settings = SETTINGS[name] | run
        if device == "cpu" and settings.get("precision") == "tf32":
            settings["precision"] = "float32"
        made = Trainer(TrainConfig(model_config=SMALL[settings["model"]], **settings), device)
    made.begin()
    return made


def batch(irregular: bool = False) -> tuple[Array, Array]:
    """Two crops with a rectangular hole each, or with an L and specks."""
    photo, mask = crops(2, SIDE, dtype=torch.float32)
    if irregular:
        mask[:] = 0
        mask[:, :, 3:40, 3:30] = mask[:, :, 16:40, 3:42] = mask[:, :, 2:44:6, 45] = 1
    return photo, mask


def step(made: BaseTrainer[Any], irregular: bool = False, events: list[Event] | None = None) -> list[float]:
    """The loss, the norm and what else was seen in a step; `events` are of the step alone."""
    photo, mask = (array.to(made.device) for array in batch(irregular))
    if events is not None:
        events.clear()
    return [*made.step(photo, mask), *made.observed.values()]
