"""`photomend train gan` from end to end, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from photomend import models
from photomend.models.weights import Checkpoint, load_checkpoint, save_checkpoint
from photomend.train.adversarial import AdversarialTrainer

from ..train.interrupting import interrupt
from .helpers import Shell, picture, tree

pytestmark = pytest.mark.slow  # whole training runs

TINY = {"width": 16, "dilations": [1], "window": 72}
FEW = "validation_photos = 2\nbatch_size = 2\nworkers = 0\n"


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A run of attention, as far as gan cares."""
    torch.manual_seed(0)
    network = models.build("attention", **TINY)
    (tmp_path / "attention").mkdir()
    checkpoint = Checkpoint("attention", network.state_dict(), network.config)
    save_checkpoint(tmp_path / "attention" / "best.safetensors", checkpoint)
    (tmp_path / "few.toml").write_text(FEW)
    return tmp_path / "attention"


def test_train_resume_evaluate_repair(shell: Shell, tmp_path: Path, start: Path) -> None:
    run = tmp_path / "run"
    train = ("train", "gan", "--out", run, "--device", "cpu")
    outcome = shell(*train, "--from", start, "--steps", "2", "--config", tmp_path / "few.toml")
    assert outcome.status == 0, outcome
    assert "validation 1  step 2" in outcome.out
    assert "hole MAE" in outcome.out
    assert "validation 0  step 0  (as it began)" in outcome.out
    step = load_checkpoint(run / "best.safetensors").step
    assert outcome.out.splitlines()[-2].startswith(f"{run}: the weights ")
    assert (f"of step {step} are kept" if step else "still the attention model's own") in outcome.out.splitlines()[-2]
    settings = json.loads((run / "config.json").read_text())
    assert (settings["model"], settings["initial_weights"]) == ("gan", str(start))
    assert settings["model_config"]["width"] == TINY["width"]
    outcome = shell(*train, "--resume", "--steps", "3")
    assert outcome.status == 0, outcome
    assert load_checkpoint(run / "last.safetensors", model="gan").step == 3

    picture(tmp_path / "photos" / "0.png")
    photo, repaired = tmp_path / "photos" / "0.png", tmp_path / "repaired.png"
    outcome = shell("repair", photo, "--box", "9,9,40,30", "-o", repaired, "--model", run)
    assert outcome.status == 0, outcome
    outcome = shell("evaluate", "--photos", tmp_path / "photos", "--split", "all", "--models", f"harmonic,{run}")
    assert outcome.status == 0, outcome
    assert str(run) in outcome.out


def test_a_run_that_kept_nothing_of_its_own_says_so(
    shell: Shell, tmp_path: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at its first validation, or by Ctrl-C before it."""
    train = ("train", "gan", "--from", start, "--device", "cpu", "--config", tmp_path / "few.toml", "--steps", "2")
    with monkeypatch.context() as patch:
        interrupt(AdversarialTrainer, "step", 1, patch)
        outcome = shell(*train, "--out", tmp_path / "cut")
    assert outcome.status == 130
    assert f"{tmp_path / 'cut'}: the weights kept are still the attention model's own\n" in outcome.out
    judge = AdversarialTrainer.after_validation
    worse = iter([20.0, 30.0])
    monkeypatch.setattr(
        AdversarialTrainer, "after_validation", lambda self, _: judge(self, {"hole_mae": next(worse), "sharpness": 0.5})
    )
    outcome = shell(*train, "--out", tmp_path / "stopped")
    assert "may help; the weights kept are still the attention model's own\n" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["gan"], 1, "gan goes on from a trained attention model; say which one: --from RUN"),
        (["gan", "--from", "nothing"], 1, "nothing: no such checkpoint"),
        (["gan", "--from", "report.safetensors"], 1, "holds the model 'attention-report', not 'attention'"),
        (["gan", "--from", "attention", "--config", "other.toml"], 1, "unknown key 'mse_weight'"),
        (["gan", "--from", "attention", "--resume"], 2, "--from is for a new run; leave it out"),
        (["linear", "--from", "attention"], 1, "holds the model 'attention', not 'linear'"),
    ],
)
def test_mistakes(
    shell: Shell,
    tmp_path: Path,
    start: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    network = models.build("attention-report", window=72)
    save_checkpoint(Path("report.safetensors"), Checkpoint("attention-report", network.state_dict(), network.config))
    Path("other.toml").write_text("mse_weight = 1.0\n")
    before = tree(tmp_path)
    assert words in shell.fails(status, "train", *arguments, "--out", "run", "--steps", "1")
    assert tree(tmp_path) == before
