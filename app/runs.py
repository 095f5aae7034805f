"""A training run as people see it: a line and two figures after each validation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from tqdm import tqdm

from ..models import HarmonicFill
from ..train.books import Interval
from ..train.log import by_kind, read_log
from ..train.loop import LOG
from ..train.validation import Validation, Validator
from .figures import loss_curve, reconstruction_grid, to_photo

LOSS_FIGURE, GRID_FIGURE = "loss.png", "reconstructions.png"


def show_validations(out: Path, validator: Validator, untrained: str) -> Callable[[Interval], None]:
    """What `train` calls after each validation of the run in `out`: a line on standard output, and new figures.

    The errors of the harmonic fill stand beside the network's: they are the bar. `untrained` says what the network is
    before its first step.
    """

    @cache
    def harmonic_errors() -> dict[str, float]:
        return validator(HarmonicFill()).metrics

    def show(interval: Interval) -> None:
        harmonic = harmonic_errors()
        line = f"validation {interval.number}  step {interval.step}"
        line += f"  loss {interval.loss:.4f}" if interval.number else f"  ({untrained})"
        if interval.validation is not None:
            metrics = interval.validation.metrics
            line += f"  MSE {metrics['mse']:.2f} (harmonic {harmonic['mse']:.2f})"
            line += f"  MAE {metrics['mae']:.3f} ({harmonic['mae']:.3f})"
            line += f"  hole MAE {metrics['hole_mae']:.2f}  sharpness {metrics['sharpness']:.2f}"
            draw_reconstructions(interval.validation, interval.step, out / GRID_FIGURE)
        tqdm.write(line)
        draw_losses(out / LOG, harmonic["mse"], out / LOSS_FIGURE)

    return show


def draw_losses(log: Path, harmonic_mse: float, path: Path) -> None:
    """The loss curve of a run's log."""
    steps, validations = by_kind(read_log(log))
    # By step, because a run that was killed repeats the steps since its last state when it is resumed.
    losses = {record["step"]: record["loss"] for record in steps}
    errors = {record["step"]: record for record in validations}
    validation = {
        f"validation {key.upper()}": [(step, errors[step][key]) for step in sorted(errors) if key in errors[step]]
        for key in ("mse", "mae")
    }
    loss_curve(sorted(losses.items()), validation, path, {"harmonic": harmonic_mse})


def draw_reconstructions(validation: Validation, step: int, path: Path) -> None:
    """The photos that validation shows: masked, rebuilt, truth."""
    shown = validation.shown
    rows = [[to_photo(s.masked), to_photo(s.rebuilt), to_photo(s.truth)] for s in shown]
    labels = [Path(s.name).stem for s in shown]
    reconstruction_grid(rows, ["masked", f"rebuilt at step {step}", "truth"], path, labels)
