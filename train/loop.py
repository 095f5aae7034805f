"""The training loop, written by hand, which leaves a run folder.

After each validation, and every two minutes in between, the state is saved from which a stopped run is resumed.
"""

from __future__ import annotations

import json
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from tqdm import tqdm

from ..core import PhotomendError, replacing, runtime
from ..data.loader import CropLoader
from ..data.photos import SkippedPhotoWarning, say_skipped
from ..data.sources import PhotoSource, names_digest, require_readable
from ..models.weights import BEST, LAST
from .adversarial import AdversarialTrainer
from .books import Books, Interval
from .checkpoint import STATE, restore, save_state, state_of
from .config import AdversarialConfig, TrainConfig
from .log import JsonLog
from .trainer import BaseTrainer, Trainer
from .validation import Validator

CONFIG, LOG = "config.json", "log.jsonl"


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
) -> BaseTrainer[Any]:
    """Train a network and leave a run folder: config.json, log.jsonl, best, last and state (safetensors).

    Args:
        config: the settings.
        photos: what is trained on.
        validator: what the averaged weights are validated on, before the first step and after each interval; the best
            are kept. Without one the last are the best.
        out: the run folder; made if it isn't there.
        resume: go on with the run that is in `out`.
        device: where it runs.
        on_validation: told about each interval that has ended; draws the figures.
        quiet: no progress bar.

    Raises:
        PhotomendError: `out` holds a run already, or (resuming) none, a finished one, or one of other settings; no
            photos; the loss is no longer a number.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after the step in hand is finished and the state is saved.
    """
    if not resume and any((out / name).exists() for name in (STATE, LAST, BEST, LOG)):
        raise PhotomendError(f"{out}: holds a run already; resume it, or choose another folder")
    trainer: BaseTrainer[Any]
    trainer = AdversarialTrainer(config, device) if isinstance(config, AdversarialConfig) else Trainer(config, device)
    trainer.photos = {"origin": photos.origin, "digest": names_digest(photos)}
    if resume:
        restore(trainer, out / STATE)
        if trainer.done >= 1 and trainer.progress.validated == trainer.progress.steps:
            raise PhotomendError(f"{out}: {trainer.ending}")
    else:
        trainer.begin()
    window, start = trainer.network.window, trainer.progress.steps
    loader = CropLoader(
        photos, config.batch_size, window, config.seed, config.workers, start_step=start, holes=config.holes
    )
    require_readable(photos)
    if validator is not None:
        validator.read()
    runtime.keep_freed_memory()
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        save_state(out / STATE, state_of(trainer))
    with replacing(out / CONFIG) as draft:
        draft.write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
    interval = config.validation_interval or max(50, loader.steps_per_epoch)
    unit = "step" if config.steps is not None else "s"
    with (
        JsonLog(out / LOG, trainer.progress.steps) as log,
        tqdm(total=round(config.total), unit=unit, disable=True if quiet else None, dynamic_ncols=True) as bar,
        closing(loader.batches()) as batches,
        stop_requests() as stop_requested,
    ):
        books = Books(trainer, validator, interval, out, log, bar, on_validation)
        books.validate_if_due()
        while trainer.done < 1:
            batch = next(batches)
            loss, norm = trainer.step(batch.photo.to(trainer.device), batch.mask.to(trainer.device))
            books.enter(loss, norm)
            if stop_requested():
                books.save_state()
                raise KeyboardInterrupt
            books.validate_if_due()
    if loader.skipped:
        warnings.warn(say_skipped(len(loader.skipped), len(photos)), SkippedPhotoWarning, stacklevel=2)
    return trainer


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM as requests that the loop answers between two steps, when nothing is half done: gives a
    function that says whether there was one since the context was entered.

    A second signal raises KeyboardInterrupt at once. Outside the main thread signals can't be caught, and the function
    always says no.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
