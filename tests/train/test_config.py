"""Settings that a run refuses before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from photomend.core import PhotomendError
from photomend.train.config import TrainConfig

from .runs import config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": None}, "as steps or as minutes"),
        ({"minutes": 1.0}, "as steps or as minutes"),
        ({"batch_size": 0}, r"batch_size \(=0\) must be above 0"),
        ({"holes": 0}, r"holes \(=0\) must be above 0"),
        ({"lr": float("nan")}, r"lr \(=nan\) must be a number"),
        ({"steps": None, "minutes": float("inf")}, r"minutes \(=inf\) must be a number"),
        ({"seed": -1}, r"seed \(=-1\) must not be negative"),
        ({"model_config": "wide"}, r"model_config \(=.wide.\) must be a table"),
        ({"weight_decay": -1.0}, r"weight_decay \(=-1.0\) must not be negative"),
        ({"ema": 1.0}, r"ema \(=1.0\) must be from 0 to 0.999999"),
        ({"optimizer": "adamm"}, r"optimizer \(=adamm\) must be one of adamw, adam, sgd"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PhotomendError, match=message):
        config(**settings)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 5, "batchsize": 3}, "file.toml: unknown key 'batchsize'; did you mean 'batch_size'"),
        ({"steps": 5, "epoch_steps": 9}, "file.toml: 'epoch_steps' is called 'validation_interval' now"),
        ({"steps": 5, "start": "run"}, "file.toml: 'start' is called 'initial_weights' now"),
        ({"steps": 5.5}, r"file.toml: steps \(=5.5\) must be a whole number"),
        ({"steps": 5, "lr": "fast"}, r"file.toml: lr \(='fast'\) must be a number"),
        ({"steps": 5, "lr": True}, r"lr \(=True\) must be a number"),
    ],
)
def test_settings_from_a_file(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PhotomendError, match=message):
        TrainConfig.from_dict(values, "file.toml")
