"""The books of a run: clock, progress bar, log, validations, and the files that they leave in its folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..models.weights import BEST, LAST, save_checkpoint
from .checkpoint import STATE, save_state, state_of
from .log import JsonLog
from .trainer import BaseTrainer
from .validation import Validation, Validator

#: Seconds between two writes of the state between validations.
SAVE_EVERY = 120.0


@dataclass(frozen=True)
class Interval:
    """A validation interval that has ended: number 0 ends before the first step, and its loss is not a number."""

    number: int
    step: int
    loss: float
    validation: Validation | None


class Books:
    """Enters what a run does: `interval` is the steps from one validation to the next, the others are as in `train`."""

    def __init__(
        self,
        trainer: BaseTrainer[Any],
        validator: Validator | None,
        interval: int,
        out: Path,
        log: JsonLog,
        bar: tqdm[Any],
        on_validation: Callable[[Interval], object],
    ) -> None:
        self.trainer, self.validator, self.interval = trainer, validator, interval
        self.out, self.log, self.bar, self.on_validation = out, log, bar, on_validation
        self.tick = self.saved = time.monotonic()

    def enter(self, loss: float, norm: float) -> None:
        """Enter a step that has just been done."""
        trainer, config, progress = self.trainer, self.trainer.config, self.trainer.progress
        seconds = self._clock()
        progress.trained += seconds
        rate = config.batch_size / seconds
        record = {"step": progress.steps, "loss": loss, "lr": trainer.optimizer.lr, "grad_norm": norm, "photos_s": rate}
        self.log.write(record | trainer.observed)
        done = progress.steps if config.steps is not None else progress.seconds
        self.bar.update(min(round(done), self.bar.total) - self.bar.n)
        self.bar.set_postfix(loss=f"{loss:.4f}", photos_s=f"{rate:.0f}", refresh=False)
        if time.monotonic() - self.saved > SAVE_EVERY:
            self.save_state()

    def validate_if_due(self) -> None:
        """Validate before the first step, after every interval, and at the end: log, keep the weights, save the state.

        A run by the clock passes over a validation that would leave less time for training than it takes itself.
        """
        progress, config, done = self.trainer.progress, self.trainer.config, self.trainer.done
        if progress.validated == progress.steps:
            return
        too_late = config.steps is None and progress.seconds_left(config) < progress.reserve
        if done >= 1 or (progress.steps % self.interval == 0 and not too_late):
            self._validate()

    def _validate(self) -> None:
        trainer, progress = self.trainer, self.trainer.progress
        validation = None
        if self.validator is not None:
            with trainer.ema.averaged():
                validation = self.validator(trainer.network)
        number = progress.validations + (progress.validated >= 0)
        loss = {"loss": progress.loss_sum / progress.loss_count} if progress.loss_count else {}
        metrics = loss | (validation.metrics if validation else {})
        self.log.write({"validation": number, "step": progress.steps, "seconds": progress.seconds, **metrics})
        if trainer.judge(validation.metrics if validation else None):
            save_checkpoint(self.out / BEST, trainer.weights(averaged=True, metrics=metrics))
        save_checkpoint(self.out / LAST, trainer.weights(averaged=False, metrics=loss))
        progress.validations, progress.validated = number, progress.steps
        progress.loss_sum, progress.loss_count = 0.0, 0
        self.on_validation(Interval(number, progress.steps, metrics.get("loss", float("nan")), validation))
        progress.reserve = self._clock()
        self.save_state()

    def save_state(self) -> None:
        """Save all that the run needs to go on from here."""
        save_state(self.out / STATE, state_of(self.trainer))
        self.saved = time.monotonic()

    def _clock(self) -> float:
        """Add the time since the last call to the run's, and return it."""
        now = time.monotonic()
        seconds, self.tick = now - self.tick, now
        self.trainer.progress.seconds += seconds
        return max(seconds, 1e-9)
