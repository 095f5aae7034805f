"""`photomend demo`: all five systems in one command and one page."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from photomend.app.commands.demo import (
    CLASSICAL,
    MARK,
    REPORT,
    SHARES,
    about_the_gan,
    classical,
    photo_limit,
    training_runs,
)
from photomend.app.reconstructors import load_reconstructor
from photomend.core import PhotomendError
from photomend.train.config import AdversarialConfig
from photomend.train.evaluation.evaluate import Evaluation, evaluate_models
from photomend.train.evaluation.summary import Estimate, Summary

from .helpers import Shell, picture, tree

pytestmark = pytest.mark.slow  # a whole demo


def test_five_systems_and_a_report(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of a second: hardly a step each, but everything is there; a second one replaces it and only it."""
    for number in range(60):
        picture(tmp_path / "photos" / f"{number}.png", seed=number)
    evaluated: list[str] = []

    def recorded(*arguments: Any, **options: Any) -> list[Evaluation]:
        evaluations = evaluate_models(*arguments, **options)
        evaluated.extend(result.name for result in evaluations[0].results)
        return evaluations

    monkeypatch.setattr("photomend.app.commands.demo.evaluate_models", recorded)
    monkeypatch.setattr("photomend.app.commands.demo.photo_limit", lambda budget: 6)  # of more test photos than that
    monkeypatch.setattr("photomend.app.commands.demo.CLASSICAL", ("random", "border", "harmonic"))
    out = tmp_path / "demo"
    arguments = ("demo", "--photos", tmp_path / "photos", "--budget", "0.02", "--out", out)
    outcome = shell(*arguments)
    assert outcome.status == 0, outcome
    assert outcome.out.splitlines()[-1] == str(out / REPORT)
    page = (out / REPORT).read_text(encoding="utf-8")
    for name in ("random", "border", "harmonic", *SHARES):
        assert f"\n{name} " in outcome.out
        assert f'<th scope="row">{name}</th>' in page
    shown = re.findall(r"<h3>(\d+\.png)</h3>", page)
    assert 3 <= len(shown) <= 4 < len(evaluated) <= 6
    assert set(shown) <= set(evaluated)
    assert f"<h1>{3 + len(SHARES)} ways to fill a hole</h1>" in page
    for name in SHARES:
        load_reconstructor(str(out / name))
    assert "The GAN is hardly sharper here" in outcome.out
    assert "<p>The GAN is hardly sharper here" in page
    (out / "notes.txt").write_text("mine")
    before = tree(out)
    assert shell(*arguments).status == 0
    after = tree(out)
    assert before.keys() == after.keys()
    assert after["notes.txt"] == b"mine"
    (out / MARK).write_text("my own notes about a demo\n")
    before = tree(out)
    assert f"{out / MARK}: was not written by a demo" in shell.fails(1, *arguments)
    assert tree(out) == before
    (out / MARK).unlink()
    assert "holds a run that is no demo" in shell.fails(1, *arguments)


def test_the_budget_is_shared_and_the_gan_goes_on_from_attention(tmp_path: Path) -> None:
    configs = training_runs(10, tmp_path)
    assert list(configs) == ["linear", "cnn", "attention", "gan"]
    assert sum(config.total for config in configs.values()) < 0.7 * 600
    assert max(configs, key=lambda name: configs[name].total) == "attention"
    assert isinstance(configs["gan"], AdversarialConfig)
    assert configs["gan"].initial_weights == str(tmp_path / "attention")
    assert set(CLASSICAL) == {"random", "border", "harmonic", "biharmonic", "telea", "ns"}
    assert [photo_limit(minutes) for minutes in (0.01, 1, 60)] == [4, 40, 200]
    with pytest.raises(PhotomendError, match="minutes"):
        training_runs(float("inf"), tmp_path)


def test_what_is_no_training_does_not_grow_with_the_budget(tmp_path: Path) -> None:
    for budget, rest in ((5, 0.42 * 5), (20, 4), (60, 4)):
        minutes = {name: config.total / 60 for name, config in training_runs(budget, tmp_path).items()}
        assert budget - sum(minutes.values()) == pytest.approx(rest)
    assert minutes["gan"] > 15


@pytest.mark.parametrize(("gan", "said"), [(0.07, True), (0.073, True), (0.075, False), (float("nan"), True)])
def test_a_gan_that_shows_nothing_is_said_to(gan: float, said: bool) -> None:
    found = [
        Summary(name, 3, 3, {"sharpness": Estimate(value, value, value)})
        for name, value in (("attention", 0.07), ("gan", gan))
    ]
    assert ("trained for 0.6 minutes, and needs about 20" in about_the_gan(found, 0.6)) == said


def test_a_library_that_is_missing_leaves_its_models_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert set(classical(torch.device("cpu"))) == {"random", "border", "harmonic", "biharmonic"}
    assert capsys.readouterr().out.count("needs OpenCV") == 2
