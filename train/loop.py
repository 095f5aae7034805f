"""The training loop, written by hand, which leaves a run folder.

After each validation, and every two minutes in between, the state is saved from which a stopped run is resumed.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..core import Array, PhotomendError, replacing, runtime
from ..core.anomaly import AnomalyError
from ..core.files import write_chunks
from ..data.loader import CropLoader
from ..data.photos import SkippedPhotoWarning, say_skipped
from ..data.sources import PhotoSource, names_digest, require_readable
from ..models.weights import BEST, LAST, save_checkpoint
from .adversarial import AdversarialTrainer
from .anomaly import explain, require_finite_weights
from .checkpoint import STATE, restore, run_folder, save_state, state_of
from .config import AdversarialConfig, TrainConfig
from .log import LOG, JsonLog, Log
from .stopping import stop_requests
from .trainer import BaseTrainer, PhotoTrainer, Trainer
from .validation import Validation, Validator

CONFIG = "config.json"
#: Seconds between two writes of the state between validations.
SAVE_EVERY = 120.0


@dataclass(frozen=True)
class Interval:
    """A validation interval that has ended: number 0 ends before the first step, and its loss is not a number."""

    number: int
    step: int
    loss: float
    validation: Validation | None


def train(
    config: TrainConfig | AdversarialConfig,
    photos: PhotoSource,
    validator: Validator | None,
    out: Path,
    *,
    resume: bool = False,
    device: torch.device | str = "cpu",
    on_validation: Callable[[Interval], object] = lambda interval: None,
    quiet: bool = False,
) -> PhotoTrainer[Any]:
    """Train a network and leave a run folder: config.json, log.jsonl, best, last and state (safetensors).

    Args:
        photos: what is trained on.
        validator: what the averaged weights are validated on, before the first step and after each interval; the best
            are kept. Without one the last are the best.
        out: the run folder; made if it isn't there.
        resume: go on with the run that is in `out`.
        on_validation: told about each interval that has ended; draws the figures.
        quiet: no progress bar.

    Raises:
        PhotomendError: `out` holds a run already, or (resuming) none, a finished one, or one of other settings; another
            process is training there; no photos; the loss is no longer a number; the disk refuses a file.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after the step in hand is finished and the state is saved.
    """
    with run_folder(out, resume):
        return _train(config, photos, validator, out, resume, device, on_validation, quiet)


def _train(
    config: TrainConfig | AdversarialConfig,
    photos: PhotoSource,
    validator: Validator | None,
    out: Path,
    resume: bool,
    device: torch.device | str,
    on_validation: Callable[[Interval], object],
    quiet: bool,
) -> PhotoTrainer[Any]:
    """`train` in a folder that no other process writes to."""
    trainer: PhotoTrainer[Any]
    trainer = AdversarialTrainer(config, device) if isinstance(config, AdversarialConfig) else Trainer(config, device)
    trainer.photos = {"origin": photos.origin, "digest": names_digest(photos)}
    if resume:
        go_on(trainer, out)
    else:
        trainer.begin()
    window, start = trainer.network.window, trainer.progress.steps
    loader = CropLoader(
        photos, config.batch_size, window, config.seed, config.workers, start_step=start, holes=config.holes
    )
    require_readable(photos)
    if validator is not None:
        validator.read()
    runtime.keep_freed_memory()
    # The settings first: a folder that has them alone holds no run yet.
    with replacing(out / CONFIG) as draft:
        write_chunks(draft, [(json.dumps(config.to_dict(), indent=2) + "\n").encode()])
    if not resume:
        save_state(out / STATE, state_of(trainer))
    interval = config.validation_interval or max(50, loader.steps_per_epoch)
    unit = "step" if config.steps is not None else "s"
    with (
        JsonLog(out / LOG, trainer.progress.steps, trainer.progress.validated) as log,
        tqdm(total=round(config.total), unit=unit, disable=True if quiet else None, dynamic_ncols=True) as bar,
        closing(iter(loader)) as batches,
    ):
        run(trainer, batches, Recorder(trainer, validator, interval, out, log, bar, on_validation), loader.names)
    if loader.skipped:
        warnings.warn(say_skipped(len(loader.skipped), len(photos)), SkippedPhotoWarning, stacklevel=2)
    return trainer


def go_on(trainer: BaseTrainer[Any], out: Path) -> None:
    """Bring a trainer to where the run in this folder stopped. Raises PhotomendError: what `restore` raises, or the run
    is finished."""
    restore(trainer, out / STATE)
    if trainer.fraction >= 1 and trainer.progress.validated == trainer.progress.steps:
        raise PhotomendError(f"{out}: {trainer.ending}")


def run(
    trainer: BaseTrainer[Any],
    batches: Iterator[Sequence[Array]],
    recorder: Recorder,
    names: Callable[[int], Sequence[str]] = lambda step: (),
) -> None:
    """The loop: one step after another until the run is used up, each recorded; validations in between.

    `names` are those of a step's photos, for messages. Raises PhotomendError where the loss or a weight is no longer a
    number. Raises KeyboardInterrupt on Ctrl-C or SIGTERM, after the step in hand is finished and the state is saved.
    """
    with stop_requests() as stop_requested:
        recorder.validate_if_due()
        while trainer.fraction < 1:
            batch = tuple(array.to(trainer.device) for array in next(batches))
            try:
                loss, norm = trainer.step(*batch)
            except AnomalyError as error:
                raise explain(trainer, batch, error, names(trainer.progress.steps)) from error
            recorder.record_step(loss, norm)
            if stop_requested():
                recorder.save_state()
                raise KeyboardInterrupt
            recorder.validate_if_due()


@dataclass
class Recorder:
    """What a run leaves behind: its log, progress bar, validations, weights and state, and the time that it took.

    `interval` is the steps from one validation to the next, the others are as in `train`; a run without a folder `out`
    leaves no files.
    """

    trainer: BaseTrainer[Any]
    validator: Callable[[Any], Validation] | None
    interval: int
    out: Path | None
    log: Log
    bar: tqdm[Any]
    on_validation: Callable[[Interval], object]
    tick: float = field(default_factory=time.monotonic)  # when the run's time was last added up
    saved: float = field(default_factory=time.monotonic)  # when its state was last saved

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
        if time.monotonic() - self.saved > SAVE_EVERY:
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
        if self.out is not None:
            require_finite_weights(self.trainer)
            self.log.sync()
            save_state(self.out / STATE, state_of(self.trainer))
        self.saved = time.monotonic()

    def _clock(self) -> float:
        """Add the time since the last call to the run's, and return it."""
        now = time.monotonic()
        seconds, self.tick = now - self.tick, now
        self.trainer.progress.seconds += seconds
        return max(seconds, 1e-9)
