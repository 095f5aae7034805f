"""What the tests of commands share: run one as a user would, and photos to run it on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from photomend.app.cli import run
from PIL import Image


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


class Shell:
    """Runs commands in this process and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str | Path) -> Outcome:
        self.capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Outcome(status, *self.capsys.readouterr())

    def fails(self, status: int, *arguments: str | Path) -> str:
        """Run a command that must fail with `status` and one line on standard error; that line."""
        outcome = self(*arguments)
        assert outcome.status == status, outcome
        assert outcome.err.startswith("photomend: error: "), outcome.err
        assert outcome.err.count("\n") == 1, outcome.err
        assert "Traceback" not in outcome.err
        return outcome.err


def picture(path: Path, height: int = 80, width: int = 100, seed: int = 0) -> np.ndarray:
    """Write a photo, smooth with some noise, and return its pixels as they are read back."""
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(seed)
    bands = 120 + 60 * np.sin(x / 17 + seed), 90 + 70 * np.cos(y / 23), 60 + 0.9 * x + 0.3 * y
    rgb = np.stack(bands, axis=-1) + rng.normal(0, 4, (height, width, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(path)
    return pixels(path)


def holes(path: Path, height: int = 80, width: int = 100, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Write a mask with these boxes (x, y, width, height), and return it as booleans."""
    mask = np.zeros((height, width), bool)
    for x, y, w, h in boxes:
        mask[y : y + h, x : x + w] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return mask


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root` with its contents."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
