"""The benchmark that trains and measures what finds damage runs, on photos that are too few to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from photomend.app.masks.damage import KINDS, Judge, judges
from photomend.benchmarks import damage
from PIL import Image
from skimage import data


def test_training_and_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "STEPS", 20)
    for name, photo in {"a": data.astronaut(), "b": data.coffee()}.items():
        Image.fromarray(photo[100:220, 100:260]).save(tmp_path / f"{name}.png")
    file, before = tmp_path / "judges.npz", judges().copy()
    try:
        outcome = CliRunner().invoke(
            damage.main, ["--photos", str(tmp_path), "--fit", str(file), "--certainty", "0.5"], catch_exceptions=False
        )
    finally:
        judges().update(before)
    assert outcome.exit_code == 0
    assert "marks are damage; loss" in outcome.output
    assert "certainty 0.5: recall dust" in outcome.output
    with np.load(file) as arrays:
        assert sorted(arrays) == sorted(f"{kind}.{name}" for kind in KINDS for name in Judge._fields)
        for kind in KINDS:
            shapes = [arrays[f"{kind}.{name}"].shape for name in Judge._fields]
            assert shapes == [array.shape for array in before[kind]] == [(10,), (10,), (16, 10), (16,), (1, 16), (1,)]


def test_measuring_paint(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(data.coffee()[100:220, 100:260]).save(tmp_path / f"{name}.png")
    outcome = CliRunner().invoke(damage.main, ["--photos", str(tmp_path), "--paint"], catch_exceptions=False)
    assert outcome.exit_code == 0
    assert "without loss: found on 100 % of 1 photos" in outcome.output
    assert "after JPEG: found on 100 % of 1 photos" in outcome.output
