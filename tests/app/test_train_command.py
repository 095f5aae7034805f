"""`photomend train` and `photomend demo`: a run from end to end, and what is refused."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from photomend.app import figures
from photomend.app.commands import train as module
from photomend.app.commands.demo import MADE_BY, MARK, remove_earlier_demo
from photomend.app.commands.train import merge, settle
from photomend.app.figures import draw_comparison
from photomend.app.reconstructors import load_reconstructor, load_run
from photomend.app.sources import open_source, with_several_holes
from photomend.core import PhotomendError
from photomend.data.evaluation_set import EvaluationSet
from photomend.models import BorderFill, HarmonicFill, LinearModel
from photomend.models.reconstructor import Reconstructor
from photomend.models.weights import load_checkpoint
from photomend.train.checkpoint import load_state

from .helpers import Shell, picture, tree

pytestmark = pytest.mark.slow  # whole training runs

SMALL = "model_config = { width = 16, dilations = [1] }\nvalidation_photos = 2\nbatch_size = 2\nworkers = 0\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_train_resume_evaluate_repair(shell: Shell, tmp_path: Path, small: Path) -> None:
    run = tmp_path / "run"
    train = ("train", "attention", "--out", run, "--device", "cpu")
    outcome = shell(*train, "--steps", "2", "--config", small, "--crop", "80", "--seed", "5")
    assert outcome.status == 0, outcome
    assert "validation 1  step 2" in outcome.out
    assert "(harmonic " in outcome.out
    settings = json.loads((run / "config.json").read_text())
    assert (settings["steps"], settings["batch_size"], settings["seed"]) == (2, 2, 5)
    assert settings["model_config"]["window"] == 80
    for name in ("loss.png", "reconstructions.png", "best.safetensors", "log.jsonl"):
        assert (run / name).is_file()

    before = tree(run)
    assert "holds a run already" in shell.fails(1, *train, "--steps", "2", "--config", small)
    assert tree(run) == before

    outcome = shell(*train, "--resume", "--steps", "3")
    assert outcome.status == 0, outcome
    assert load_checkpoint(run / "last.safetensors").step == 3
    assert json.loads((run / "config.json").read_text())["seed"] == 5

    for number in range(2):
        picture(tmp_path / "photos" / f"{number}.png", seed=number)
    photo = tmp_path / "photos" / "0.png"
    for model in (run, run / "last.safetensors"):
        outcome = shell(
            "repair", photo, "--box", "9,9,70,30", "-o", tmp_path / "o.png", "--overwrite", "--model", model
        )
        assert outcome.status == 0, outcome
    outcome = shell("evaluate", "--photos", tmp_path / "photos", "--split", "all", "--models", f"harmonic,{run}")
    assert outcome.status == 0, outcome
    assert str(run) in outcome.out


@pytest.mark.parametrize(("out", "said"), [("linear", "./linear"), ("border", "./border"), ("my run", "'my run'")])
def test_what_is_said_at_the_end_works_when_pasted(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, said: str
) -> None:
    """A run folder called like a network is meant by its bare name, too; one called like a fill is not."""
    monkeypatch.chdir(tmp_path)
    for number in range(10):
        picture(Path("photos") / f"{number}.png", seed=number)
    outcome = shell("train", "linear", "--photos", "photos", "--out", out, "--steps", "1", "--workers", "0")
    assert outcome.status == 0, outcome
    line = outcome.out.splitlines()[-1]
    assert line.endswith(f"--model {said}")
    name = shlex.split(line)[-1]
    model = load_reconstructor(name)
    assert isinstance(model, LinearModel)
    outcome = shell("evaluate", "--photos", "photos", "--split", "all", "--models", name, "--report", "page.html")
    assert outcome.status == 0, outcome
    assert "batch_size" in Path("page.html").read_text(encoding="utf-8")  # the run's settings
    assert isinstance(load_run(Path(out)), LinearModel)
    if out == "linear":
        assert isinstance(load_reconstructor(out), LinearModel)
    Path(out, "best.safetensors").unlink()
    Path(out, "last.safetensors").unlink()
    with pytest.raises(PhotomendError, match="no checkpoint in this folder"):
        load_reconstructor(name)
    with pytest.raises(PhotomendError, match="has no weights yet"):
        load_reconstructor("linear")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["atention", "--out", "run"], 1, "did you mean 'attention'?"),
        (["harmonic", "--out", "run"], 1, "no model to train is called 'harmonic'"),
        (["attention"], 2, "'--out'"),
        (["attention", "--out", "run", "--photos", "a", "--data", "b"], 2, "either --photos or --data"),
        (["attention", "--out", "run", "--steps", "1", "--minutes", "1"], 2, "either --minutes or --steps"),
        (["attention", "--out", "run", "--steps", "0"], 1, "steps (=0)"),
        (["attention", "--out", "run", "--photos", "void"], 1, "void: no photos"),
        (["attention", "--out", "run", "--resume"], 1, "config.json: can't be read"),
        (["attention", "--out", "run", "--config", "none.toml"], 1, "none.toml: can't be read"),
        (
            ["attention", "--out", "run", "--config", "typo.toml"],
            1,
            "typo.toml: unknown key 'bach_size'; did you mean 'batch_size'?",
        ),
        (["attention", "--out", "run", "--config", "broken.toml"], 1, "broken.toml: not a file of settings"),
        (
            ["attention", "--out", "run", "--config", "report.toml"],
            1,
            "is for the model 'attention-report', not 'attention'",
        ),
        (["attention", "--out", "run", "--crop", "81", "--steps", "1"], 1, "81"),
        (["attention", "--out", "run", "--crop", "32", "--steps", "1"], 1, "crop or window (=32) must be above 61"),
    ],
)
def test_mistakes(
    shell: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("void").mkdir()
    Path("typo.toml").write_text("bach_size = 3\n")
    Path("broken.toml").write_text("batch_size = \n")
    Path("report.toml").write_text('model = "attention-report"\n')
    before = tree(tmp_path)
    assert words in shell.fails(status, "train", *arguments)
    assert tree(tmp_path) == before


def test_settings_lie_over_each_other(tmp_path: Path, small: Path) -> None:
    assert settle("attention", {}, None, None).minutes == module.DEFAULT_MINUTES
    config = settle("attention", {"batch_size": 7, "steps": 3}, small, None)
    assert (config.batch_size, config.workers, config.steps, config.minutes) == (7, 0, 3, None)
    resumed = tmp_path / "config.json"
    resumed.write_text(json.dumps(config.to_dict()))
    again = settle("attention", {"minutes": 2.0}, None, resumed)
    assert (again.batch_size, again.steps, again.minutes) == (7, None, 2.0)
    assert settle("attention", {}, None, resumed) == config
    more = tmp_path / "more.toml"
    more.write_text("model_config = { window = 80 }\n")
    assert settle("attention", {}, more, resumed).model_config == {**config.model_config, "window": 80}
    more.write_text("model_config = 3\n")
    with pytest.raises(PhotomendError, match=r"more.toml: model_config \(=3\) must be a table"):
        settle("attention", {"model_config": {"window": 80}}, more, None)
    assert merge({"steps": 1, "lr": 2}, {"lr": 3}) == {"steps": 1, "lr": 3}


def test_the_curve_of_a_resumed_run_has_each_step_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[object, ...]] = []
    monkeypatch.setattr(figures, "loss_curve", lambda *arguments: drawn.append(arguments))
    records = [
        {"step": 1, "loss": 9.0},
        {"step": 2, "loss": 8.0},
        {"step": 2, "loss": 7.0},
        {"epoch": 1, "step": 2, "loss": 8.0, "mse": 60.0, "mae": 1.0},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    figures.draw_losses(tmp_path / "log.jsonl", 57.0, tmp_path / "loss.png")
    training, validation, path, references = drawn[0]
    assert training == [(1, 9.0), (2, 7.0)]
    assert validation == {"validation MSE": [(2, 60.0)], "validation MAE": [(2, 1.0)]}
    assert (path, references) == (tmp_path / "loss.png", {"harmonic": 57.0})


def test_sample_splits_are_disjoint_and_complete() -> None:
    names = {split: open_source(None, None, split) for split in ("train", "validation", "test", "all")}
    found = {split: {source.name(i) for i in range(len(source))} for split, source in names.items()}
    assert found["test"] == {"chelsea", "coffee", "rocket"}
    assert found["validation"] == {"camera", "gravel"}
    assert sum(len(found[split]) for split in ("train", "validation", "test")) == len(found["all"])
    assert found["train"] | found["validation"] | found["test"] == found["all"]


def test_the_demo_tests_each_sample_with_many_holes(tmp_path: Path) -> None:
    samples = list(EvaluationSet(with_several_holes(open_source(None, None, "test")), limit=6))
    assert len({sample.box for sample in samples}) == len(samples) > 3
    models: dict[str, Reconstructor] = {"border": BorderFill(), "harmonic": HarmonicFill()}
    draw_comparison(samples, models, torch.device("cpu"), tmp_path / "grid.png")
    assert (tmp_path / "grid.png").is_file()


def test_the_demo_replaces_only_its_own(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "log.jsonl").write_text("{}\n")
    with pytest.raises(PhotomendError, match="no demo"):
        remove_earlier_demo(run)
    assert (run / "log.jsonl").exists()
    (run / MARK).write_text(MADE_BY)
    (run / "notes.txt").write_text("mine")
    remove_earlier_demo(run)
    assert sorted(path.name for path in run.iterdir()) == [MARK, "notes.txt"]


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")
def test_sigterm_to_all_processes_of_a_run_saves_its_state(tmp_path: Path) -> None:
    """As `timeout` and the schedulers of clusters send it: the processes that read photos get it, too."""
    for number in range(10):
        picture(tmp_path / "photos" / f"{number}.png", seed=number)
    arguments = ("cnn", "--photos", tmp_path / "photos", "--out", tmp_path / "run", "--minutes", "5", "--workers", "2")
    command = [sys.executable, "-m", "photomend", "train", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        log = tmp_path / "run" / "log.jsonl"
        waited_until = time.monotonic() + 60
        while not (log.is_file() and log.read_text().count("\n") > 2) and time.monotonic() < waited_until:
            time.sleep(0.1)
        os.killpg(running.pid, signal.SIGTERM)
        error = running.communicate(timeout=60)[1]
    assert running.returncode != 0
    assert "Traceback" not in error
    assert "photomend: error: interrupted" in error
    assert load_state(tmp_path / "run" / "state.safetensors")["progress"]["steps"] > 0
