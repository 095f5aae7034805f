"""The ablation: it leaves out every part, and runs from end to end."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from photomend.models.attention import PARTS

from .app.helpers import picture


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "ablation.py"
    spec = importlib.util.spec_from_file_location("ablation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_part_is_left_out_once(ablation: ModuleType) -> None:
    left_out = [part for _, settings in ablation.VARIANTS.values() for part in settings.get("without", [])]
    assert sorted(left_out) == sorted(PARTS)


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
