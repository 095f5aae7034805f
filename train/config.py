"""The settings of a training run, checked before anything starts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, ClassVar, Self

from ..core import Parameter, PhotomendError, did_you_mean
from .muon import Muon
from .optimizers import SGD, Adam, AdamW, Optimizer
from .precision import PRECISIONS
from .schedules import StepLR, WarmupCosine

OPTIMIZERS = ("adamw", "adam", "sgd", "muon")
SCHEDULES = ("cosine", "step")
#: Schedules count steps, and how many a run by the clock will have nobody knows; so it is cut into so many parts.
PARTS = 10_000
#: What a model's runs have in place of the defaults below. Where only mean colours are painted, the squared error is
#: what their means minimise. Those of attention are the recipe's (docs/recipe.md).
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "attention": {"optimizer": "muon", "batch_size": 16, "lr": 4e-3, "weight_decay": 0.05},
    "linear": {"batch_size": 64, "lr": 2e-2, "mse_weight": 1.0, "mae_weight": 0.0},
    "cnn": {"batch_size": 32, "mse_weight": 1.0, "mae_weight": 0.0},
}


@dataclass(frozen=True)
class RunConfig:
    """What decides how any run goes. Its length is `steps` or `minutes`, one of the two.

    Attributes:
        model: the network's name.
        model_config: the network's own settings; its `window` is the side of the training crops.
        start: the weights to begin with, a run folder or a weights file; empty: fresh random ones.
        steps: optimizer steps. A run of so many steps with one seed gives the same weights every time.
        minutes: wall-clock time, validation included; how many steps fit depends on the machine.
        batch_size: crops a step.
        holes: at most so many holes in a crop.
        lr: the highest learning rate.
        ema: decay of the averaged weights, which are validated and kept as the best.
        seed: of the first weights, the crops and their holes.
        workers: processes that read photos.
        epoch_steps: steps from one validation to the next; 0: until every photo has been seen, but at least 50.
        validation_photos: at most so many photos are validated on.
    """

    model: str = "attention"
    model_config: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 8
    holes: int = 1
    lr: float = 1.5e-3
    ema: float = 0.998
    seed: int = 0
    workers: int = 1
    epoch_steps: int = 0
    validation_photos: int = 200

    #: Settings that a resumed run can't change, because what is saved depends on them.
    fixed: ClassVar[tuple[str, ...]] = ("batch_size", "seed")

    def __post_init__(self) -> None:
        for field_ in dataclasses.fields(self):
            _check_type("training", field_, getattr(self, field_.name))
        if (self.steps is None) == (self.minutes is None):
            raise PhotomendError("training: give its length as steps or as minutes, one of the two")
        self.require_above_zero("steps", "minutes", "batch_size", "holes", "lr", "validation_photos")
        self.require_at_least_zero("workers", "epoch_steps", "seed")
        if self.seed >= 2**63:
            raise PhotomendError(f"training: seed (={self.seed}) must be below 2⁶³")
        self.require_at_most(ema=0.999999)

    def require_above_zero(self, *names: str) -> None:
        """Raise PhotomendError naming the first of these settings that is given and not above 0."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise PhotomendError(f"training: {name} (={value}) must be above 0")

    def require_at_least_zero(self, *names: str) -> None:
        """Raise PhotomendError naming the first of these settings that is negative."""
        for name in names:
            if not getattr(self, name) >= 0:
                raise PhotomendError(f"training: {name} (={getattr(self, name)}) must not be negative")

    def require_at_most(self, **limits: float) -> None:
        """Raise PhotomendError naming the first of these settings that is not from 0 to its limit."""
        for name, most in limits.items():
            if not 0 <= getattr(self, name) <= most:
                raise PhotomendError(f"training: {name} (={getattr(self, name)}) must be from 0 to {most}")

    @property
    def total(self) -> float:
        """The run's length in its own unit: steps, or seconds."""
        return float(self.steps) if self.steps is not None else 60 * (self.minutes or 0)

    def make_optimizer(self, parameters: list[Parameter]) -> Optimizer:
        """The optimizer over the network's `parameters`."""
        raise NotImplementedError

    def make_schedule(self) -> Callable[[float], float]:
        """The learning rate by progress: 0 at the start of the run, 1 at its end, whatever its unit."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "config") -> Self:
        """A configuration from keys and values, as a file gives them; other keys take the model's defaults.

        Raises:
            PhotomendError: an unknown key (the nearest is named), a value of the wrong type, or one out of range.
        """
        known = {f.name: f for f in dataclasses.fields(cls)}
        for key, value in values.items():
            if key not in known:
                raise PhotomendError(f"{where}: unknown key {key!r}; {did_you_mean(key, tuple(known))}")
            _check_type(where, known[key], value)
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
        warmup, lr_step: shares of the run, 0 to 1.
        gamma: factor of the step schedule.
        optimizer: "adamw", "adam", "sgd" (with `momentum`) or "muon".
        weight_decay: for every weight.
        clip: largest norm of all gradients together.
        mse_weight, mae_weight: of the loss.
        precision: "float32"; "tf32" for products in TF32, on NVIDIA GPUs; "bfloat16" for steps whose weights are kept
            in float32.
        recompute: whether residual blocks keep their inputs alone and are computed a second time for the gradient,
            which takes less memory and more time.
    """

    final_lr: float = 1e-5
    schedule: str = "cosine"
    warmup: float = 0.03
    lr_step: float = 0.3
    gamma: float = 0.3
    optimizer: str = "adamw"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    clip: float = 1.0
    mse_weight: float = 4.0
    mae_weight: float = 1.0
    precision: str = "float32"
    recompute: bool = False

    fixed: ClassVar[tuple[str, ...]] = (*RunConfig.fixed, "optimizer")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_above_zero("clip")
        self.require_at_least_zero("final_lr", "weight_decay", "mse_weight", "mae_weight", "gamma")
        if self.mse_weight + self.mae_weight == 0:
            raise PhotomendError("training: mse_weight and mae_weight are both 0; nothing would be learned")
        self.require_at_most(momentum=0.9999, warmup=0.99)
        if not 0 < self.lr_step <= 1:
            raise PhotomendError(f"training: lr_step (={self.lr_step}) must be above 0 and at most 1")
        for name, choices in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("precision", tuple(PRECISIONS)),
        ):
            if getattr(self, name) not in choices:
                raise PhotomendError(f"training: {name} {getattr(self, name)!r} must be one of {', '.join(choices)}")

    def make_optimizer(self, parameters: list[Parameter]) -> Optimizer:
        if self.optimizer == "sgd":
            return SGD(parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        if self.optimizer == "muon":
            return Muon(parameters, self.lr, weight_decay=self.weight_decay, dtype=PRECISIONS[self.precision])
        made = AdamW if self.optimizer == "adamw" else Adam
        return made(parameters, self.lr, weight_decay=self.weight_decay)

    def make_schedule(self) -> Callable[[float], float]:
        if self.schedule == "step":
            made: StepLR | WarmupCosine = StepLR(self.lr, max(1, round(PARTS * self.lr_step)), self.gamma)
        else:
            made = WarmupCosine(self.lr, round(PARTS * self.warmup), PARTS, self.final_lr)
        return lambda progress: made(int(PARTS * progress + 1e-6))  # PARTS · k / n may lie just under a whole number


_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "bool": ("true or false", (bool,)),
    "str": ("a text", (str,)),
    "int": ("a whole number", (int,)),
    "int | None": ("a whole number", (int, NoneType)),
    "float": ("a number", (int, float)),
    "float | None": ("a number", (int, float, NoneType)),
    "Mapping[str, Any]": ("a table", (Mapping,)),
}


def _check_type(where: str, field_: dataclasses.Field[Any], value: Any) -> None:
    """Refuse a value that isn't what the field's annotation says: a bool is no number, nor are ∞ and NaN."""
    what, kinds = _KINDS[str(field_.type)]
    finite = not isinstance(value, float) or math.isfinite(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds) or not finite:
        raise PhotomendError(f"{where}: {field_.name} (={value!r}) must be {what}")
