"""Small files of every format that is read, made here from nothing: what the fuzzer starts from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from photomend import models
from photomend.app.photo.files import write
from photomend.app.photo.metadata import Metadata
from photomend.app.photo.picture import Picture
from photomend.core.backend import profile
from photomend.core.backend.machine import TORCH
from photomend.models.calibration import Calibration
from photomend.models.weights import Checkpoint, save_checkpoint
from photomend.tests.data.hostile import READ, REFUSED
from photomend.train.checkpoint import save_state, state_of
from photomend.train.config import TrainConfig
from photomend.train.trainer import Trainer
from PIL import Image
from safetensors.torch import save
from tifffile import imwrite

SIDE = 12
SUFFIXES = (".png", ".jpg", ".webp", ".avif", ".jp2", ".bmp", ".ppm")
TIFFS: tuple[dict[str, Any], ...] = (
    {},
    {"compression": "deflate", "predictor": True},
    {"compression": "lzw", "tile": (16, 16)},
    {"planarconfig": "separate"},
    {"bigtiff": True, "rowsperstrip": 4},
)


def pictures() -> dict[str, Picture]:
    """A picture of each kind of pixels."""
    rng = np.random.default_rng(0)
    said = Metadata(xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', dpi=(72.0, 72.0), text={"Comment": "small"})
    colour = rng.integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    deep = rng.integers(0, 65536, (SIDE, SIDE, 3), dtype=np.uint16)
    floats = rng.random((SIDE, SIDE), dtype=np.float32)
    return {
        "RGB": Picture(colour[..., :3].copy(), "RGB", metadata=said),
        "RGBA": Picture(colour, "RGB", alpha=True, metadata=said),
        "grey": Picture(colour[..., 0].copy(), "grey", metadata=Metadata()),
        "deep": Picture(deep, "RGB", metadata=said),
        "floats": Picture(floats, "grey", metadata=Metadata()),
    }


def photos() -> list[bytes]:
    """Files of every format that photos are written in, some that are only read, and the zoo of hostile ones."""
    made: list[bytes] = []
    with TemporaryDirectory() as folder:
        for name, picture in pictures().items():
            more = {"floats": (".pfm",), "RGBA": (".pam",), "RGB": (".heic",)}.get(name, ())
            for suffix in (".tif", *(() if name == "floats" else SUFFIXES), *more):
                path = Path(folder, f"{name}{suffix}")
                write(path, picture)
                made.append(path.read_bytes())
    pixels = pictures()["RGB"].pixels
    for options in TIFFS:
        target, shown = BytesIO(), np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels
        imwrite(target, shown, photometric="rgb", **options)
        made.append(target.getvalue())
    image, frames = Image.fromarray(pixels), BytesIO()
    image.save(frames, "GIF", save_all=True, append_images=[image.rotate(90)], duration=40)
    exif, turned = Image.Exif(), BytesIO()
    exif[274] = 6
    image.save(turned, "JPEG", exif=exif)
    small = [content for _, content in (*REFUSED.values(), *READ.values()) if len(content()) < 10_000]
    return [*made, frames.getvalue(), turned.getvalue(), *(content() for content in small)]


def network() -> models.RepairNetwork:
    torch.manual_seed(0)
    return models.LinearModel(2)


def weights() -> list[bytes]:
    known = Checkpoint("linear", network().state_dict(), network().config)
    calibration = Calibration((0.1, 0.2, 0.3, 0.4), 1.1, 0.5, 2.0).to_dict()
    return [
        *_written(lambda path: save_checkpoint(path, known)),
        *_written(lambda path: save_checkpoint(path, replace(known, metrics={"mse": 57.1}, calibration=calibration))),
        *_written(lambda path: save_checkpoint(path, replace(known, natural_calibration=calibration))),
        save(network().state_dict()),  # as another program writes it
    ]


def states() -> list[bytes]:
    trainer = Trainer(TrainConfig(model="linear", model_config={"splits": 2}, steps=6))
    return _written(lambda path: save_state(path, state_of(trainer)))


def settings() -> list[bytes]:
    config = TrainConfig(steps=6).to_dict()
    lines = [f"{key} = {json.dumps(value)}" for key, value in config.items() if not isinstance(value, dict | None)]
    return [json.dumps(config).encode(), "\n".join(lines).encode()]


def logs() -> list[bytes]:
    records = [{"step": 1, "loss": 0.5, "lr": 1e-3}, {"validation": 0, "step": 1, "mse": 4.5}, {"epoch": 1}]
    return ["".join(json.dumps(record) + "\n" for record in records).encode()]


def marks() -> list[bytes]:
    """What the page sends."""
    edits = [
        {"kind": "stroke", "points": [[1, 2], [30, 20.5], [70, 59]], "radius": 3},
        {"kind": "box", "x": 4, "y": 5, "width": 20, "height": 10, "erase": True},
        {"kind": "found"},
    ]
    return [json.dumps({"edits": edits, "model": "attention", "look": "faithful"}).encode()]


def digests() -> list[bytes]:
    return [f"{'9f' * 32}  photomend-s.safetensors\n{'0a' * 32}  cnn.safetensors\n".encode()]


def profiles() -> list[bytes]:
    """A profile of this machine, which the reader takes for its own."""
    with TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        return [profile.save(TORCH).read_bytes()]


def _written(write: Callable[[Path], object]) -> list[bytes]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "file.safetensors")
        write(path)
        return [path.read_bytes()]
