"""The training loop, written by hand, which leaves a run folder.

Of several ranks (torchrun) each runs it on its share of every batch; rank 0 alone writes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..core import Array, PhotomendError, replacing, runtime
from ..core.anomaly import AnomalyError
from ..core.files import write_chunks
from ..core.reading import parse_json, read_text
from ..data.loader import CropLoader
from ..data.photos import SkippedPhotoWarning, say_skipped
from ..data.sources import PhotoSource, names_digest, require_readable
from .adversarial import AdversarialTrainer
from .anomaly import explain
from .averaging import synchronised_batch_norms
from .checkpoint import STATE, draw_apart, holds_state, restore, run_folder, save_state, state_of
from .config import WORLD_SIZE, AdversarialConfig, TrainConfig
from .distributed import any_of, here, join, of_first, texts
from .log import LOG, JsonLog, Nowhere
from .recorder import Interval, Recorder
from .stopping import stop_requests
from .trainer import BaseTrainer, PhotoTrainer, Trainer
from .validation import Validator

CONFIG = "config.json"


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
        on_validation: told about each interval that has ended, on every rank; draws the figures.
        quiet: no progress bar.

    Where a launcher has started several ranks, each trains on its share of every batch, and all end with the weights
    that one would have had. All must see `out`. If the launcher starts them anew, because one died, they go on from the
    state in `out`, if it is of a run of these settings.

    Raises:
        PhotomendError: `out` holds a run already, or (resuming) none, a finished one, or one of other settings; another
            process is training there; no photos; the batch can't be split evenly among the ranks; a rank has ended; the
            loss is no longer a number; the disk refuses a file.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after the step in hand is finished and the state is saved.
    """
    place = join(torch.device(device))
    if config.batch_size % place.size:
        raise PhotomendError(
            f"training: batch_size (={config.batch_size}) must be divisible by the number of ranks (={place.size})"
        )
    again = place.restarts > 0 and bool(of_first(holds_state(out) and settings_of(out) == as_json(config))[0])
    with run_folder(out, resume or again) if place.first else nullcontext():
        return _train(config, photos, validator, out, resume or again, again, device, on_validation, quiet)


def _train(
    config: TrainConfig | AdversarialConfig,
    photos: PhotoSource,
    validator: Validator | None,
    out: Path,
    resume: bool,
    again: bool,
    device: torch.device | str,
    on_validation: Callable[[Interval], object],
    quiet: bool,
) -> PhotoTrainer[Any]:
    """`train` in a folder that no other run writes to; with `again` it may have come to its end already."""
    trainer: PhotoTrainer[Any]
    trainer = AdversarialTrainer(config, device) if isinstance(config, AdversarialConfig) else Trainer(config, device)
    trainer.photos = {"origin": photos.origin, "digest": names_digest(photos)}
    if resume:
        go_on(trainer, out, again)
    else:
        trainer.begin()
        draw_apart(config.seed)
    window, start, place = trainer.network.window, trainer.progress.steps, here()
    loader = CropLoader(
        photos, config.batch_size, window, config.seed, config.workers, start, holes=config.holes, ranks=place
    )
    require_readable(photos)
    if validator is not None:
        validator.read()
    runtime.keep_freed_memory()
    state = state_of(trainer)
    if place.first:
        # The settings first: a folder that has them alone holds no run yet.
        with replacing(out / CONFIG) as draft:
            recorded = config.to_dict() | {WORLD_SIZE: place.size}
            write_chunks(draft, [(json.dumps(recorded, indent=2) + "\n").encode()])
        if not resume:
            save_state(out / STATE, state)
    interval = config.validation_interval or max(50, loader.steps_per_epoch)
    unit = "step" if config.steps is not None else "s"
    with (
        JsonLog(out / LOG, trainer.progress.steps, trainer.progress.validated) if place.first else Nowhere() as log,
        tqdm(total=round(config.total), unit=unit, disable=hides_bar(quiet), dynamic_ncols=True) as bar,
        closing(iter(loader)) as batches,
        synchronised_batch_norms(config.sync_batch_norm, trainer.network, trainer.precision.network),
    ):
        recorder = Recorder(trainer, validator, interval, out if place.first else None, log, bar, on_validation)
        run(trainer, batches, recorder, loader.names)
    skipped = {name for text in texts("\n".join(loader.skipped)) for name in text.splitlines()}
    if skipped and place.first:
        warnings.warn(say_skipped(len(skipped), len(photos)), SkippedPhotoWarning, stacklevel=2)
    return trainer


def hides_bar(quiet: bool) -> bool | None:
    """What tqdm is told: no bar, or (None) one where there is a terminal; of several ranks one has it."""
    return True if quiet or not here().first else None


def as_json(config: TrainConfig | AdversarialConfig) -> Any:
    """Settings as they come back from a file."""
    return json.loads(json.dumps(config.to_dict()))


def settings_of(out: Path) -> Any:
    """The settings of the run in this folder, or None."""
    try:
        recorded = parse_json(read_text(out / CONFIG))
        return {name: value for name, value in recorded.items() if name != WORLD_SIZE}
    except (OSError, ValueError, AttributeError):
        return None


def go_on(trainer: BaseTrainer[Any], out: Path, finished_too: bool = False) -> None:
    """Bring a trainer to where the run in this folder stopped. Raises PhotomendError: what `restore` raises, or the run
    is finished, unless that is as well."""
    restore(trainer, out / STATE)
    if not finished_too and trainer.fraction >= 1 and trainer.progress.validated == trainer.progress.steps:
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
            if any_of(stop_requested()):
                recorder.save_state()
                raise KeyboardInterrupt
            recorder.validate_if_due()
