"""The ablation leaves out every part, and runs from end to end; so does the comparison of precisions, and its bar."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner
from photomend.data.sources import FolderSource
from photomend.models.attention import ABLATIONS

from .app.helpers import picture
from .scripts import script

pytestmark = pytest.mark.slow  # whole programs


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    return script("benchmarks/ablation")


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("benchmarks/accuracy")
    for name, value in {"CROPS": 2, "PHOTOS": 2, "LAST": 1}.items():
        monkeypatch.setattr(module, name, value)
    return module


@pytest.fixture
def photos(tmp_path: Path) -> FolderSource:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for seed, path in enumerate(paths):
        picture(path, seed=seed)
    return FolderSource(paths, tmp_path)


def test_every_part_is_left_out_once(ablation: ModuleType) -> None:
    left_out = [part for _, settings in ablation.VARIANTS.values() for part in settings.get("without", [])]
    assert sorted(left_out) == sorted(ABLATIONS)


def test_two_steps_of_each(ablation: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder where one run is called like a model; finished runs are kept, and others' budgets refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        ablation,
        "VARIANTS",
        {name: ablation.VARIANTS[name] for name in ("attention", "without skips", "attention-report")},
    )
    for number in range(12):
        picture(Path("photos") / f"{number}.png", seed=number)
    arguments = ["--photos", "photos", "--out", ".", "--limit", "2", "--device", "cpu", "--steps"]
    outcome = CliRunner().invoke(ablation.main, [*arguments, "2", "--markdown", "table.md"])
    assert outcome.exit_code == 0, outcome.output
    lines = Path("table.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:]] == [
        ["| harmonic", "0"],
        ["| attention", "2"],
        ["| without skips", "2"],
        ["| attention-report", "2"],
    ]
    assert json.loads(Path("without-skips/finished.json").read_text())["steps"] == 2
    again = CliRunner().invoke(ablation.main, [*arguments, "2"])
    assert "training" not in again.output
    assert again.output.splitlines()[-4:] == lines[-4:]
    other = CliRunner().invoke(ablation.main, [*arguments, "3"])
    assert other.exit_code == 1
    assert "attention/finished.json: was made with steps (=2), not 3; choose another --out" in other.output


def test_float32_is_within_a_ten_thousandth_of_float64_through_whole_models(
    accuracy: ModuleType, photos: FolderSource
) -> None:
    """But for the gradients of a network full of ReLUs: rounding opens and shuts some of them."""
    rows = [line.strip("| ").split(" | ") for line in accuracy.exactness(photos, torch.device("cpu"))][2:]
    assert [(row[0].split(",")[0], row[1]) for row in rows] == [
        (name, way) for name in ("photomend-s", "attention-report") for way in accuracy.WAYS
    ]
    assert all(0 < float(row[2]) < 1e-4 for row in rows)
    assert all(0 < float(row[3]) < (1e-4 if row[0] == "photomend-s" else 5e-2) for row in rows)
    for _, one_axis, both, plain in (rows[:4], rows[4:]):  # Winograd rounds more than a plain sum: it is taken
        assert float(both[2]) > float(one_axis[2]) > float(plain[2])


def test_two_steps_each_way(accuracy: ModuleType, photos: FolderSource) -> None:
    """The way changes less than the seed does, and a little nevertheless: it is taken."""
    trained = accuracy.curves(photos, photos, steps=2, seeds=2, device=torch.device("cpu"))
    ways, seeds = accuracy.differences(trained)
    assert 0 < ways.mse < seeds.mse
    lines = list(accuracy.table(trained, steps=2))
    assert [line.split(" | ")[:2] for line in lines[2:8]] == [
        [f"| {seed}", way] for way in list(accuracy.WAYS)[1:] for seed in (0, 1)
    ]


def test_two_checkouts_take_turns() -> None:
    """A checkout beside itself: the same numbers of steps, and a ratio."""
    checkouts, here = script("benchmarks/checkouts"), str(Path(__file__).parents[1])
    outcome = CliRunner().invoke(checkouts.main, [here, "--pairs", "2", "--batch-size", "1", "--device", "cpu"])
    assert outcome.exit_code == 0, outcome.output
    found = re.fullmatch(r"other (\S+) ms, this (\S+) ms; this / other (\S+) \(\S+-\S+\)\n", outcome.stdout)
    assert found
    assert 0.2 < float(found[2]) / float(found[1]) < 5
    assert 0.2 < float(found[3]) < 5
    refused = CliRunner().invoke(checkouts.main, [str(Path(here) / "docs"), "--device", "cpu"])
    assert refused.exit_code == 1
    assert "docs is no checkout of photomend" in refused.output


def test_the_cost_of_a_hole_has_the_exponent_that_its_seconds_grow_with() -> None:
    cost = script("benchmarks/hole_cost")
    for power in (1, 2):
        rows = [(side, 1e-6 * side**2, 3e-6 * side ** (2 * power)) for side in (10, 40, 100)]
        lines = cost.table(rows).splitlines()
        assert lines[-1] == f"exponent: network 1.00, patches {power:.2f}"
        assert [line.split(" | ")[-1] for line in lines[2:5]] == ["– |", *[f"{power:.2f} |"] * 2]
