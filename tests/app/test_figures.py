"""Figures: PNG files with what was asked in them, or an error and no file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photomend.app.figures import loss_curve, reconstruction_grid
from PIL import Image


def ink(path: Path) -> float:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return float((np.asarray(image.convert("L")) < 250).mean())


def test_loss_curve(tmp_path: Path) -> None:
    training = [(float(step), 1 / (1 + step)) for step in range(200)]
    validation = {"MSE": [(50.0, 3.0), (100.0, 2.0)], "MAE": [(50.0, 1.0), (100.0, 0.9)]}
    loss_curve(training, validation, tmp_path / "loss.png", references={"harmonic": 2.5})
    assert 0.005 < ink(tmp_path / "loss.png") < 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["loss.png"]


@pytest.mark.parametrize("training", [[], [(1.0, 0.5)], [(1.0, 0.0), (2.0, 0.0)]])
def test_short_runs(tmp_path: Path, training: list[tuple[float, float]]) -> None:
    loss_curve(training, {"MSE": []}, tmp_path / "loss.png")
    assert ink(tmp_path / "loss.png") > 0


def test_grid_shows_its_photos(tmp_path: Path) -> None:
    red, blue = (np.full((60, 60, 3), colour, np.uint8) for colour in ((200, 10, 10), (10, 10, 200)))
    reconstruction_grid(
        [[red, blue], [blue, red]],
        ["masked", "truth"],
        tmp_path / "grid.png",
        labels=["one", "two"],
        captions=[["", "MSE 1"], ["", "MSE 2"]],
    )
    shown = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB")).reshape(-1, 3)
    for colour in ((200, 10, 10), (10, 10, 200)):
        assert (shown == colour).all(axis=1).mean() > 0.3


def test_errors(tmp_path: Path) -> None:
    photo = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="must hold 2 images, got"):
        reconstruction_grid([[photo]], ["masked", "truth"], tmp_path / "grid.png")
    with pytest.raises(ValueError, match="rows"):
        reconstruction_grid([], ["masked"], tmp_path / "grid.png")
    with pytest.raises(OSError, match="nowhere"):
        loss_curve([], {}, tmp_path / "nowhere" / "loss.png")
    assert list(tmp_path.iterdir()) == []
