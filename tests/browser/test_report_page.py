"""The report in a browser: nothing cut off or overprinted at either width, and its sliders work."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from photomend import models
from photomend.app.report.page import write_report
from photomend.app.tables import Tables
from photomend.models import HarmonicFill
from photomend.models.reconstructor import Reconstructor
from photomend.models.weights import BEST, Checkpoint, save_checkpoint
from photomend.tests.app.pages import samples
from photomend.train.evaluation.evaluate import evaluate_models
from photomend.train.log import LOG

from .tab import Tab

pytestmark = pytest.mark.slow
SETTINGS = {"attention": {"width": 16}, "attention-report": {"width": 16, "window": 64}}


def run(folder: Path, name: str) -> models.RepairNetwork:
    """An untrained network in a run folder, whose log has small and large numbers."""
    network = models.build(name, **SETTINGS[name])
    folder.mkdir()
    save_checkpoint(folder / BEST, Checkpoint(name, network.state_dict(), network.config))
    steps = [{"step": s, "loss": 50_000 / s, "gradient_ratio": 1e-4 * math.sin(s)} for s in range(1, 400)]
    validations = [
        {"step": 100 * v, "validation": v, "loss": 1.0, "mse": 12_345.0 / (1 + v), "mae": 0.01234 + v / 1e4}
        for v in range(5)
    ]
    (folder / LOG).write_text("".join(json.dumps(record) + "\n" for record in [*steps, *validations]))
    return network


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report of a fill and two networks with their runs."""
    folder = tmp_path_factory.mktemp("report")
    weights = {name: folder / name for name in SETTINGS}
    reconstructors: dict[str, Reconstructor] = {
        "harmonic": HarmonicFill(),
        **{name: run(path, name) for name, path in weights.items()},
    }
    shown = samples(tuple(f"a photo of an animal, number {n}.png" for n in range(6)))
    tables = Tables.of(evaluate_models(reconstructors, shown))
    path = folder / "report.html"
    evaluation = {"photos": "photos/" + "a-long-name-" * 6, "seed": "7"}
    write_report(path, "A report", tables, shown[:2], reconstructors, weights, evaluation, torch.device("cpu"))
    return path.as_uri()


def test_it_looks_right(tab: Tab, report: str) -> None:
    tab.page.goto(report)
    faults = tab.faults_in_every_look()
    assert not faults, "\n".join(faults)


def test_its_sliders_by_keyboard(tab: Tab, report: str) -> None:
    tab.page.goto(report)
    slider = tab.page.locator(".slider").first
    slider.locator("input").focus()
    tab.page.keyboard.press("ArrowRight")
    assert slider.evaluate("slider => slider.style.getPropertyValue('--at')") == "51%"
    shown = slider.locator(".after").get_attribute("src")
    tab.page.keyboard.press("Tab")
    slider.locator("select").select_option(label="attention-report")
    assert slider.locator(".after").get_attribute("alt").endswith("rebuilt by attention-report")
    assert slider.locator(".after").get_attribute("src") != shown


def test_without_scripts_nothing_pretends_to_work(tab_without_scripts: Tab, report: str) -> None:
    tab_without_scripts.page.goto(report)
    controls = tab_without_scripts.page.locator(".slider input, .slider select")
    assert [control.is_visible() for control in controls.all()] == [False] * 4
