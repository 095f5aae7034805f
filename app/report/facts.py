"""Settings, seeds and versions: what it takes to reproduce the numbers."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import __version__
from ...core import PhotomendError
from ...core.module import Module
from ...models.weights import find_checkpoint, load_checkpoint
from ...train.loop import CONFIG


def machine(device: torch.device) -> dict[str, str]:
    """The machine and the versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "date": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "photomend": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "NumPy": np.__version__,
        "device": f"{device.type} ({name})",
        "threads": str(torch.get_num_threads()),
    }


def run(weights: Path, network: object) -> dict[str, str]:
    """What the files of a model, a run folder or weights file, say of it and of its training."""
    checkpoint = load_checkpoint(weights)
    rows = {"weights": f"{find_checkpoint(weights).name}, step {checkpoint.step}", "model": checkpoint.model}
    if isinstance(network, Module):
        rows["parameters"] = f"{network.parameter_count():,}".replace(",", " ")
    rows |= described(checkpoint.config)
    settings = weights / CONFIG
    if settings.is_file():
        rows |= {f"training: {key}": value for key, value in described(read_settings(settings)).items()}
    return rows


def described(values: Mapping[str, Any]) -> dict[str, str]:
    """Settings that are given, as texts."""
    given = {key: value for key, value in values.items() if value is not None and value != {}}
    return {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in given.items()}


def read_settings(path: Path) -> dict[str, Any]:
    """A JSON object. Raises PhotomendError naming the file when it can't be read or is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PhotomendError(f"{path}: not a file of settings ({error})") from error
