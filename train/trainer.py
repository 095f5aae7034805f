"""A network in training: `BaseTrainer.step` is a training step, the same for every model.

Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), algorithm 8.1 and §8.7.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import torch

from .. import models
from ..core import Array, PhotomendError, Tensor, runtime
from ..layers import recompute_blocks
from ..models.weights import Checkpoint, weights_digest
from .config import RunConfig, TrainConfig
from .ema import EMA
from .initial_weights import load_initial, warm_start
from .losses import hole_loss
from .optimizers import clip_grad_norm
from .precision import Precision, require_precision

Config = TypeVar("Config", bound=RunConfig)


class Counters:
    """Base of dataclasses whose fields are saved with a run's state and come back when it is resumed."""

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


@dataclass
class Progress(Counters):
    """How far a run has come.

    Attributes:
        steps: optimizer steps done.
        seconds: wall-clock time of the run so far, validation included; `trained`: without it.
        reserve: seconds that the last validation took, kept free for the one at the end.
        validations: how many there were, but for the one before the first step.
        validated: the step of the last validation, −1 before the first.
        best: the lowest validation MSE.
        loss_sum, loss_count: of the steps since the last validation.
    """

    steps: int = 0
    seconds: float = 0.0
    trained: float = 0.0
    reserve: float = 0.0
    validations: int = 0
    validated: int = -1
    best: float = math.inf
    loss_sum: float = 0.0
    loss_count: int = 0

    def count(self, loss: float) -> None:
        """One more step, and its loss."""
        self.steps += 1
        self.loss_sum += loss
        self.loss_count += 1

    def seconds_left(self, config: RunConfig) -> float:
        """Of a run by the clock: what is left for training, the last validation apart."""
        return max(0.0, config.total - self.reserve - self.seconds)


class BaseTrainer(Generic[Config]):
    """A network, its averaged weights, its optimizer and how far the run has come; subclasses say what the loss is.

    Attributes:
        observed: what else the last step saw, for the log.
        photos: what is trained on: its name, and a digest of the photos' names.
        initial: the path of the weights it began with, and their digest.
    """

    def __init__(self, config: Config, device: torch.device | str = "cpu") -> None:
        self.config, self.device = config, torch.device(device)
        runtime.seed_everything(config.seed)
        runtime.deterministic()
        require_precision(config.precision, self.device)
        self.network = self._build().to(self.device)
        self.parameters = self.network.parameters()
        self.optimizer = config.make_optimizer(self.parameters)
        self.schedule = config.make_schedule()
        self.precision = Precision(config.precision, self.network, self._build)
        if config.recompute and not recompute_blocks(self.precision.network):
            raise PhotomendError(f"training: recompute (=True) is not for model {config.model!r}, which has no blocks")
        self.ema = EMA(self.network, config.ema)
        self.progress = Progress()
        self.photos = {"origin": "", "digest": ""}
        self.initial = {"path": "", "digest": ""}
        self.observed: dict[str, float] = {}

    def _build(self) -> models.RepairNetwork:
        """A network of the run's settings with random weights."""
        network = models.build(self.config.model, **self.config.model_config)
        if not isinstance(network, models.RepairNetwork):
            choices = ", ".join(models.TRAINED)
            raise PhotomendError(f"model {self.config.model!r} has nothing to train; choose from {choices}")
        if network.one_hole and self.config.holes > 1:
            raise PhotomendError(f"training: holes (={self.config.holes}) must be 1 for model {self.config.model!r}")
        return network

    def begin(self) -> None:
        """Take the initial weights of a new run, if there are any. Raises what `load_initial` and `warm_start` do."""
        path = self.config.initial_weights
        if path:
            initial = load_initial(self.config.model, path, self.device)
            warm_start(self.network, initial, path)
            self.ema = EMA(self.network, self.config.ema)
            self.initial = {"path": path, "digest": weights_digest(initial.weights)}

    def step(self, photo: Array, mask: Array) -> tuple[float, float]:
        """One step on crops (N, 3, S, S) with holes (N, 1, S, S); returns the loss and the gradients' norm.

        Raises:
            PhotomendError: the loss or a gradient is no longer a number; the network's weights have not been changed.
        """
        prepared = self.network.prepare(photo * (1 - mask), mask)  # all that takes no weights
        self.optimizer.zero_grad()
        with self.precision() as network:  # in float32 the network itself
            prediction = network.predict(*prepared)  # forward
            loss, gradient = self.loss(prediction.data, photo, mask)
            prediction.backward(gradient)  # backward
        norm = clip_grad_norm(self.parameters, self.config.clip)
        self.require_finite(loss, norm)
        self.optimizer.lr = self.schedule(self.fraction)
        self.optimizer.step()  # update
        self.ema.update()
        self.progress.count(loss)
        return loss, norm

    def loss(self, prediction: Array, photo: Array, mask: Array) -> tuple[float, Array]:
        """The loss of a prediction (N, 3, S, S), and its gradient by the prediction."""
        raise NotImplementedError

    def require_finite(self, loss: float, norm: float) -> None:
        """Raise PhotomendError where the loss or the gradients' norm is no number."""
        if not math.isfinite(loss + norm):
            raise PhotomendError(
                f"training: at step {self.progress.steps} the loss is {loss} and the gradients' norm {norm}; "
                "a lower lr may help"
            )

    @property
    def fraction(self) -> float:
        """How much of its steps or minutes the run has used up, 0 to 1. By the clock it is the share of trained in
        trainable seconds, so it arrives at 1 exactly, however long the validations in between take."""
        progress, config = self.progress, self.config
        if config.steps is not None:
            return min(1.0, progress.steps / config.steps)
        left = progress.seconds_left(config)
        return 1.0 if left == 0 else progress.trained / (progress.trained + left)

    @property
    def ending(self) -> str:
        """Why a run that is done has come to its end."""
        return f"this run is finished ({self.progress.steps} steps); give it more steps or minutes"

    def after_validation(self, metrics: dict[str, float] | None) -> bool:
        """Take note of the averaged weights' errors (None: not validated), and return whether the weights are to be
        kept: those of the lowest MSE are."""
        if metrics is None:
            return True
        better, self.progress.best = metrics["mse"] < self.progress.best, min(self.progress.best, metrics["mse"])
        return better

    def weights(self, averaged: bool, metrics: dict[str, float]) -> Checkpoint:
        """The averaged weights, or those of the last step, and what is known of them."""
        arrays = self.ema.weights if averaged else self.network.state_dict()
        return Checkpoint(self.config.model, arrays, self.network.config, self.progress.steps, metrics)

    def parts(self) -> dict[str, Any]:
        """All that changes from step to step: what has a `state_dict` to save and a `load_state_dict` to resume."""
        return {"weights": self.network, "ema": self.ema, "optimizer": self.optimizer, "progress": self.progress}


class Trainer(BaseTrainer[TrainConfig]):
    """A network that learns from the error in the hole alone."""

    def loss(self, prediction: Array, photo: Array, mask: Array) -> tuple[float, Array]:
        weights = {"mse_weight": self.config.mse_weight, "mae_weight": self.config.mae_weight}
        return value_and_gradient(lambda output: hole_loss(output, photo, mask, **weights), prediction)


def value_and_gradient(function: Callable[[Tensor], Tensor], x: Array) -> tuple[float, Array]:
    """A function's value at x, a single number, and its gradient by x."""
    leaf = Tensor(x)
    value = function(leaf)
    value.backward()
    assert leaf.grad is not None
    return value.item(), leaf.grad
