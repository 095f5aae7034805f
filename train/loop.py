"""The training loop, written by hand.

What every step does is in `Trainer.step`, ten lines that read like the textbook's algorithm; the rest keeps the
books: validation after each epoch, the log, the checkpoints, and a state from which a run that was cut goes on.
Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), algorithm 8.1 and §8.7.3.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from .. import models
from ..core import PhotomendError, runtime
from ..data.loader import Batch, CropLoader, EvaluationSet
from ..data.sources import PhotoSource
from .checkpoint import BEST, LAST, STATE, Checkpoint, load_state, save_checkpoint, save_state
from .clip import clip_grad_norm
from .config import TrainConfig
from .ema import EMA
from .log import JsonLog
from .losses import hole_loss
from .validation import Validation, Validator

CONFIG, LOG = "config.json", "log.jsonl"
#: Seconds between two writes of the state within an epoch.
SAVE_EVERY = 120.0


@dataclass(frozen=True)
class Epoch:
    """What `on_epoch` is told when an epoch has been validated."""

    number: int
    step: int
    loss: float
    validation: Validation | None


class Trainer:
    """A network in training: its weights, their average, the optimizer, and how far the run has come."""

    def __init__(self, config: TrainConfig, device: torch.device | str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        runtime.seed_everything(config.seed)
        self.network = models.build(config.model, **config.model_config)
        if not isinstance(self.network, models.RepairNetwork):
            raise PhotomendError(
                f"model {config.model!r} has nothing to train; choose from {', '.join(models.TRAINED)}"
            )
        self.network.to(self.device)
        self.parameters = self.network.parameters()
        self.optimizer = config.make_optimizer(self.parameters)
        self.schedule = config.make_schedule()
        self.ema = EMA(self.network, config.ema)
        self.steps = 0
        self.seconds = 0.0
        self.epochs = 0
        self.best = math.inf

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        done = self.steps if self.config.steps is not None else self.seconds
        return min(1.0, done / self.config.total)

    def step(self, photo: torch.Tensor, mask: torch.Tensor) -> tuple[float, float]:
        """One step on crops (N, 3, S, S) with holes (N, 1, S, S); returns the loss and the gradients' norm.

        Raises:
            PhotomendError: the loss is no longer a number; the weights are left as they were before.
        """
        self.optimizer.zero_grad()
        masked = photo * (1 - mask)
        prediction = self.network(masked, mask)
        loss = hole_loss(prediction, photo, mask, mse_weight=self.config.mse_weight, mae_weight=self.config.mae_weight)
        loss.backward()
        norm = clip_grad_norm(self.parameters, self.config.clip)
        if not math.isfinite(norm):
            raise PhotomendError(f"training: gradients are {norm} at step {self.steps}; a lower lr may help")
        self.optimizer.lr = self.schedule(10_000 * self.progress)
        self.optimizer.step()
        self.ema.update()
        self.steps += 1
        return loss.item(), norm

    def weights(self, averaged: bool, metrics: dict[str, float]) -> Checkpoint:
        """The weights as a checkpoint: the averaged ones, or those of the last step."""
        arrays = self.ema.weights if averaged else self.network.state_dict()
        return Checkpoint(self.config.model, arrays, self.network.config, self.steps, metrics)

    def state(self) -> dict[str, Any]:
        """Everything that a run needs to go on as if it had never stopped."""
        return {
            "model": self.config.model,
            "progress": {"steps": self.steps, "seconds": self.seconds, "epochs": self.epochs},
            "best": self.best if math.isfinite(self.best) else None,
            "weights": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load(self, path: Path) -> None:
        """Go on from a state that `state` gave.

        Raises:
            PhotomendError: no such state, a damaged one, or one of another model or another configuration of it.
        """
        state = load_state(path)
        if state["model"] != self.config.model:
            raise PhotomendError(f"{path}: holds a run of {state['model']!r}, not of {self.config.model!r}")
        try:
            self.network.load_state_dict(state["weights"])
            self.ema.load_state_dict(state["ema"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (ValueError, PhotomendError) as error:
            raise PhotomendError(f"{path}: does not fit this configuration ({error})") from error
        self.steps = state["progress"]["steps"]
        self.seconds = state["progress"]["seconds"]
        self.epochs = state["progress"]["epochs"]
        self.best = math.inf if state["best"] is None else state["best"]


def train(
    config: TrainConfig,
    photos: PhotoSource,
    validation: PhotoSource | None,
    out: Path,
    *,
    resume: bool = False,
    device: torch.device | str = "cpu",
    on_epoch: Callable[[Epoch], object] = lambda epoch: None,
    quiet: bool = False,
) -> Trainer:
    """Train a network and leave a run folder: config.json, log.jsonl, best, last and state (safetensors).

    Args:
        config: the settings.
        photos, validation: what is trained and validated on; without validation the last weights are the best.
        out: the run folder; made if it isn't there.
        resume: go on with the run that is in `out`.
        device: where it runs.
        on_epoch: told about each validated epoch; draws the figures.
        quiet: no progress bar.

    Raises:
        PhotomendError: `out` holds a run already, or (resuming) none, or one of another configuration; no photos; the
            loss is no longer a number.
        KeyboardInterrupt: as usual, after the state has been saved.
    """
    trainer = Trainer(config, device)
    if resume:
        trainer.load(out / STATE)
    elif (out / STATE).exists() or (out / LOG).exists():
        raise PhotomendError(f"{out}: holds a run already; resume it, or choose another folder")
    loader = CropLoader(
        photos,
        config.batch_size,
        trainer.network.window,
        config.seed,
        config.workers,
        start_step=trainer.steps,
    )
    validator = None
    if validation:
        validator = Validator(EvaluationSet(validation, limit=config.validation_photos), device)
    out.mkdir(parents=True, exist_ok=True)
    (out / CONFIG).write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
    runtime.keep_freed_memory()
    with JsonLog(out / LOG) as log:
        _Run(trainer, loader, validator, out, log, on_epoch, quiet).go()
    return trainer


class _Run:
    """The books of a run: clock, bar, log, epochs, checkpoints."""

    def __init__(
        self,
        trainer: Trainer,
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
        self.batches: Iterator[Batch] = iter(loader)
        self.tick = self.saved = time.monotonic()
        unit = "step" if self.config.steps is not None else "s"
        self.bar = tqdm(total=round(self.config.total), unit=unit, disable=quiet, dynamic_ncols=True)
        self._advance_bar(math.nan, 0)

    def go(self) -> None:
        trainer = self.trainer
        trainer.network.train()
        try:
            while trainer.progress < 1:
                losses = self._epoch()
                self._finish_epoch(sum(losses) / len(losses))
        except KeyboardInterrupt:
            self._save_state()
            raise
        finally:
            self.bar.close()

    def _epoch(self) -> list[float]:
        """Steps up to the next multiple of `epoch_steps`, or to the end of the run."""
        trainer, losses = self.trainer, []
        for batch in itertools.islice(self.batches, self.epoch_steps - trainer.steps % self.epoch_steps):
            loss, norm = trainer.step(batch.photo.to(trainer.device), batch.mask.to(trainer.device))
            losses.append(loss)
            seconds = self._clock()
            rate = self.config.batch_size / seconds
            self.log.write(
                {"step": trainer.steps, "loss": loss, "lr": trainer.optimizer.lr, "grad_norm": norm, "photos_s": rate}
            )
            self._advance_bar(loss, rate)
            if time.monotonic() - self.saved > SAVE_EVERY:
                self._save_state()
            if trainer.progress >= 1:
                break
        return losses

    def _finish_epoch(self, loss: float) -> None:
        trainer = self.trainer
        trainer.epochs += 1
        validation = None
        if self.validator is not None:
            with trainer.ema.averaged():
                trainer.network.eval()
                validation = self.validator(trainer.network)
            trainer.network.train()
        metrics = {"loss": loss} | (validation.metrics if validation else {})
        self.log.write({"epoch": trainer.epochs, "step": trainer.steps, "seconds": trainer.seconds, **metrics})
        score = validation.metrics["mse"] if validation else -trainer.steps
        if score < trainer.best:
            trainer.best = score
            save_checkpoint(self.out / BEST, trainer.weights(averaged=True, metrics=metrics))
        save_checkpoint(self.out / LAST, trainer.weights(averaged=False, metrics=metrics))
        self._clock()
        self._save_state()
        self.on_epoch(Epoch(trainer.epochs, trainer.steps, loss, validation))

    def _clock(self) -> float:
        """Add the time since the last call to the run's, and return it."""
        now = time.monotonic()
        seconds, self.tick = now - self.tick, now
        self.trainer.seconds += seconds
        return max(seconds, 1e-9)

    def _advance_bar(self, loss: float, rate: float) -> None:
        self.bar.update(round(self.trainer.progress * self.config.total) - self.bar.n)
        self.bar.set_postfix(loss=f"{loss:.4f}", photos_s=f"{rate:.0f}", refresh=False)

    def _save_state(self) -> None:
        save_state(self.out / STATE, self.trainer.state())
        self.saved = time.monotonic()
