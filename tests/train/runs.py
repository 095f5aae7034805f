"""Short runs of a small network, as several tests need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from photomend.data.evaluation_set import EvaluationSet
from photomend.data.sources import FolderSource
from photomend.train.config import AdversarialConfig, TrainConfig
from photomend.train.loop import train
from photomend.train.trainer import PhotoTrainer
from photomend.train.validation import Validator

TINY = {"width": 16, "dilations": [1, 2], "window": 64}


def config(**settings: Any) -> TrainConfig:
    given = {"model_config": TINY, "steps": 6, "batch_size": 2, "workers": 0, "validation_interval": 3, **settings}
    return TrainConfig(**given)


def run(
    settings: TrainConfig | AdversarialConfig, photos: FolderSource, out: Path, **options: Any
) -> PhotoTrainer[Any]:
    return train(settings, photos, Validator(EvaluationSet(photos)), out, quiet=True, **options)
