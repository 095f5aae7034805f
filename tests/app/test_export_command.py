"""`photomend export`: the file, its metadata, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest
from photomend import models
from photomend.models.weights import Checkpoint, save_checkpoint

from .helpers import Shell, tree


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network's weights as a training run writes them."""
    network = models.build("linear")
    save_checkpoint(tmp_path / "own.safetensors", Checkpoint("linear", network.state_dict(), network.config, step=7))
    return tmp_path / "own.safetensors"


def test_a_weights_file_becomes_an_onnx_file(shell: Shell, weights: Path, tmp_path: Path) -> None:
    outcome = shell("export", weights, "-o", tmp_path / "own.onnx")
    assert outcome.status == 0, outcome
    assert outcome.out.startswith(f"{tmp_path / 'own.onnx'}  0.0")
    assert "8 nodes, opset 21; onnxruntime's answers differ by " in outcome.out
    facts = {p.key: p.value for p in onnx.load(tmp_path / "own.onnx").metadata_props}
    assert facts["network"] == "LinearModel"
    assert facts["step"] == "7"
    assert facts["trained_hole"] == "up to 61 pixels a side"
    assert facts["input_photo"].endswith("Any height and width.")
    assert "photomend doesn't know it" in facts["license"]


def test_what_is_refused_and_leaves_everything_as_it_was(shell: Shell, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "here.onnx").write_text("mine")
    (tmp_path / "broken.safetensors").write_text("no weights")
    before = tree(tmp_path)
    for model, output, words in (
        (weights, "here.onnx", "here.onnx: exists already; --overwrite replaces it"),
        (weights, "new.pt", "new.pt: the name of this file must end in .onnx"),
        (weights, "nowhere/new.onnx", "there is no folder to write it to"),
        (tmp_path / "broken.safetensors", "new.onnx", "broken.safetensors: not a checkpoint"),
        (tmp_path / "missing", "new.onnx", "no model, run folder or weights file"),
        ("harmonic", "new.onnx", "'harmonic' is a classical fill and has no layers; networks are linear"),
        ("attention", "new.onnx", "has no weights yet"),
    ):
        assert words in shell.fails(1, "export", str(model), "-o", tmp_path / output)
    shell.fails(2, "export", str(weights))
    assert tree(tmp_path) == before
    assert shell("export", weights, "-o", tmp_path / "here.onnx", "--overwrite").status == 0


def test_without_onnx_it_says_what_to_install(
    shell: Shell, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("photomend.app.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(sys.modules["photomend.app"], "export", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    line = shell.fails(1, "export", weights, "-o", tmp_path / "own.onnx")
    assert line == "photomend: error: export needs the package onnx: pip install photomend[export]\n"


def test_without_onnxruntime_it_says_so(
    shell: Shell, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert shell("export", weights, "-o", tmp_path / "own.onnx").out.endswith("onnxruntime isn't installed\n")


def test_other_answers_than_ours_are_not_written(
    shell: Shell, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photomend.app.export import check

    monkeypatch.setattr(check, "difference", lambda model, network: 0.1)
    line = shell.fails(1, "export", weights, "-o", tmp_path / "own.onnx")
    assert "isn't written, because onnxruntime's answers differ by 1.0e-01" in line
    assert not (tmp_path / "own.onnx").exists()
