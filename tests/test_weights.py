"""The two scripts that make the weights in the box: `weights/pack.py` and `weights/mean.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from photomend import models
from photomend.app import reconstructors
from photomend.app.reconstructors import load_reconstructor
from photomend.models.weights import Checkpoint, load_checkpoint, save_checkpoint

from .scripts import script

TINY: dict[str, Any] = {"width": 8, "dilations": [1], "window": 64}


def save(path: Path, value: float, name: str = "attention", **config: Any) -> Path:
    """A network's weights, all of them `value`."""
    network = models.build(name, **config)
    weights = {key: torch.full_like(one, value) for key, one in network.state_dict().items()}
    save_checkpoint(path, Checkpoint(name, weights, network.config, step=3, metrics={"mse": 1.0}))
    return path


def test_the_mean_of_a_file_and_a_run_folder(tmp_path: Path) -> None:
    mean = script("weights/mean")
    run = tmp_path / "run"
    run.mkdir()
    save(run / "last.safetensors", 7.0, **TINY)
    runs = (save(tmp_path / "a.safetensors", 1.0, **TINY), save(run / "best.safetensors", 2.5, **TINY).parent)
    outcome = CliRunner().invoke(mean.main, [*map(str, runs), "--out", str(tmp_path / "mean.safetensors")])
    assert outcome.exit_code == 0, outcome.output
    made = load_checkpoint(tmp_path / "mean.safetensors", model="attention")
    assert all(one.dtype == torch.float32 and (one == 1.75).all() for one in made.weights.values())
    assert made.config == models.build("attention", **TINY).config
    assert (made.step, made.metrics, made.calibration) == (0, {}, {})


def test_what_has_no_mean_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    mean = script("weights/mean")
    tiny, out = save(tmp_path / "a.safetensors", 1.0, **TINY), tmp_path / "mean.safetensors"
    for other, why in (
        (save(tmp_path / "deeper.safetensors", 1.0, **{**TINY, "dilations": [1, 2]}), "holds another network than"),
        (save(tmp_path / "dilated.safetensors", 1.0, **{**TINY, "dilations": [2]}), "holds another network than"),
        (save(tmp_path / "linear.safetensors", 1.0, "linear"), "holds another network than"),
        (tmp_path / "none.safetensors", "none.safetensors"),
    ):
        outcome = CliRunner().invoke(mean.main, [str(tiny), str(other), "--out", str(out)])
        assert outcome.exit_code == 1
        assert f"Error: {other}" in outcome.output
        assert why in outcome.output
    outcome = CliRunner().invoke(mean.main, [str(tiny), "--out", str(tmp_path / "mean.png")])
    assert "must end in .safetensors" in outcome.output
    assert not out.exists()


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package without weights yet."""
    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", tmp_path)
    yield tmp_path
    reconstructors.shipped.cache_clear()


def test_what_is_packed_can_be_repaired_with(box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = script("weights/pack")
    monkeypatch.setattr(pack, "WEIGHTS_FOLDER", box)
    made = pack.pack(save(tmp_path / "run.st", 1 / 3, **TINY), "photomend-m", {"views": 8})
    reconstructors.shipped.cache_clear()
    assert load_checkpoint(made).weights["stem.1.weight"].dtype == torch.float16
    network = load_reconstructor("photomend-m")
    assert isinstance(network, models.AttentionModel)
    assert network.views == 8
    assert all((p.data == torch.tensor(1 / 3).half()).all() for p in network.parameters())
