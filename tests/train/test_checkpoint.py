"""Checkpoints: what was saved comes back, and everything else is one line that says what and where."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from photomend.core import PhotomendError
from photomend.models import safetensors_file
from photomend.models import weights as module
from photomend.models.weights import Checkpoint, load_checkpoint, save_checkpoint
from photomend.train.checkpoint import load_state, save_state
from safetensors.torch import save_file


def example(value: float = 1.0, model: str = "attention") -> Checkpoint:
    shared = torch.full((2, 3), value)
    weights = {"a.weight": shared.T, "a.tied": shared, "count": torch.tensor(7)}
    return Checkpoint(model, weights, {"width": 32}, step=40, metrics={"mse": 1 / 3})


def same(a: Checkpoint, b: Checkpoint) -> bool:
    assert a.weights.keys() == b.weights.keys()
    about = (a.model, a.config, a.step, a.metrics) == (b.model, b.config, b.step, b.metrics)
    return about and all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)


def one_line(error: pytest.ExceptionInfo[PhotomendError], *words: str) -> None:
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, example())
    assert same(load_checkpoint(path, model="attention"), example())
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_run_folder_means_its_best_and_else_its_last(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.safetensors", example(2.0))
    assert same(load_checkpoint(tmp_path), example(2.0))
    save_checkpoint(tmp_path / "best.safetensors", example(3.0))
    assert same(load_checkpoint(tmp_path), example(3.0))


def test_state_round_trip(tmp_path: Path) -> None:
    state = {
        "step": 12,
        "name": "x",
        "optimizer": {"lr": 0.1 + 0.2, "slots.0": torch.randn(3, dtype=torch.float64)},
        "empty": {},
        "history": [1.5, None],
    }
    save_state(tmp_path / "state.safetensors", state)
    back = load_state(tmp_path / "state.safetensors")
    array = state["optimizer"].pop("slots.0")  # type: ignore[attr-defined]
    assert torch.equal(back["optimizer"].pop("slots.0"), array)
    assert back == state
    save_state(tmp_path / "state.safetensors", {})
    assert load_state(tmp_path / "state.safetensors") == {}


@pytest.mark.parametrize("stage", ["write", "replace"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, example(1.0))

    def torn(draft: Path, chunks: object) -> None:
        draft.write_bytes(b"half a fi")
        raise KeyboardInterrupt

    def refused(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    if stage == "write":
        monkeypatch.setattr(safetensors_file, "write_chunks", torn)
    else:
        monkeypatch.setattr("os.replace", refused)
    with pytest.raises((KeyboardInterrupt, PhotomendError)):
        save_checkpoint(path, example(2.0))
    monkeypatch.undo()
    assert same(load_checkpoint(path), example(1.0))
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]


def test_another_models_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, example(model="cnn"))
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(path, model="attention")
    one_line(error, str(path), "'cnn'", "'attention'")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(PhotomendError) as error:
        save_checkpoint(tmp_path / "nowhere" / "w.safetensors", example())
    one_line(error, "nowhere", "cannot be written")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(tmp_path / "none.safetensors")
    one_line(error, "none.safetensors", "no such checkpoint")
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(tmp_path)
    one_line(error, str(tmp_path), "no checkpoint in this folder")


@pytest.mark.parametrize("damage", ["truncated", "noise", "empty", "pickle"])
def test_damaged_files(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, example())
    whole = path.read_bytes()
    if damage == "pickle":
        torch.save({"w": torch.ones(1)}, path)
    else:
        path.write_bytes({"truncated": whole[:-5], "noise": b"\xff" * 100, "empty": b""}[damage])
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(path)
    one_line(error, str(path), "a zip file" if damage == "pickle" else "damaged")


def test_foreign_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"w": torch.ones(1)}, path)
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(path)
    one_line(error, str(path), "not one that photomend wrote")
    save_state(path, {"step": 1})
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(path)
    one_line(error, "holds state, not weights")
    monkeypatch.setattr(module, "VERSION", 99)
    save_checkpoint(path, example())
    monkeypatch.undo()
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(path)
    one_line(error, "format 99")
