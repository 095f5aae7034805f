"""`fit`: the training loop for any model, any arrays and any loss. Its step is `BaseTrainer.step`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..core import Array, Module, PhotomendError, did_you_mean, in_mode
from ..data.batches import Batches
from .arguments import place_of, require_data, require_metrics, require_model, require_optimizer
from .array_trainer import ArrayTrainer, ArrayValidator, FitConfig, Loss, Metric
from .averaging import synchronised_batch_norms
from .checkpoint import STATE, draw_apart, holds_state, run_folder, save_state, state_of
from .distributed import copy_from_first, here, join, of_first
from .history import History
from .log import LOG, JsonLog, read_log
from .loop import go_on, hides_bar, run
from .optimizers import SGD, Adam, AdamW, Muon, Optimizer
from .recorder import Interval, Recorder
from .schedules import WarmupCosine

#: What an optimizer's name stands for, and the learning rate that it has if none is given.
OPTIMIZERS: dict[str, tuple[Callable[..., Optimizer], float]] = {
    "sgd": (SGD, 1e-2),
    "adam": (Adam, 1e-3),
    "adamw": (AdamW, 1e-3),
    "muon": (Muon, 1e-3),
}


def accuracy(prediction: Array, target: Array) -> Array:
    """How many of the labels (N, …) have the highest score in (N, C, …), 0 to 1."""
    return (prediction.argmax(dim=1) == target).float().mean()


METRICS: dict[str, Metric] = {"accuracy": accuracy}


def fit(
    model: Module,
    data: Any,
    loss: Loss,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    optimizer: str | Optimizer = "adam",
    lr: float | None = None,
    schedule: str | Callable[[int], float] = "constant",
    clip: float = math.inf,
    validation_data: Any = None,
    validation_interval: int = 0,
    metrics: Sequence[str | Metric] = (),
    seed: int = 0,
    shuffle: bool = True,
    device: torch.device | str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    on_validation: Callable[[Interval], object] = lambda interval: None,
    quiet: bool = False,
    sync_batch_norm: bool = False,
) -> History:
    """Train a model in place, and return its losses and validations.

    >>> from photomend.core import mean
    >>> from photomend.layers import Linear
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> line = Linear(1, 1)
    >>> history = fit(line, (x, 3 * x + 1), lambda p, y: mean((p - y) ** 2), epochs=100, lr=0.1, quiet=True)
    >>> round(line.weight.item(), 2), round(line.bias.item(), 2), len(history.losses)
    (3.0, 1.0, 200)

    Args:
        data: (x, y), a dataset, or an iterable of batches; see `Batches`, also for `batch_size` (32) and `shuffle`.
        loss: of the model's prediction and y, a single number.
        epochs, steps: the run's length, one of the two.
        optimizer: "sgd", "adam", "adamw", "muon", or an optimizer of the model's parameters.
        lr: the (highest) learning rate, if `optimizer` is a name; by default 0.01 for "sgd" and 0.001 for the others.
        schedule: "constant", "cosine" (down to 0), or the learning rate as a function of the step.
        clip: the largest norm of all gradients together.
        validation_data: what the model is validated on, like `data`.
        validation_interval: steps from one validation to the next; 0: an epoch.
        metrics: what else is validated: "accuracy", or functions of prediction and y as raw arrays.
        seed: of the order and of dropout; torch's own generator is left as it was.
        device: where it runs; by default where the model is.
        out: a folder for log.jsonl, the best, the last weights (`photomend.load` reads them) and the state.
        resume: go on with the run that is in `out`; it ends with the bits that it would have had uninterrupted.
        on_validation: told about each validation.
        quiet: no progress bar.
        sync_batch_norm: over several ranks: batch norms take their statistics from the whole batch.

    Where a launcher has started several ranks (`torchrun script.py`), all are to give the same arguments. Each trains
    on its share of every batch, and all end with the weights that one alone would have had, if the loss is a mean over
    the samples; rank 0 writes. If they are started anew, because one died, they go on from the state in `out`.

    Raises:
        PhotomendError: the settings or the data don't fit; the model or the loss refuses a batch; the loss is no longer
            a number (the weights are those before that step); `out` holds a run already, or (resuming) none, a finished
            one, or one of other settings or data.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after the step in hand is finished and the state is saved.
    """
    require_model(model)
    require_data("data", data)
    require_data("validation_data", validation_data)
    require_optimizer(optimizer)
    require_metrics(metrics, validated=validation_data is not None)
    folder = None if out is None else Path(out)
    if folder is None and resume:
        raise PhotomendError("fit: resume (=True) needs out, the run's folder")
    first = model.parameters()[0]
    place = place_of(device, first.device)
    if isinstance(optimizer, Optimizer) and place != first.device:
        raise PhotomendError(f"fit: device (={place}): move the model there before its optimizer is made")
    batches = Batches(data, batch_size, shuffle, seed, first.dtype)
    if batch_size is not None and batches.samples is None:
        raise PhotomendError(f"fit: batch_size (={batch_size}) is for arrays and datasets; this data comes in batches")
    length = _length(epochs, steps, batches.steps_per_epoch)
    config = FitConfig(length, batches.batch_size, clip, seed, shuffle, validation_interval)
    made = _optimizer(optimizer, model.to(place), lr)
    trainer = ArrayTrainer(config, place, model, loss, made, _schedule(schedule, made.lr, length), batches)
    validator = None
    if validation_data is not None:
        held_out = Batches(validation_data, batch_size, shuffle=False, seed=seed, dtype=first.dtype)
        validator = ArrayValidator(held_out, trainer, _named(metrics))
    rank = join(place)
    again = folder is not None and rank.restarts > 0 and bool(of_first(holds_state(folder))[0])
    resume = resume or again
    own_folder = run_folder(folder, resume) if folder and rank.first else nullcontext()
    own_numbers = torch.random.fork_rng([place] if place.type == "cuda" else [])
    with own_folder, own_numbers, in_mode(model, training=True), synchronised_batch_norms(sync_batch_norm, model):
        torch.manual_seed(seed)
        return _run(trainer, batches, validator, folder, resume, again, on_validation, quiet)


def _run(
    trainer: ArrayTrainer,
    batches: Batches,
    validator: ArrayValidator | None,
    out: Path | None,
    resume: bool,
    again: bool,
    on_validation: Callable[[Interval], object],
    quiet: bool,
) -> History:
    """Go on from the state in `out` if asked to, and run the loop. Returns what was recorded."""
    config, progress, place = trainer.config, trainer.progress, here()
    if out is not None and resume:
        go_on(trainer, out, again)
    else:
        copy_from_first(trainer.network.state_dict().values())
        draw_apart(config.seed)
        state = state_of(trainer)
        if out is not None and place.first:
            save_state(out / STATE, state)
    interval = config.validation_interval or batches.steps_per_epoch or config.steps
    with (
        JsonLog(out / LOG, progress.steps, progress.validated) if out and place.first else nullcontext() as file,
        tqdm(total=config.steps, unit="step", disable=hides_bar(quiet), dynamic_ncols=True) as bar,
    ):
        history = History(list(read_log(out / LOG)) if out and place.first else [], file)
        folder = out if place.first else None
        recorder = Recorder(trainer, validator, interval, folder, history, bar, on_validation)
        run(trainer, batches.stream(progress.steps, place), recorder)
    return history


def _length(epochs: int | None, steps: int | None, steps_per_epoch: int | None) -> int:
    """The run's length in steps."""
    if (epochs is None) == (steps is None):
        raise PhotomendError("fit: give its length as epochs or as steps, one of the two")
    if epochs is None:
        assert steps is not None
        return steps
    if not isinstance(epochs, int) or epochs < 1:
        raise PhotomendError(f"fit: epochs (={epochs!r}) must be a whole number above 0")
    if steps_per_epoch is None:
        raise PhotomendError("fit: the data doesn't say how many batches make an epoch (it has no length); give steps")
    return epochs * steps_per_epoch


def _optimizer(optimizer: str | Optimizer, model: Module, lr: float | None) -> Optimizer:
    """The optimizer, made if it was given by its name."""
    if isinstance(optimizer, Optimizer):
        if lr is not None:
            raise PhotomendError(f"fit: lr (={lr}) is for an optimizer given by its name; this one has its own")
        if {id(p) for p in optimizer.parameters}.isdisjoint(id(p) for p in model.parameters()):
            raise PhotomendError("fit: the optimizer has none of the model's parameters")
        return optimizer
    if optimizer not in OPTIMIZERS:
        raise PhotomendError(f"fit: optimizer {optimizer!r} is unknown; {did_you_mean(optimizer, OPTIMIZERS)}")
    made, default = OPTIMIZERS[optimizer]
    try:
        return made(model.parameters(), default if lr is None else lr)
    except (TypeError, ValueError) as error:
        raise PhotomendError(f"fit: {error}") from error


def _schedule(schedule: str | Callable[[int], float], lr: float, steps: int) -> Callable[[int], float]:
    """The learning rate by the step."""
    if not isinstance(schedule, str):
        return schedule
    named: dict[str, Callable[[int], float]] = {"constant": lambda step: lr, "cosine": WarmupCosine(lr, 0, steps)}
    if schedule not in named:
        raise PhotomendError(f"fit: schedule {schedule!r} is unknown; {did_you_mean(schedule, named)}")
    return named[schedule]


def _named(metrics: Sequence[str | Metric]) -> dict[str, Metric]:
    """The metrics by name."""
    made: dict[str, Metric] = {}
    for metric in metrics:
        if not isinstance(metric, str):
            name = getattr(metric, "__name__", type(metric).__name__)
            if name in made:
                raise PhotomendError(f"fit: two metrics are called {name!r}; give each a name of its own with def")
            made[name] = metric
        elif metric in METRICS:
            made[metric] = METRICS[metric]
        else:
            raise PhotomendError(f"fit: metric {metric!r} is unknown; {did_you_mean(metric, METRICS)}")
    return made
