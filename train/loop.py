"""The training loop, written by hand: steps, and around them the books of a run.

A run is epochs; an epoch is steps and then a validation, which may give new best weights. After each epoch, and every
two minutes within one, the state is saved from which a run that was cut goes on as if it had never stopped.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..core import PhotomendError, replacing, runtime
from ..data.loader import CropLoader
from ..data.photos import SkippedPhotoWarning, say_skipped
from ..data.sources import PhotoSource, names_digest, require_readable
from ..models.weights import BEST, LAST, save_checkpoint
from .adversarial import AdversarialConfig, AdversarialTrainer
from .checkpoint import STATE, save_state
from .config import RunConfig, TrainConfig
from .interrupt import stop_requests
from .log import JsonLog, forget_after
from .trainer import BaseTrainer, Trainer
from .validation import Validation, Validator

CONFIG, LOG = "config.json", "log.jsonl"
#: Seconds between two writes of the state within an epoch.
SAVE_EVERY = 120.0


@dataclass(frozen=True)
class Epoch:
    """What `on_epoch` is told: number 0 is the network before its first step, whose loss is not a number."""

    number: int
    step: int
    loss: float
    validation: Validation | None


def train(
    config: RunConfig,
    photos: PhotoSource,
    validator: Validator | None,
    out: Path,
    *,
    resume: bool = False,
    device: torch.device | str = "cpu",
    on_epoch: Callable[[Epoch], object] = lambda epoch: None,
    quiet: bool = False,
) -> BaseTrainer[Any]:
    """Train a network and leave a run folder: config.json, log.jsonl, best, last and state (safetensors).

    Args:
        config: the settings.
        photos: what is trained on.
        validator: what the averaged weights are validated on, before the first step and after each epoch; the best are
            kept. Without one the last are the best.
        out: the run folder; made if it isn't there.
        resume: go on with the run that is in `out`.
        device: where it runs.
        on_epoch: told about each validated epoch; draws the figures.
        quiet: no progress bar.

    Raises:
        PhotomendError: `out` holds a run already, or (resuming) none, a finished one, or one of other settings; no
            photos; the loss is no longer a number.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after the step in hand is finished and the state is saved.
    """
    if not resume and any((out / name).exists() for name in (STATE, LAST, BEST, LOG)):
        raise PhotomendError(f"{out}: holds a run already; resume it, or choose another folder")
    trainer = make_trainer(config, device)
    trainer.photos = {"origin": photos.origin, "digest": names_digest(photos)}
    if resume:
        trainer.load(out / STATE)
        if trainer.progress >= 1 and trainer.validated == trainer.steps:
            raise PhotomendError(f"{out}: {trainer.ending}")
    else:
        trainer.begin()
    loader = CropLoader(
        photos,
        config.batch_size,
        trainer.network.window,
        config.seed,
        config.workers,
        start_step=trainer.steps,
        holes=config.holes,
    )
    require_readable(photos)
    if validator is not None:
        validator.read()
    runtime.keep_freed_memory()
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        save_state(out / STATE, trainer.state())
    with replacing(out / CONFIG) as draft:
        draft.write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
    forget_after(out / LOG, trainer.steps)
    with JsonLog(out / LOG) as log:
        _Run(trainer, loader, validator, out, log, on_epoch, quiet).go()
    if loader.skipped:
        warnings.warn(say_skipped(len(loader.skipped), len(photos)), SkippedPhotoWarning, stacklevel=2)
    return trainer


def make_trainer(config: RunConfig, device: torch.device | str = "cpu") -> BaseTrainer[Any]:
    """The trainer for a run of these settings."""
    if isinstance(config, AdversarialConfig):
        return AdversarialTrainer(config, device)
    if isinstance(config, TrainConfig) and config.model != AdversarialConfig.model:
        return Trainer(config, device)
    raise PhotomendError(f"training: {config.model} trains against a discriminator, with an AdversarialConfig")


class _Run:
    """The books of a run: clock, bar, log, epochs, checkpoints."""

    def __init__(
        self,
        trainer: BaseTrainer[Any],
        loader: CropLoader,
        validator: Validator | None,
        out: Path,
        log: JsonLog,
        on_epoch: Callable[[Epoch], object],
        quiet: bool,
    ) -> None:
        self.trainer, self.validator, self.out, self.log, self.on_epoch = trainer, validator, out, log, on_epoch
        self.config = trainer.config
        self.epoch_steps = self.config.epoch_steps or max(50, loader.steps_per_epoch)
        self.batches = loader.batches()
        self.tick = self.saved = time.monotonic()
        unit = "step" if self.config.steps is not None else "s"
        self.bar = tqdm(total=round(self.config.total), unit=unit, disable=True if quiet else None, dynamic_ncols=True)

    def go(self) -> None:
        try:
            with stop_requests() as stop_requested:
                if self._epoch_is_due():
                    self._finish_epoch()
                while self.trainer.progress < 1:
                    self._step()
                    if stop_requested():
                        self._save_state()
                        raise KeyboardInterrupt
                    if self._epoch_is_due():
                        self._finish_epoch()
        finally:
            self.bar.close()
            self.batches.close()

    def _step(self) -> None:
        trainer = self.trainer
        batch = next(self.batches)
        loss, norm = trainer.step(batch.photo.to(trainer.device), batch.mask.to(trainer.device))
        seconds = self._clock()
        trainer.trained += seconds
        rate = self.config.batch_size / seconds
        record = {"step": trainer.steps, "loss": loss, "lr": trainer.optimizer.lr, "grad_norm": norm, "photos_s": rate}
        self.log.write(record | trainer.observed)
        done = trainer.steps if self.config.steps is not None else trainer.seconds
        self.bar.update(min(round(done), self.bar.total) - self.bar.n)
        self.bar.set_postfix(loss=f"{loss:.4f}", photos_s=f"{rate:.0f}", refresh=False)
        if time.monotonic() - self.saved > SAVE_EVERY:
            self._save_state()

    def _epoch_is_due(self) -> bool:
        """Whether to validate now: before the first step, after every `epoch_steps`, and at the end.

        A run by the clock passes over a validation that would leave less time for training than it takes itself.
        """
        trainer = self.trainer
        if trainer.validated == trainer.steps:
            return False
        if trainer.progress >= 1:
            return True
        too_late = self.config.steps is None and trainer.seconds_left < trainer.reserve
        return trainer.steps % self.epoch_steps == 0 and not too_late

    def _finish_epoch(self) -> None:
        """Validate, log, keep the weights, save the state; an epoch counts when all of that is done."""
        trainer = self.trainer
        validation = self._validate()
        number = trainer.epochs if trainer.validated < 0 else trainer.epochs + 1
        loss = {"loss": trainer.loss_sum / trainer.loss_count} if trainer.loss_count else {}
        metrics = loss | (validation.metrics if validation else {})
        self.log.write({"epoch": number, "step": trainer.steps, "seconds": trainer.seconds, **metrics})
        if trainer.judge(validation.metrics if validation else None):
            save_checkpoint(self.out / BEST, trainer.checkpoint(averaged=True, metrics=metrics))
        save_checkpoint(self.out / LAST, trainer.checkpoint(averaged=False, metrics=loss))
        trainer.epochs, trainer.validated = number, trainer.steps
        trainer.loss_sum, trainer.loss_count = 0.0, 0
        self.on_epoch(Epoch(number, trainer.steps, metrics.get("loss", float("nan")), validation))
        trainer.reserve = self._clock()
        self._save_state()

    def _validate(self) -> Validation | None:
        """The averaged weights' errors; the network itself is as before afterwards."""
        if self.validator is None:
            return None
        with self.trainer.ema.averaged():
            return self.validator(self.trainer.network)

    def _clock(self) -> float:
        """Add the time since the last call to the run's, and return it."""
        now = time.monotonic()
        seconds, self.tick = now - self.tick, now
        self.trainer.seconds += seconds
        return max(seconds, 1e-9)

    def _save_state(self) -> None:
        save_state(self.out / STATE, self.trainer.state())
        self.saved = time.monotonic()
