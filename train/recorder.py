"""What a run leaves behind while it goes on: log, progress bar, validations, weights and state.

After each validation, and every two minutes in between, the state is saved from which a stopped run is resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..models.weights import BEST, LAST, save_checkpoint
from .anomaly import require_finite_weights
from .checkpoint import STATE, save_state, state_of
from .distributed import of_first
from .log import Log
from .trainer import BaseTrainer
from .validation import Validation

#: Seconds between two writes of the state between validations.
SAVE_EVERY = 120.0


@dataclass(frozen=True)
class Interval:
    """A validation interval that has ended: number 0 ends before the first step, and its loss is not a number."""

    number: int
    step: int
    loss: float
    validation: Validation | None


@dataclass
class Recorder:
    """What a run leaves behind: its log, progress bar, validations, weights and state, and the time that it took.

    `interval` is the steps from one validation to the next, the others are as in `train`; a run without a folder `out`
    leaves no files. Of several ranks each has one, they go by rank 0's clock, and only rank 0 leaves something.
    """

    trainer: BaseTrainer[Any]
    validator: Callable[[Any], Validation] | None
    interval: int
    out: Path | None
    log: Log
    bar: tqdm[Any]
    on_validation: Callable[[Interval], object]
    tick: float = field(default_factory=time.monotonic)  # when the run's time was last added up
    saved: float = field(init=False)  # how old the run was when its state was last saved

    def __post_init__(self) -> None:
        self.saved = self.trainer.progress.seconds

    def record_step(self, loss: float, norm: float) -> None:
        """Log a step that has just been done, and save the state now and then."""
        trainer, config, progress = self.trainer, self.trainer.config, self.trainer.progress
        seconds = self._clock()
        progress.trained += seconds
        speed = {"photos_s": config.batch_size / seconds} if trainer.timed else {}
        record = {"step": progress.steps, "loss": loss, "lr": trainer.optimizer.lr, "grad_norm": norm}
        self.log.write(record | speed | trainer.observed)
        so_far = progress.steps if config.steps is not None else progress.seconds
        self.bar.update(min(round(so_far), self.bar.total) - self.bar.n)
        self.bar.set_postfix(loss=f"{loss:.4f}", **{name: f"{rate:.0f}" for name, rate in speed.items()}, refresh=False)
        if progress.seconds - self.saved > SAVE_EVERY:
            self.save_state()

    def validate_if_due(self) -> None:
        """Validate before the first step, after every interval, and at the end: log, keep the weights, save the state.

        A run by the clock passes over a validation that would leave less time for training than it takes itself.
        """
        trainer, progress = self.trainer, self.trainer.progress
        too_late = trainer.config.steps is None and progress.seconds_left(trainer.config) < progress.reserve
        due = trainer.fraction >= 1 or (progress.steps % self.interval == 0 and not too_late)
        if progress.validated == progress.steps or not due:
            return
        require_finite_weights(trainer)
        validation = None
        if self.validator is not None:
            with trainer.averaged() as network:
                validation = self.validator(network)
        number = progress.validations + (progress.validated >= 0)
        loss = {"loss": progress.loss_sum / progress.loss_count} if progress.loss_count else {}
        metrics = loss | (validation.metrics if validation else {})
        seconds = {"seconds": progress.seconds} if trainer.timed else {}
        self.log.write({"validation": number, "step": progress.steps, **seconds, **metrics})
        best = trainer.after_validation(validation.metrics if validation else None)
        if self.out is not None:
            if best:
                save_checkpoint(self.out / BEST, trainer.weights(averaged=True, metrics=metrics))
            save_checkpoint(self.out / LAST, trainer.weights(averaged=False, metrics=loss))
        progress.validations, progress.validated = number, progress.steps
        progress.loss_sum, progress.loss_count = 0.0, 0
        self.on_validation(Interval(number, progress.steps, metrics.get("loss", float("nan")), validation))
        progress.reserve = self._clock()
        self.save_state()

    def save_state(self) -> None:
        """Save the state, after the records that it has made: what is logged later is logged again by a resumed run."""
        state = state_of(self.trainer)
        if self.out is not None:
            require_finite_weights(self.trainer)
            self.log.sync()
            save_state(self.out / STATE, state)
        self.saved = self.trainer.progress.seconds

    def _clock(self) -> float:
        """Add the time since the last call to the run's, and return it."""
        now = time.monotonic()
        (seconds,) = of_first(now - self.tick)
        self.tick = now
        self.trainer.progress.seconds += seconds
        return max(seconds, 1e-9)
