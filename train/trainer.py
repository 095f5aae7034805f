"""A network in training: what one step does, and what a run needs to go on after it was cut.

The textbook's algorithm stands in three places: `Trainer._gradients` has the forward and the backward pass,
`Trainer.step` clips and refuses what is no number, `BaseTrainer.advance` updates the weights and their average.
Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), algorithm 8.1 and §8.7.3.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from .. import models
from ..core import Array, PhotomendError, runtime
from ..layers import recompute_blocks
from ..models.weights import Checkpoint, weights_digest
from .checkpoint import load_state
from .clip import clip_grad_norm
from .config import RunConfig, TrainConfig
from .ema import EMA
from .losses import hole_loss
from .precision import PRECISIONS, MixedPrecision, SamePrecision, products_in, require_precision
from .start import load_start, say_start, take_over

Config = TypeVar("Config", bound=RunConfig)


class BaseTrainer(Generic[Config]):
    """The network's weights, their average, the optimizer, and how far the run has come; not yet what a step is.

    Attributes:
        observed: what else the last step saw, for the log.
        steps: optimizer steps done.
        seconds: wall-clock time of the run so far, validation included; `trained`: without it.
        reserve: seconds that the last validation took, kept free for the one at the end.
        epochs: validated epochs; `validated`: the step of the last validation, −1 before the first.
        best: the lowest validation MSE.
        loss_sum, loss_count: of the steps since the last validation.
        photos: what is trained on: its name, and a digest of the photos' names.
        start: the path of the weights it began with, and their digest.
    """

    def __init__(self, config: Config, device: torch.device | str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        runtime.seed_everything(config.seed)
        runtime.deterministic()
        network = models.build(config.model, **config.model_config)
        if not isinstance(network, models.RepairNetwork):
            raise PhotomendError(
                f"model {config.model!r} has nothing to train; choose from {', '.join(models.TRAINED)}"
            )
        if network.one_hole and config.holes > 1:
            raise PhotomendError(f"training: holes (={config.holes}) must be 1 for model {config.model!r}")
        self.network = network.to(self.device)
        self.parameters = self.network.parameters()
        self.optimizer = config.make_optimizer(self.parameters)
        self.schedule = config.make_schedule()
        self.ema = EMA(self.network, config.ema)
        self.steps, self.epochs, self.validated = 0, 0, -1
        self.seconds = self.trained = self.reserve = 0.0
        self.best = math.inf
        self.loss_sum, self.loss_count = 0.0, 0
        self.photos = {"origin": "", "digest": ""}
        self.start = {"path": "", "digest": ""}
        self.observed: dict[str, float] = {}

    @property
    def seconds_left(self) -> float:
        """Of a run by the clock: what is left for training, the last validation apart."""
        return max(0.0, self.config.total - self.reserve - self.seconds)

    @property
    def progress(self) -> float:
        """How much of the training is done, 0 to 1. By the clock it is the share of trained in trainable seconds, so
        it arrives at 1 exactly, however long the validations in between take."""
        if self.config.steps is not None:
            return min(1.0, self.steps / self.config.steps)
        return 1.0 if self.seconds_left == 0 else self.trained / (self.trained + self.seconds_left)

    def begin(self) -> None:
        """Make ready for the first step of a new run; one that is resumed has `load` instead.

        Raises:
            PhotomendError: no such weights to begin with, those of another model, or those of one with other settings
                that this one doesn't go on from (`take_over`).
        """
        if not self.config.start:
            return
        start = load_start(self.config.model, self.config.start, self.device)
        take_over(self.network, start, self.config.start)
        self.ema = EMA(self.network, self.config.ema)
        self.start = {"path": self.config.start, "digest": weights_digest(start.weights)}

    def step(self, photo: Array, mask: Array) -> tuple[float, float]:
        """One step on crops (N, 3, S, S) with holes (N, 1, S, S); returns the loss and the gradients' norm."""
        raise NotImplementedError

    def advance(self, loss: float) -> None:
        """Let the network's optimizer step, its average follow, and the counters count."""
        self.optimizer.lr = self.schedule(self.progress)
        self.optimizer.step()
        self.ema.update()
        self.steps += 1
        self.loss_sum += loss
        self.loss_count += 1

    def judge(self, metrics: dict[str, float] | None) -> bool:
        """Whether the averaged weights, validated with these errors (None: not at all), are worth keeping: those of
        the lowest MSE are."""
        if metrics is None:
            return True
        better, self.best = metrics["mse"] < self.best, min(self.best, metrics["mse"])
        return better

    @property
    def ending(self) -> str:
        """Why a run whose progress is 1 has come to its end."""
        return f"this run is finished ({self.steps} steps); give it more steps or minutes"

    def checkpoint(self, averaged: bool, metrics: dict[str, float]) -> Checkpoint:
        """The weights as a checkpoint: the averaged ones, or those of the last step."""
        arrays = self.ema.weights if averaged else self.network.state_dict()
        return Checkpoint(self.config.model, arrays, self.network.config, self.steps, metrics)

    def state(self) -> dict[str, Any]:
        """Everything that a run needs to go on as if it had never stopped."""
        on_cuda = self.device.type == "cuda"
        return {
            "model": self.config.model,
            "network": self.network.config,
            "fixed": {name: getattr(self.config, name) for name in self.config.fixed},
            "photos": self.photos,
            "start": self.start,
            "progress": {name: getattr(self, name) for name in _PROGRESS},
            "best": self.best if math.isfinite(self.best) else None,
            "weights": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": {"cpu": torch.get_rng_state()}
            | ({"cuda": torch.cuda.get_rng_state(self.device)} if on_cuda else {}),
        }

    def load(self, path: Path) -> None:
        """Go on from a state that `state` gave.

        Raises:
            PhotomendError: no such state, a damaged one, or one of another model or of other settings.
        """
        state = load_state(path)
        if missing := self.state().keys() - state.keys():
            raise PhotomendError(f"{path}: a damaged state, it lacks {', '.join(sorted(missing))}")
        self.check(state, path)
        self.restore(state)

    def check(self, state: dict[str, Any], path: Path) -> None:
        """Refuse the state of another model's run, or of one with other settings, photos or weights to begin with; the
        same weights in another place are welcome.

        Raises PhotomendError naming the file.
        """
        if state["model"] != self.config.model:
            raise PhotomendError(f"{path}: holds a run of {state['model']!r}, not of {self.config.model!r}")
        theirs = {**state["network"], **state["fixed"]}
        mine = {**self.network.config, **{name: getattr(self.config, name) for name in self.config.fixed}}
        for name in {**mine, **theirs}:
            if theirs.get(name) != mine.get(name):
                raise PhotomendError(
                    f"{path}: was made with {name} (={theirs.get(name)}), "
                    f"and can't go on with {name} (={mine.get(name)})"
                )
        if state["photos"]["digest"] != self.photos["digest"]:
            raise PhotomendError(
                f"{path}: was trained on {state['photos']['origin']}, not on these photos of {self.photos['origin']}"
            )
        began, given = state["start"], self.config.start
        if given == began["path"]:
            return
        if not given or weights_digest(load_start(self.config.model, given).weights) != began["digest"]:
            raise PhotomendError(
                f"{path}: began with {say_start(began['path'])}, and can't go on with start (={given})"
            )

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self.network.load_state_dict(state["weights"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name in _PROGRESS:
            setattr(self, name, state["progress"][name])
        self.start = state["start"] | {"path": self.config.start}
        self.best = math.inf if state["best"] is None else state["best"]
        torch.set_rng_state(state["random"]["cpu"])
        if self.device.type == "cuda" and "cuda" in state["random"]:
            torch.cuda.set_rng_state(state["random"]["cuda"], self.device)


class Trainer(BaseTrainer[TrainConfig]):
    """A network that learns from the error in the hole alone."""

    def __init__(self, config: TrainConfig, device: torch.device | str = "cpu") -> None:
        super().__init__(config, device)
        require_precision(config.precision, self.device)
        self.precision: SamePrecision[models.RepairNetwork] | MixedPrecision[models.RepairNetwork]
        self.precision = SamePrecision(self.network)
        if PRECISIONS[config.precision] == torch.bfloat16:
            with torch.random.fork_rng(devices=()):  # the copy's first weights are drawn for nothing
                self.precision = MixedPrecision(self.network, lambda: models.build(config.model, **config.model_config))
        if config.recompute and not recompute_blocks(self.precision.network):
            raise PhotomendError(f"training: recompute (=True) is not for model {config.model!r}, which has no blocks")

    def _gradients(self, photo: Array, mask: Array, *prepared: Array) -> Array:
        """The loss, with its gradients left at the parameters; `prepared` is what the network predicts from."""
        self.optimizer.zero_grad()
        prediction = self.precision.ready().predict(*prepared)
        loss = hole_loss(prediction, photo, mask, mse_weight=self.config.mse_weight, mae_weight=self.config.mae_weight)
        loss.backward()
        self.precision.give_gradients()
        return loss.data

    def step(self, photo: Array, mask: Array) -> tuple[float, float]:
        """One step on crops (N, 3, S, S) with holes (N, 1, S, S); returns the loss and the gradients' norm.

        Raises:
            PhotomendError: the loss or a gradient is no longer a number; no parameter has been changed.
        """
        prepared = self.network.prepare(photo * (1 - mask), mask)
        with products_in(self.config.precision):
            loss = self._gradients(photo, mask, *prepared).item()
        norm = clip_grad_norm(self.parameters, self.config.clip)
        if not math.isfinite(loss + norm):
            raise PhotomendError(
                f"training: at step {self.steps} the loss is {loss} and the gradients' norm {norm}; a lower lr may help"
            )
        self.advance(loss)
        return loss, norm


_PROGRESS = (
    "steps",
    "epochs",
    "validated",
    "seconds",
    "trained",
    "reserve",
    "loss_sum",
    "loss_count",
)
