"""The readers of photos, masks, weights, states, settings and logs, and what each owes."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
from photomend.app import reconstructors
from photomend.app.masks.reading import read_mask
from photomend.app.options import read_settings
from photomend.app.photo.files import read, write
from photomend.app.photo.formats import output_form
from photomend.app.photo.picture import CHANNELS
from photomend.app.web.answers import parsed
from photomend.app.web.edits import draw
from photomend.core import PhotomendError
from photomend.core.backend import profile
from photomend.data.photos import decode_photo
from photomend.models import LinearModel, RepairNetwork
from photomend.models.reconstructor import Reconstructor
from photomend.models.weights import load
from photomend.train.checkpoint import restore
from photomend.train.config import TrainConfig
from photomend.train.log import JsonLog, by_kind, read_log
from photomend.train.trainer import Trainer

#: The suffix under which a photo is written again in its own format.
SUFFIX = {"JPEG2000": ".jp2", "HEIF": ".heic", "AVIF": ".avif", "PPM": ".ppm", "JPEG": ".jpg", "WEBP": ".webp"}


def photo(path: Path) -> None:
    picture = read(path)
    channels = picture.pixels.shape[2] if picture.pixels.ndim == 3 else 1
    assert channels >= CHANNELS[picture.colours] + picture.alpha
    assert 0 < picture.shape[0] * picture.shape[1] <= 1_000_000
    assert picture.pixels.shape[:2] == picture.shape


def training_photo(path: Path) -> None:
    pixels = decode_photo(path.read_bytes(), str(path))
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


def mask(path: Path) -> None:
    for threshold in (None, 200):
        missing = read_mask(path, threshold)
        assert missing.dtype == np.bool_
        assert missing.ndim == 2


def repaired_photo(path: Path) -> None:
    """Written in its own format, a photo takes along what its file holds beside the pixels, which is read again."""
    picture = read(path)
    form = picture.origin.form if picture.origin is not None else ""
    target = path.with_name(f"repaired{SUFFIX.get(form, f'.{form.lower()}')}")
    try:
        output_form(target)
    except PhotomendError:
        target = target.with_suffix(".png")
    pixels = picture.pixels.copy()
    pixels[:2, :2] = pixels[-1, -1]
    write(target, picture.copy(pixels=pixels))
    assert read(target).shape == picture.shape


def marks(path: Path) -> None:
    missing = draw(parsed(path.read_bytes()).get("edits"), 60, 80, np.ones((60, 80), np.bool_))
    assert missing.shape == (60, 80)
    assert missing.dtype == np.bool_


def weights(path: Path) -> None:
    model: Reconstructor
    model, calibrations = reconstructors.load(str(path))
    assert isinstance(model, RepairNetwork)
    assert all(torch.isfinite(array).all() for array in model.state_dict().values())
    for known in calibrations:
        assert known is None or np.isfinite([known.mean, *known.coefficients]).all()


def arrays(path: Path) -> None:
    module = load(path, into=LinearModel(2))
    assert all(torch.isfinite(array).all() for array in module.state_dict().values())


def digests(path: Path) -> None:
    for name, digest in reconstructors.read_sums(path).items():
        assert len(digest) == 64
        assert Path(name).name == name


@cache
def trainer() -> Trainer:
    return Trainer(TrainConfig(model="linear", model_config={"splits": 2}, steps=6))


def state(path: Path) -> None:
    restore(trainer(), path)


def settings(path: Path) -> None:
    is_json = path.read_bytes()[:1] in (b"{", b"[")
    path = path.replace(path.with_suffix(".json" if is_json else ".toml"))
    TrainConfig.from_dict(read_settings(path), str(path))


def log(path: Path) -> None:
    by_kind(read_log(path))
    with JsonLog(path, 1, 0) as written:
        written.write({"step": 2})
    assert read_log(path)[-1] == {"step": 2}


def machine_profile(path: Path) -> None:
    os.environ["XDG_CACHE_HOME"] = str(path.parent)
    place = profile.path()
    place.parent.mkdir(exist_ok=True)
    path.replace(place)
    found = profile.load()
    assert found is None or json.loads(place.read_text())
