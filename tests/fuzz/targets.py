"""What is fuzzed: each reader, and what it owes for any bytes: a right answer or an error of the one family."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from photomend.app.options import read_settings
from photomend.app.photo.files import read
from photomend.app.photo.picture import CHANNELS
from photomend.app.reconstructors import load_run
from photomend.core import PhotomendError
from photomend.data.claims import allow_pixels
from photomend.data.photos import decode_photo
from photomend.data.prepared import count_rows
from photomend.train.checkpoint import load_state
from photomend.train.config import TrainConfig
from photomend.train.log import JsonLog, by_kind, read_log

from . import corpus

#: Pixels of a photo while fuzzing: enough for all that the corpus means, and soon too many.
PIXELS = 1_000_000


class Target(NamedTuple):
    """A reader: takes the path of a file, and checks what it gets; and the files to begin with."""

    read: Callable[[Path], object]
    corpus: Callable[[], list[bytes]]


def photo(path: Path) -> None:
    picture = read(path)
    channels = picture.pixels.shape[2] if picture.pixels.ndim == 3 else 1
    assert channels >= CHANNELS[picture.colours] + picture.alpha
    assert 0 < picture.shape[0] * picture.shape[1] <= PIXELS
    assert picture.pixels.shape[:2] == picture.shape


def training_photo(path: Path) -> None:
    pixels = decode_photo(path.read_bytes(), str(path))
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


def weights(path: Path) -> None:
    network = load_run(path)
    assert all(torch.isfinite(array).all() for array in network.state_dict().values())


def settings(path: Path) -> None:
    TrainConfig.from_dict(read_settings(path), str(path))


def log(path: Path) -> None:
    by_kind(read_log(path))
    with JsonLog(path, 1, 0) as written:
        written.write({"step": 2})
    assert read_log(path)[-1] == {"step": 2}


TARGETS = {
    "photo": Target(photo, corpus.photos),
    "training-photo": Target(training_photo, corpus.photos),
    "weights": Target(weights, corpus.weights),
    "state": Target(load_state, corpus.states),
    "settings": Target(settings, corpus.settings),
    "log": Target(log, corpus.logs),
    "prepared": Target(count_rows, corpus.prepared),
}


def attempt(target: Target, path: Path, data: bytes) -> bool:
    """Give these bytes to a reader; whether it refuses them. Raises what it does but an error of the family."""
    path.write_bytes(data)
    allow_pixels(PIXELS)
    try:
        with warnings.catch_warnings(action="ignore"):
            target.read(path)
        return False
    except PhotomendError as error:
        if len(str(error)) > 5000:
            raise ValueError("a message that nobody reads") from error
        return True
    finally:
        allow_pixels(None)
