"""`photomend verify`: every subject has its row, what fails is named, and what isn't checked is never called green."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photomend.tests.verification import breaks, mistakes, rows
from photomend.tests.verification.case import Case
from photomend.tests.verification.findings import Finding
from photomend.tests.verification.measure import Ratios
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.rows import KINDS, subjects
from photomend.tests.verification.test_breaks import HARMLESS

from .helpers import Shell

pytestmark = pytest.mark.slow  # whole commands

KEYS = {
    *("name", "kind", "cases", "differences", "adjoint", "torch", "loops", "float32"),
    *("forward_ratio", "backward_ratio", "memory_ratio", "ok", "failures", "skipped"),
}


def all_right(case: Case, device: object) -> Iterator[Finding]:
    return (Finding(case.name, oracle, 1e-16) for oracle in ("differences", "torch", "loops", "float32"))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every oracle is content, every ratio is 1, and nothing is computed."""
    monkeypatch.setattr(rows, "findings", all_right)
    monkeypatch.setattr(rows, "compare", lambda case, device: Ratios(1.0, 1.0, None))


def test_some_subjects(shell: Shell, tmp_path: Path) -> None:
    outcome = shell("verify", "relu", "BatchNorm1d", "--json", tmp_path / "rows.json")
    assert (outcome.status, outcome.err) == (0, "")
    relu, norm = json.loads((tmp_path / "rows.json").read_text())
    assert f"1 primitive, 1 layer, {relu['cases'] + norm['cases']} cases: all green" in outcome.out
    assert relu.keys() == norm.keys() == KEYS
    assert (relu["name"], relu["kind"], relu["cases"]) == ("relu", "layer primitive", 1)
    settings = sum(case.subject == "BatchNorm1d" for case in CASES.values())
    assert (norm["name"], norm["kind"], norm["cases"]) == ("BatchNorm1d", "layer", settings)
    for row in (relu, norm):
        assert row["ok"] is True
        assert (row["failures"], row["skipped"]) == ([], "")
        assert row["differences"] <= 1e-8
        assert row["torch"] <= 1e-10
        assert row["loops"] <= 1e-10
        assert all(row[f"{name}_ratio"] > 0 for name in ("forward", "backward", "memory"))
    assert relu["adjoint"] is None  # linear in nothing
    assert norm["adjoint"] <= 1e-12  # in its scale and shift


@pytest.mark.usefixtures("answers")
def test_every_subject_has_its_row_in_its_group(shell: Shell) -> None:
    outcome = shell("verify")
    assert outcome.status == 0
    table = outcome.out.split("\n\nerrors:")[0]
    groups = [group.splitlines() for group in table.split("\n\n")]
    assert [group[0].split("  ")[0] for group in groups] == [
        "core primitives",
        "layer primitives",
        "layers",
        "losses",
        "models",
    ]
    shown = [line.split()[0] for group in groups for line in group[1:]]
    assert shown == [subject.name for subject in subjects()]
    assert all(line.endswith("  ok") for group in groups for line in group[1:])
    assert "all green" in outcome.out.splitlines()[-1]


def test_every_subject_is_of_a_kind() -> None:
    assert {subject.kind for subject in subjects()} == set(KINDS)
    with pytest.raises(LookupError, match="Tensor is no primitive"):
        rows.kind(replace(CASES["relu"], name="Tensor"))


@pytest.mark.usefixtures("answers")
def test_a_name_that_two_have_gives_two_rows(shell: Shell) -> None:
    """`linear` is a primitive, and a model too."""
    outcome = shell("verify", "linear")
    assert outcome.status == 0
    assert [line.split()[0] for line in outcome.out.splitlines() if line.endswith("  ok")] == ["linear", "linear"]
    assert "1 primitive, 1 model" in outcome.out.splitlines()[-1]


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("error", [3e-7, math.inf])
def test_a_failure_is_named_in_full(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: float
) -> None:
    def wrong(case: Case, device: object) -> Iterator[Finding]:
        yield from all_right(case, device)
        if case.name == "glu/vectors":
            yield Finding(case.name, "differences", error, "it is wrong")

    monkeypatch.setattr(rows, "findings", wrong)
    outcome = shell("verify", "glu", "relu", "--json", tmp_path / "rows.json")
    assert outcome.status == 1
    assert "glu/vectors, differences: it is wrong" in outcome.out
    settings = sum(case.subject in ("glu", "relu") for case in CASES.values())
    assert outcome.out.splitlines()[-2] == f"2 primitives, {settings} cases: glu failed"
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("glu ")]
    assert line.endswith("  FAIL")
    found = {row["name"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert found["relu"]["ok"] is True
    assert found["glu"]["ok"] is False
    assert found["glu"]["failures"] == ["glu/vectors, differences: it is wrong"]
    assert found["glu"]["differences"] == (error if math.isfinite(error) else None)


@pytest.mark.usefixtures("answers")
def test_what_can_not_be_measured_fails(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(case: Case, device: object) -> Ratios:
        raise MemoryError("too large")

    monkeypatch.setattr(rows, "compare", fail)
    outcome = shell("verify", "relu")
    assert outcome.status == 1
    assert "relu at its size, time and memory: MemoryError: too large" in outcome.out
    monkeypatch.setattr(rows, "SIZES", {})
    assert "relu: tests/verification/sizes.py has no size" in shell("verify", "relu").out


def test_without_a_gpu_nothing_is_called_green(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    outcome = shell("verify", "--device", "cuda", "--json", tmp_path / "rows.json")
    assert outcome.status == 1
    assert outcome.err == "photomend: error: --device cuda: this machine has no CUDA device; all cases are skipped\n"
    lines = [line for line in outcome.out.splitlines() if line.endswith("skipped: no CUDA device")]
    assert [line.split()[0] for line in lines] == [subject.name for subject in subjects()]
    assert "skipped, nothing was verified" in outcome.out
    assert "ok" not in outcome.out.split()
    assert "green" not in outcome.out
    found = json.loads((tmp_path / "rows.json").read_text())
    assert len(found) == len(subjects())
    for row in found:
        assert row["ok"] is False
        assert row["skipped"] == "no CUDA device"
        assert row["differences"] is None


@pytest.mark.cuda
def test_on_a_gpu(shell: Shell) -> None:
    outcome = shell("verify", "conv2d", "batch_norm", "Linear", "--device", "cuda")
    assert outcome.status == 0, outcome
    assert "on a GPU" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["conv2"], "NAME 'conv2': is no primitive, layer or model; did you mean 'conv2d'?"),
        (["relu", "xyzzy"], "NAME 'xyzzy'"),
        (["--json", "rows.txt"], "rows.txt: the name of this file must end in .json"),
        (["--json", "nowhere/rows.json"], "nowhere/rows.json: there is no folder to write it to"),
        (["--device", "tpu"], "device 'tpu': choose auto, cpu, cuda or cuda:N"),
        (["--device", "cuda:banana"], "device 'cuda:banana': choose auto, cpu, cuda or cuda:N"),
        (["--break", "--device", "nonsense"], "device 'nonsense': choose auto, cpu, cuda or cuda:N"),
        (["--break", "batch-norm-mean"], "did you mean 'batch-norm-mean-term'?"),
    ],
)
def test_mistakes_are_one_line_before_any_work(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], message: str
) -> None:
    def work(*anything: object) -> None:
        raise AssertionError("work has begun")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rows, "findings", work)
    assert message in shell.fails(1, "verify", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_files(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda folder, mode: False)
    assert "rows.json: no file can be written to its folder" in shell.fails(
        1, "verify", "--json", tmp_path / "rows.json"
    )


@pytest.mark.parametrize("arguments", [["relu"], ["--json", "rows.json"]])
def test_break_chooses_by_itself(shell: Shell, arguments: list[str]) -> None:
    assert "leave out the names and --json" in shell.fails(2, "verify", *arguments, "--break", "relu-mask")


def test_installed_without_the_tests(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("command", "mistakes"):
        monkeypatch.setitem(sys.modules, f"photomend.tests.verification.{module}", None)
    for arguments in ([], ["relu"], ["--break"], ["--break", "relu-mask"]):
        line = shell.fails(1, "verify", *arguments)
        assert "needs a checkout of photomend" in line
        assert "make install" in line


def test_an_error_inside_the_oracles_is_not_taken_for_their_absence(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("command", "rows"):
        monkeypatch.delitem(sys.modules, f"photomend.tests.verification.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "photomend.tests.verification.measure", None)
    with pytest.raises(ModuleNotFoundError, match="measure"):
        shell("verify")


def test_a_misspelt_break_is_answered_before_the_oracles_are_imported(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from photomend.app.cli import run\n"
        "status = run(['verify', '--break', 'relu-msk'])\n"
        "print(status, [m for m in sys.modules if m.startswith('photomend.tests.verification.')])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "did you mean 'relu-mask'?" in run.stderr
    assert run.stdout.startswith("1 ")
    assert "command" not in run.stdout


def test_break_lists_what_it_knows(shell: Shell) -> None:
    outcome = shell("verify", "--break")
    assert outcome.status == 0
    assert [line.split()[0] for line in outcome.out.splitlines()] == list(breaks.BREAKS)


def test_break_shows_the_edit_and_who_catches_it(shell: Shell) -> None:
    outcome = shell("verify", "--break", "dropout-unscaled")
    assert (outcome.status, outcome.err) == (0, "")
    assert "\n-         return ȳ * scale\n+         return ȳ * keep\n" in outcome.out
    assert outcome.out.endswith("caught by differences, adjoint, torch\n")
    assert "1 primitive, 1 case: all green" in shell("verify", "dropout").out  # the rule is itself again


def test_a_break_that_survives_fails(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(breaks.BREAKS, "harmless", HARMLESS)
    monkeypatch.setattr(mistakes, "MISTAKES", (*mistakes.MISTAKES, HARMLESS))
    outcome = shell("verify", "--break", "harmless")
    assert outcome.status == 1
    assert outcome.out.endswith("survived: no oracle noticed\n")
