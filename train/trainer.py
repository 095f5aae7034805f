"""A network in training: `BaseTrainer.step` is a training step, the same for every model and any data.

Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), algorithm 8.1 and §8.7.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from .. import models
from ..core import Array, Module, Parameter, PhotomendError, Tensor, runtime
from ..core.anomaly import AnomalyError
from ..layers import recompute_blocks
from ..models.weights import Checkpoint, weights_digest
from .averaging import averaging
from .config import RunConfig, TrainConfig
from .distributed import mean_loss
from .ema import EMA
from .initial_weights import load_initial, warm_start
from .losses import hole_loss, value_and_gradient
from .optimizers import Optimizer, clip_grad_norm
from .precision import Precision, require_precision
from .progress import Progress, Settings

Config = TypeVar("Config", bound=Settings)
PhotoConfig = TypeVar("PhotoConfig", bound=RunConfig)


class BaseTrainer(Generic[Config]):
    """A module in training, its optimizer, and how far the run has come; subclasses say what the loss is.

    Attributes:
        model, model_config: the network's name and its own settings.
        schedule: the learning rate by the fraction of the run that is used up, 0 to 1.
        precision: what a step computes in.
        ema: the averaged weights, if the run has any.
        seen, observed: what else the last step saw, on the device and, for the log, as numbers.
        judged_by: the validation error by which weights are the best.
        timed: whether the log says how long everything took.
    """

    model: str
    model_config: dict[str, Any]
    network: Module
    parameters: list[Parameter]
    optimizer: Optimizer
    schedule: Callable[[float], float]
    precision: Precision[Any]
    ema: EMA | None = None
    judged_by: str
    timed = True

    def __init__(self, config: Config, device: torch.device | str) -> None:
        self.config, self.device, self.progress = config, torch.device(device), Progress()
        self.seen: dict[str, Array] = {}
        self.observed: dict[str, float] = {}

    def step(self, *batch: Array) -> tuple[float, float]:
        """One step on a batch, photos and masks or x and y; returns the loss and the gradients' norm.

        Raises:
            AnomalyError: the loss or a gradient is no longer a number; the network's weights have not been changed.
        """
        inputs = self.inputs(*batch)  # all that takes no weights
        self.optimizer.zero_grad()
        with averaging(self.parameters, self.network), self.precision() as network:  # in float32 the network itself
            prediction = self.predict(network, *inputs)  # forward
            error, gradient = self.loss(prediction.data, *batch)
            prediction.backward(gradient)  # backward
        loss, norm = self.read(error, clip_grad_norm(self.parameters, self.config.clip))
        self.require_finite(loss, norm)
        self.optimizer.lr = self.schedule(self.fraction)
        self.optimizer.step()  # update
        if self.ema is not None:
            self.ema.update()
        self.progress.count(loss)
        return loss, norm

    def inputs(self, *batch: Any, **named: Any) -> tuple[Array, ...]:
        """What the network gets to see of a batch."""
        raise NotImplementedError

    def predict(self, network: Any, *inputs: Array) -> Tensor:
        """What the network makes of its inputs."""
        raise NotImplementedError

    def loss(self, prediction: Array, *batch: Any, **named: Any) -> tuple[Array, Array]:
        """The loss of a prediction, a single number still on the device as `seen` is, and its gradient."""
        raise NotImplementedError

    def read(self, loss: Array, norm: Array) -> tuple[float, float]:
        """The loss and the gradients' norm as numbers, and `seen` as numbers in `observed`: all in one read-back."""
        numbers = torch.stack([x.double() for x in (loss, norm, *self.seen.values())]).tolist()
        self.observed = dict(zip(self.seen, numbers[2:], strict=True))
        return numbers[0], numbers[1]

    def require_finite(self, loss: float, norm: float) -> None:
        """Raise AnomalyError where the loss or the gradients' norm is no number."""
        if not math.isfinite(loss + norm):
            raise AnomalyError(f"at step {self.progress.steps} the loss is {loss} and the gradients' norm {norm}")

    @property
    def fraction(self) -> float:
        """How much of its steps or minutes the run has used up, 0 to 1."""
        return self.progress.fraction(self.config)

    @property
    def ending(self) -> str:
        """Why a run that is done has come to its end."""
        return f"this run is finished ({self.progress.steps} steps); give it more steps or minutes"

    def averaged(self) -> AbstractContextManager[Module]:
        """The network with the weights to validate: the averaged ones, if there are any."""
        return nullcontext(self.network) if self.ema is None else self.ema.averaged()

    def after_validation(self, metrics: dict[str, float] | None) -> bool:
        """Take note of the weights' errors (None: not validated). Returns whether they are to be kept: the best are."""
        if metrics is None:
            return True
        before, self.progress.best = self.progress.best, min(self.progress.best, metrics[self.judged_by])
        return metrics[self.judged_by] < before

    def weights(self, averaged: bool, metrics: dict[str, float]) -> Checkpoint:
        """The averaged weights, or those of the last step, and what is known of them."""
        arrays = self.ema.weights if averaged and self.ema is not None else self.network.state_dict()
        return Checkpoint(self.model, arrays, self.model_config, self.progress.steps, metrics)

    def about(self) -> dict[str, Any]:
        """What a resumed run must have in common with the state that it goes on from."""
        return {"model": self.model, "settings": self.fixed_settings()}

    def fixed_settings(self) -> dict[str, Any]:
        """The settings that a resumed run can't change."""
        return self.model_config | {name: getattr(self.config, name) for name in self.config.fixed}

    def resume(self, state: Mapping[str, Any], path: Path) -> None:
        """Go on from this state, which was read from `path`; the optimizer keeps the options that it was made with.

        Raises:
            PhotomendError: it is of another model, or of other settings or data.
        """
        if state["model"] != self.model:
            raise PhotomendError(f"{path}: holds a run of {state['model']!r}, not of {self.model!r}")
        mine, theirs = self.fixed_settings(), state["settings"]
        for name in {**mine, **theirs}:
            if theirs.get(name) != mine.get(name):
                was, given = theirs.get(name), mine.get(name)
                raise PhotomendError(f"{path}: was made with {name} (={was}), and can't go on with {name} (={given})")
        self.require_same_data(state, path)
        for name, part in self.parts().items():
            part.load_state_dict({key: value for key, value in state[name].items() if key != "param_groups"})

    def require_same_data(self, state: Mapping[str, Any], path: Path) -> None:
        """Raise PhotomendError where the state is of a run on other data."""
        raise NotImplementedError

    def parts(self) -> dict[str, Any]:
        """All that changes from step to step: what has a `state_dict` to save and a `load_state_dict` to resume."""
        averaged = {} if self.ema is None else {"ema": self.ema}
        return {"weights": self.network, **averaged, "optimizer": self.optimizer, "progress": self.progress}


class PhotoTrainer(BaseTrainer[PhotoConfig]):
    """A network in training that fills holes in photos; its averaged weights are the ones to keep.

    Attributes:
        photos: what is trained on: its name, and a digest of the photos' names.
        initial: the path of the weights it began with, and their digest.
    """

    network: models.RepairNetwork
    ema: EMA
    judged_by = "mse"

    def __init__(self, config: PhotoConfig, device: torch.device | str = "cpu") -> None:
        super().__init__(config, device)
        runtime.seed_everything(config.seed)
        runtime.deterministic()
        require_precision(config.precision, self.device)
        self.network = self._build().to(self.device)
        self.model, self.model_config = config.model, self.network.config
        self.parameters = self.network.parameters()
        self.optimizer = config.make_optimizer(self.parameters)
        self.schedule = config.make_schedule()
        self.precision = Precision(config.precision, self.network, self._build)
        if config.recompute and not recompute_blocks(self.precision.network):
            raise PhotomendError(f"training: recompute (=True) is not for model {config.model!r}, which has no blocks")
        self.ema = EMA(self.network, config.ema)
        self.photos = {"origin": "", "digest": ""}
        self.initial = {"path": "", "digest": ""}

    def _build(self) -> models.RepairNetwork:
        """A network of the run's settings with random weights."""
        network = models.build(self.config.model, **self.config.model_config)
        if not isinstance(network, models.RepairNetwork):
            raise PhotomendError(
                f"model {self.config.model!r} has nothing to train; choose from {', '.join(models.TRAINED)}"
            )
        if network.one_hole and self.config.holes > 1:
            raise PhotomendError(f"training: holes (={self.config.holes}) must be 1 for model {self.config.model!r}")
        return network

    def begin(self) -> None:
        """Take the initial weights of a new run, if there are any. Raises what `load_initial` and `warm_start` do."""
        if path := self.config.initial_weights:
            initial = load_initial(self.config.model, path, self.device)
            warm_start(self.network, initial, path)
            self.ema = EMA(self.network, self.config.ema)
            self.initial = {"path": path, "digest": weights_digest(initial.weights)}

    def inputs(self, photo: Array, mask: Array) -> tuple[Array, ...]:
        return self.network.prepare(photo * (1 - mask), mask)

    def predict(self, network: models.RepairNetwork, *inputs: Array) -> Tensor:
        return network.predict(*inputs)

    def about(self) -> dict[str, Any]:
        return super().about() | {"photos": self.photos, "initial_weights": self.initial}

    def resume(self, state: Mapping[str, Any], path: Path) -> None:
        super().resume(state, path)
        self.initial = state["initial_weights"] | {"path": self.config.initial_weights}

    def require_same_data(self, state: Mapping[str, Any], path: Path) -> None:
        """Also of the initial weights; the same ones in another place are welcome."""
        if state["photos"]["digest"] != self.photos["digest"]:
            raise PhotomendError(
                f"{path}: was trained on {state['photos']['origin']}, not on these photos of {self.photos['origin']}"
            )
        began, given = state["initial_weights"], self.config.initial_weights
        if given == began["path"]:
            return
        if not given or weights_digest(load_initial(self.model, given).weights) != began["digest"]:
            first = f"the weights of {began['path']}" if began["path"] else "random weights"
            raise PhotomendError(f"{path}: began with {first}, and can't go on with initial_weights (={given})")


class Trainer(PhotoTrainer[TrainConfig]):
    """A network that learns from the error in the hole alone."""

    def loss(self, prediction: Array, photo: Array, mask: Array) -> tuple[Array, Array]:
        weights = {"mse_weight": self.config.mse_weight, "mae_weight": self.config.mae_weight}
        found = value_and_gradient(lambda output: hole_loss(output, photo, mask, **weights), prediction)
        return mean_loss(*found, count=mask.sum())
