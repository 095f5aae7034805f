"""A training run as people see it: a line and two figures after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..data.evaluation_set import EvaluationSet
from ..data.sources import PhotoSource
from ..models import HarmonicFill
from ..train.adversarial import AdversarialConfig
from ..train.config import RunConfig
from ..train.log import read_log
from ..train.loop import LOG, Epoch, train
from ..train.trainer import BaseTrainer
from ..train.validation import Validation, Validator
from .comparison import to_photo
from .figures import loss_curve, reconstruction_grid

LOSS_FIGURE, GRID_FIGURE = "loss.png", "reconstructions.png"


def train_and_show(
    config: RunConfig, photos: PhotoSource, validation: PhotoSource, out: Path, resume: bool, device: torch.device
) -> BaseTrainer[Any]:
    """`train`, with a line on standard output and new figures in `out` after each epoch.

    The validation errors of the harmonic fill stand beside the network's: they are the bar. Raises what
    `train` does.
    """
    validator = Validator(EvaluationSet(validation, limit=config.validation_photos), device)
    began = "as it began" if isinstance(config, AdversarialConfig) else "not trained yet"
    reporter = epoch_reporter(out, validator, began)
    return train(config, photos, validator, out, resume=resume, device=device, on_epoch=reporter)


def epoch_reporter(out: Path, validator: Validator, began: str) -> Callable[[Epoch], None]:
    """What to do after each epoch of the run in `out`; before its first step the network is what `began` says."""

    @cache
    def harmonic_errors() -> dict[str, float]:
        return validator(HarmonicFill()).metrics

    def report_epoch(epoch: Epoch) -> None:
        harmonic = harmonic_errors()
        line = f"epoch {epoch.number}  step {epoch.step}"
        line += f"  loss {epoch.loss:.4f}" if epoch.number else f"  ({began})"
        if epoch.validation is not None:
            metrics = epoch.validation.metrics
            line += f"  validation MSE {metrics['mse']:.2f} (harmonic {harmonic['mse']:.2f})"
            line += f"  MAE {metrics['mae']:.3f} ({harmonic['mae']:.3f})"
            line += f"  hole MAE {metrics['hole_mae']:.2f}  sharpness {metrics['sharpness']:.2f}"
            draw_reconstructions(epoch.validation, epoch.step, out / GRID_FIGURE)
        tqdm.write(line)
        draw_losses(out / LOG, harmonic["mse"], out / LOSS_FIGURE)

    return report_epoch


def draw_losses(log: Path, harmonic_mse: float, path: Path) -> None:
    """The loss curve of a run's log."""
    records = read_log(log)
    # By step, because a run that was killed repeats the steps since its last state when it is resumed.
    losses = {record["step"]: record["loss"] for record in records if "epoch" not in record}
    epochs = {record["step"]: record for record in records if "epoch" in record}
    validation = {
        f"validation {key.upper()}": [(step, epochs[step][key]) for step in sorted(epochs) if key in epochs[step]]
        for key in ("mse", "mae")
    }
    loss_curve(sorted(losses.items()), validation, path, {"harmonic": harmonic_mse})


def draw_reconstructions(validation: Validation, step: int, path: Path) -> None:
    """The photos that validation shows: masked, rebuilt, truth."""
    shown = validation.shown
    rows = [[to_photo(s.masked), to_photo(s.rebuilt), to_photo(s.truth)] for s in shown]
    labels = [Path(s.name).stem for s in shown]
    reconstruction_grid(rows, ["masked", f"rebuilt at step {step}", "truth"], path, labels)
