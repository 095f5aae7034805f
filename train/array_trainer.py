"""What `fit` trains with: any module on batches (x, y), its settings, and its validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch

from ..core import Array, Module, PhotomendError, Tensor, in_mode, kind_of, no_grad
from ..data.batches import Batches
from ..models.weights import weights_digest
from .distributed import here, mean_loss, total
from .losses import value_and_gradient
from .optimizers import Optimizer
from .precision import Precision
from .settings import above_zero, at_least_zero, check_setting
from .trainer import BaseTrainer
from .validation import Validation

Loss = Callable[[Tensor, Array], Tensor]
Metric = Callable[[Array, Array], Array | float]


@dataclass(frozen=True)
class FitConfig:
    """The settings of `fit` that the step and the loop read. Raises PhotomendError naming one that is out of range."""

    steps: int = above_zero(None)
    batch_size: int = above_zero(None)
    clip: float = field(default=math.inf, metadata={"must": "be above 0", "holds": lambda value: value > 0})
    seed: int = at_least_zero(0)
    shuffle: bool = True
    validation_interval: int = at_least_zero(0)

    fixed: ClassVar[tuple[str, ...]] = ("batch_size", "seed", "shuffle")

    def __post_init__(self) -> None:
        for setting in fields(self):
            if (value := getattr(self, setting.name)) != setting.default:
                check_setting("fit", setting, value)

    @property
    def total(self) -> float:
        return self.steps


class ArrayTrainer(BaseTrainer[FitConfig]):
    """Any module in training, on batches (x, y), or (x, x2, …, y), and a loss of its prediction and y.

    Args:
        schedule: the learning rate by the step.
    """

    judged_by = "val_loss"
    timed = False  # the log of a resumed run is that of one that never stopped

    def __init__(
        self,
        config: FitConfig,
        device: torch.device,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        schedule: Callable[[int], float],
        batches: Batches,
    ) -> None:
        super().__init__(config, device)
        self.model, self.model_config, self.network = type(model).__name__, {}, model
        self.optimizer, self.parameters = optimizer, optimizer.parameters
        self.schedule = lambda fraction: schedule(self.progress.steps)
        self.precision = Precision("float32", model, lambda: model)
        self.criterion, self.batches = loss, batches
        self.batch: tuple[Array, ...] = ()
        self.unlike = False  # whether the loss has taken shapes that can't be broadcast

    @cached_property
    def data(self) -> dict[str, Any]:
        """What is trained on: how many samples, and a digest of them or of a few; neither is known of an iterable."""
        arrays = {str(i): array for i, array in enumerate(self.batches.probe())}
        return {"samples": self.batches.samples, "digest": weights_digest(arrays) if arrays else ""}

    def inputs(self, *batch: Array) -> tuple[Array, ...]:
        self.batch = batch
        return batch[:-1]

    def predict(self, network: Module, *inputs: Array) -> Tensor:
        with self._explained("the model refuses x", *inputs):
            prediction = network(*inputs)
        if not isinstance(prediction, Tensor):
            raise PhotomendError(f"fit: the model must return a photomend Tensor, not {type(prediction).__name__}")
        return prediction

    def loss(self, prediction: Array, *batch: Array) -> tuple[Array, Array]:
        def error(output: Tensor) -> Tensor:
            loss = self.error(output, batch[-1])
            if loss.is_leaf and loss is not output:
                raise PhotomendError(
                    "fit: the loss is a constant, and must be computed from the prediction, its Tensor"
                )
            return loss

        return mean_loss(*value_and_gradient(error, prediction), count=len(batch[-1]))

    def error(self, prediction: Tensor, y: Array) -> Tensor:
        """The loss, one number.

        Raises:
            PhotomendError: it isn't a Tensor of one number, the loss refuses prediction and y, or these would be
                broadcast sample against sample: (N, 1) − (N,) is (N, N).
        """
        self._require_aligned(tuple(prediction.shape), tuple(y.shape), y.is_floating_point())
        with self._explained("the loss refuses the prediction and y", prediction.data, y):
            loss = self.criterion(prediction, y)
        if not isinstance(loss, Tensor) or loss.data.numel() != 1:
            what = f"one of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else kind_of(loss)
            raise PhotomendError(f"fit: the loss must return a photomend Tensor of one number, not {what}")
        return loss

    def _require_aligned(self, prediction: tuple[int, ...], y: tuple[int, ...], floating: bool) -> None:
        """Refuse shapes of which one could only be broadcast along the samples of the other.

        Labels (N,) of scores (N, C) are no such case, nor is what a loss makes of y (N,) and parameters (N, K): it is
        known as soon as one batch, whose N and K differ, has been let through.
        """
        if prediction == y or not prediction:
            return
        if not (floating and math.prod(prediction) == math.prod(y)):
            if len(prediction) == len(y) or self.unlike:
                return
            try:
                together = tuple(torch.broadcast_shapes(prediction, y))
            except RuntimeError:
                self.unlike = True
                return
            if together == prediction and not floating:
                return
        raise PhotomendError(f"fit: y {y} must have the prediction's shape {prediction}")

    @contextmanager
    def _explained(self, what: str, *arrays: Array) -> Iterator[None]:
        """An error of the model's or the loss's own as one line that says what it was given, and what may be wrong."""
        try:
            yield
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            shapes = ", ".join(f"{tuple(array.shape)} {str(array.dtype).removeprefix('torch.')}" for array in arrays)
            reason = str(error).partition("\n")[0]
            raise PhotomendError(
                f"fit: at step {self.progress.steps} {what} ({shapes}): {reason}{self._guess(*arrays)}"
            ) from error

    def _guess(self, first: Array, *others: Array) -> str:
        """What is probably wrong with a batch that was refused, as the end of a message."""
        x, y = self.batch[0], self.batch[-1]
        if others and not y.is_floating_point() and first.ndim == y.ndim + 1 and y.numel():
            low, high, classes = int(y.min()), int(y.max()), first.shape[1]
            if low < 0 or high >= classes:
                return f"; y's labels run from {low} to {high}, but the model has {classes} classes, 0 to {classes - 1}"
        swapped = not x.is_floating_point() and x.ndim < y.ndim
        return f"; x {tuple(x.shape)} and y {tuple(y.shape)} may be swapped" if swapped else ""

    def fixed_settings(self) -> dict[str, Any]:
        return super().fixed_settings() | {"optimizer": type(self.optimizer).__name__}

    def about(self) -> dict[str, Any]:
        return super().about() | {"data": self.data}

    def require_same_data(self, state: Mapping[str, Any], path: Path) -> None:
        if state["data"] != self.data:
            theirs, mine = state["data"]["samples"], self.data["samples"]
            counts = "" if theirs == mine else f" ({mine} samples instead of {theirs})"
            raise PhotomendError(f"{path}: was trained on other data{counts}")


@dataclass
class ArrayValidator:
    """The mean loss and metrics over all of `batches`, in evaluation mode, as `val_loss` and `val_…`; of several ranks
    each takes its share of the batches."""

    batches: Batches
    trainer: ArrayTrainer
    metrics: Mapping[str, Metric]

    def __call__(self, network: Module) -> Validation:
        sums = dict.fromkeys(("val_loss", *(f"val_{name}" for name in self.metrics)), 0.0)
        samples = 0
        with in_mode(network, training=False), no_grad():
            for batch in self.batches.epoch(here()):
                *x, y = (array.to(self.trainer.device) for array in batch)
                prediction = self.trainer.predict(network, *self.trainer.inputs(*x, y))
                samples += len(y)
                sums["val_loss"] += len(y) * self.trainer.error(prediction, y).item()
                for name, metric in self.metrics.items():
                    sums[f"val_{name}"] += len(y) * float(metric(prediction.data, y))
        *totals, count = total(torch.tensor([*sums.values(), samples], dtype=torch.float64)).tolist()
        return Validation({name: value / count for name, value in zip(sums, totals, strict=True)}, [])
