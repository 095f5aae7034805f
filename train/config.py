"""The settings of a training run, checked before anything starts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from ..core import Parameter, PhotomendError, did_you_mean
from ..models import GanModel
from .optimizers import SGD, Adam, AdamW, Muon, Optimizer
from .precision import PRECISIONS
from .schedules import StepLR, WarmupCosine
from .settings import above_zero, at_least_zero, check_setting, from_zero_to, one_of

#: Schedules count steps, and how many a run by the clock will have nobody knows; so they see every run as so many.
SCHEDULE_STEPS = 10_000
#: What a model's runs have in place of the defaults below. Mean colours minimise the squared error. Those of attention
#: are the recipe's (docs/recipe.md).
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "attention": {"optimizer": "muon", "batch_size": 16, "lr": 4e-3, "weight_decay": 0.05},
    "linear": {"batch_size": 64, "lr": 2e-2, "mse_weight": 1.0, "mae_weight": 0.0},
    "cnn": {"batch_size": 32, "mse_weight": 1.0, "mae_weight": 0.0},
}
#: What a run's config.json records beside its settings: the number of ranks.
WORLD_SIZE = "world_size"
#: What settings were called in runs of earlier versions.
RENAMED = {"epoch_steps": "validation_interval", "start": "initial_weights"}


@dataclass(frozen=True)
class RunConfig:
    """What decides how any run goes. Its length is `steps` or `minutes`, one of the two.

    Attributes:
        model: the network's name.
        model_config: the network's own settings; its `window` is the side of the training crops.
        initial_weights: a run folder or a weights file to begin with; empty: random weights.
        steps: optimizer steps. A run of so many steps with one seed gives the same weights every time.
        minutes: wall-clock time, validation included; how many steps fit depends on the machine.
        batch_size: crops per step.
        holes: the largest number of holes in a crop.
        lr: the highest learning rate.
        ema: decay of the averaged weights, which are validated and kept as the best.
        seed: decides random initial weights, the crops and their holes.
        workers: processes that read photos.
        validation_interval: steps from one validation to the next; 0: one epoch, but at least 50 steps.
        validation_photos: the largest number of photos to validate on.
        sync_batch_norm: over several ranks: batch norms take their statistics from the whole batch, not from each
            rank's share.

    Raises PhotomendError naming the setting that has a value of the wrong type, or one out of range.
    """

    model: str = "attention"
    model_config: Mapping[str, Any] = field(default_factory=dict)
    initial_weights: str = ""
    steps: int | None = above_zero(None)
    minutes: float | None = above_zero(None)
    batch_size: int = above_zero(8)
    holes: int = above_zero(1)
    lr: float = above_zero(1.5e-3)
    ema: float = from_zero_to(0.999999, default=0.998)
    seed: int = at_least_zero(0)
    workers: int = at_least_zero(1)
    validation_interval: int = at_least_zero(0)
    validation_photos: int = above_zero(200)
    sync_batch_norm: bool = False

    #: Settings that a resumed run can't change, because what is saved depends on them.
    fixed: ClassVar[tuple[str, ...]] = ("batch_size", "seed")
    # No limit on the gradients' norm, float32, nothing recomputed; `TrainConfig` makes settings of them.
    clip = math.inf
    precision = "float32"
    recompute = False

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            check_setting("training", setting, getattr(self, setting.name))
        if (self.steps is None) == (self.minutes is None):
            raise PhotomendError("training: give its length as steps or as minutes, one of the two")
        if self.seed >= 2**63:
            raise PhotomendError(f"training: seed (={self.seed}) must be below 2⁶³")

    @property
    def total(self) -> float:
        """The run's length in its own unit: steps, or seconds."""
        return float(self.steps) if self.steps is not None else 60 * (self.minutes or 0)

    def make_optimizer(self, parameters: list[Parameter]) -> Optimizer:
        """The optimizer over the network's `parameters`."""
        raise NotImplementedError

    def make_schedule(self) -> Callable[[float], float]:
        """The learning rate by the fraction of the run that is used up, 0 to 1."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "config") -> Self:
        """A configuration from keys and values, as a file gives them; other keys take the model's defaults.

        Raises:
            PhotomendError: an unknown key (the nearest is named), a value of the wrong type, or one out of range.
        """
        known = {f.name: f for f in dataclasses.fields(cls)}
        values = {key: value for key, value in values.items() if key != WORLD_SIZE}
        for key, value in values.items():
            if key in RENAMED:
                raise PhotomendError(f"{where}: {key!r} is called {RENAMED[key]!r} now")
            if key not in known:
                raise PhotomendError(f"{where}: unknown key {key!r:.80}; {did_you_mean(key, tuple(known))}")
            check_setting(where, known[key], value)
        return cls(**{**MODEL_DEFAULTS.get(values.get("model", cls.model), {}), **values})

    def to_dict(self) -> dict[str, Any]:
        """Keys and values for a JSON file."""
        return dataclasses.asdict(self) | {"model_config": dict(self.model_config)}


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """The settings of a run that minimises the error in the hole.

    Attributes:
        final_lr: the last learning rate (cosine).
        schedule: "cosine" (after a warm-up over `warmup` of the run) or "step" (`gamma` at every `lr_step` of the run).
        warmup, lr_step: shares of the run, from 0 to 1.
        gamma: factor of the step schedule.
        optimizer: "adamw", "adam", "sgd" or "muon".
        momentum: of "sgd".
        weight_decay: applied to every weight.
        clip: largest norm of all gradients together.
        mse_weight, mae_weight: weights of the squared and the absolute error in the loss.
        precision: "float32"; "tf32" for products in TF32, on NVIDIA GPUs; "bfloat16" for steps whose weights are kept
            in float32.
        recompute: activation recomputation: residual blocks keep only their inputs and are computed again for the
            gradient, which takes less memory and more time.
    """

    final_lr: float = at_least_zero(1e-5)
    schedule: str = one_of("cosine", "step", default="cosine")
    warmup: float = from_zero_to(0.99, default=0.03)
    lr_step: float = above_zero(0.3)
    gamma: float = at_least_zero(0.3)
    optimizer: str = one_of("adamw", "adam", "sgd", "muon", default="adamw")
    momentum: float = from_zero_to(0.9999, default=0.9)
    weight_decay: float = at_least_zero(1e-4)
    clip: float = above_zero(1.0)
    mse_weight: float = at_least_zero(4.0)
    mae_weight: float = at_least_zero(1.0)
    precision: str = one_of(*PRECISIONS, default="float32")
    recompute: bool = False

    fixed: ClassVar[tuple[str, ...]] = (*RunConfig.fixed, "optimizer")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == GanModel.name:
            raise PhotomendError("training: gan trains against a discriminator, with an AdversarialConfig")
        if self.mse_weight + self.mae_weight == 0:
            raise PhotomendError("training: mse_weight and mae_weight are both 0; nothing would be learned")
        if self.lr_step > 1:
            raise PhotomendError(f"training: lr_step (={self.lr_step}) must be at most 1")

    def make_optimizer(self, parameters: list[Parameter]) -> Optimizer:
        if self.optimizer == "sgd":
            return SGD(parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        if self.optimizer == "muon":
            return Muon(parameters, self.lr, weight_decay=self.weight_decay, dtype=PRECISIONS[self.precision])
        made = AdamW if self.optimizer == "adamw" else Adam
        return made(parameters, self.lr, weight_decay=self.weight_decay)

    def make_schedule(self) -> Callable[[float], float]:
        n = SCHEDULE_STEPS
        if self.schedule == "step":
            made: StepLR | WarmupCosine = StepLR(self.lr, max(1, round(n * self.lr_step)), self.gamma)
        else:
            made = WarmupCosine(self.lr, round(n * self.warmup), n, self.final_lr)
        return lambda fraction: made(int(n * fraction + 1e-6))  # a product may lie just under a whole number


@dataclass(frozen=True)
class AdversarialConfig(RunConfig):
    """The settings of a run against a discriminator.

    Attributes:
        discriminator_lr: the discriminator's learning rate.
        first_weight, last_weight: λ at the beginning, and from the end of the ramp on.
        ramp: the share of the run, from 0 to 1, over which λ rises.
        tolerance: how much the hole MAE may rise, as a share of what it began with; beyond it the run stops.
    """

    model: str = GanModel.name
    lr: float = above_zero(1e-4)
    ema: float = from_zero_to(0.999999, default=0.99)
    discriminator_lr: float = above_zero(4e-4)
    first_weight: float = at_least_zero(0.01)
    last_weight: float = at_least_zero(0.1)
    ramp: float = from_zero_to(1, default=0.5)
    tolerance: float = above_zero(0.15)
    validation_interval: int = at_least_zero(150)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model != GanModel.name:
            raise PhotomendError(f"training: model {self.model!r} can't train against a discriminator, only 'gan' can")
        if not self.initial_weights:
            raise PhotomendError("training: gan goes on from a trained attention model; say which one: --from RUN")

    def make_optimizer(self, parameters: list[Parameter]) -> Optimizer:
        return Adam(parameters, self.lr, betas=(0.0, 0.9))

    def make_schedule(self) -> Callable[[float], float]:
        return lambda fraction: self.lr * self.rate(fraction)

    def rate(self, fraction: float) -> float:
        """Both networks' learning rates as a share of the full ones: 1 for half of the run, then straight to 0."""
        return min(1.0, 2 * (1 - fraction))

    def weight(self, fraction: float) -> float:
        """λ when this fraction of the run is used up: a straight rise over the first `ramp` of it."""
        risen = min(1.0, fraction / self.ramp) if self.ramp else 1.0
        return self.first_weight + (self.last_weight - self.first_weight) * risen
