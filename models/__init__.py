"""Models: classical fills, and networks that are compositions of layers and nothing else.

Every model has ``reconstruct(masked, mask)``: photos (N, 3, H, W) in [0, 1] and masks (N, 1, H, W), 1 = missing, to
photos (N, 3, H, W) whose known pixels are untouched.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..core import PhotomendError, did_you_mean
from .attention import AttentionModel, GanModel
from .attention_report import AttentionReportModel
from .biharmonic import BiharmonicFill
from .classical import BorderFill, NavierStokesFill, RandomFill, TeleaFill
from .cnn import BasicNetwork
from .exemplar import ExemplarFill
from .harmonic import HarmonicFill
from .linear import LinearModel
from .network import RepairNetwork

_BUILDERS: dict[str, Callable[..., Any]] = {
    made.name: made
    for made in (
        *(RandomFill, BorderFill, HarmonicFill, TeleaFill, NavierStokesFill, BiharmonicFill, ExemplarFill),
        *(LinearModel, BasicNetwork, AttentionModel, AttentionReportModel, GanModel),
    )
}

#: Every model's name, as the command line takes it.
NAMES = tuple(_BUILDERS)
#: The names of those that are trained.
TRAINED = tuple(name for name, made in _BUILDERS.items() if isinstance(made, type) and issubclass(made, RepairNetwork))


def build(name: str, /, **config: Any) -> Any:
    """The model called `name`, built with the settings `config` (a network with fresh random weights).

    Raises:
        PhotomendError: no model of that name, or no such setting; the nearest one is named. Or a setting's value
            does not fit.
    """
    if name not in _BUILDERS:
        raise PhotomendError(f"model {name!r} is unknown; {did_you_mean(name, NAMES)}")
    settings = tuple(inspect.signature(_BUILDERS[name]).parameters)
    for key in config:
        if key not in settings:
            raise PhotomendError(f"model {name!r} has no setting {key!r}; {did_you_mean(key, settings)}")
    try:
        return _BUILDERS[name](**config)
    except (ValueError, TypeError) as error:
        raise PhotomendError(f"model {name!r}: {error}") from error


__all__ = [
    "NAMES",
    "TRAINED",
    "AttentionModel",
    "AttentionReportModel",
    "BasicNetwork",
    "BiharmonicFill",
    "BorderFill",
    "ExemplarFill",
    "GanModel",
    "HarmonicFill",
    "LinearModel",
    "RandomFill",
    "RepairNetwork",
    "build",
]


def __dir__() -> list[str]:
    return sorted(__all__)
