"""`photomend bench` as a command: its table, its files, and what it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest
from photomend.app.commands.bench import KINDS
from photomend.benchmarks.bench import catalogue, conv
from photomend.benchmarks.bench.measure import Comparison
from photomend.benchmarks.bench.row import Row
from photomend.benchmarks.bench.workload import Peer, Side
from photomend.tests import bench_sides
from PIL import Image

from .helpers import Shell

pytestmark = pytest.mark.slow  # whole comparisons, in processes of their own

SUM = Side("photomend", partial(bench_sides.Sum, 1.0))
WRONG = Side("wrong", partial(bench_sides.Sum, 2.0))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution that takes no time, and sides that don't compute the same."""
    tiny = conv.comparison(conv.Shape("tiny", 3, 4, 8, batch=2))
    tiny = Comparison(tiny.kind, tiny.name, tiny.what, tiny.ours, (tiny.peers[0], Peer("JAX", (), "not here")))
    unequal = Comparison("conv", "unequal", "", SUM, (Peer("peer", (WRONG,)),))
    monkeypatch.setattr(catalogue, "KINDS", {"conv": (tiny, unequal), "step": (), "repair": (), "scale": ()})


@pytest.mark.usefixtures("small")
def test_a_table_a_file_and_a_picture(shell: Shell, tmp_path: Path) -> None:
    rows, picture = tmp_path / "rows.json", tmp_path / "rows.png"
    arguments = ("--pairs", "2", "--threads", "1", "--device", "cpu")
    outcome = shell("bench", "conv", "tiny", *arguments, "--json", rows, "--plot", picture)
    assert (outcome.status, outcome.err) == (0, "")
    heading, columns, measured, _, skipped, *legend = outcome.out.splitlines()
    assert heading == "convolution, forwards and both gradients"
    assert columns.split()[:3] == ["peer", "ours", "ms"]
    assert measured.startswith("tiny              torch.nn ")
    assert skipped == "JAX is skipped: not here"
    assert "float32, cpu, 1 thread; freed memory is " in legend[1]
    assert legend[-2:] == [str(rows), str(picture)]
    first, second = json.loads(rows.read_text())
    assert first.keys() == second.keys() == {field.name for field in fields(Row)}
    assert (first["name"], first["pairs"], first["skipped"]) == ("tiny", 2, "")
    assert first["peer"] in ("torch.nn contiguous", "torch.nn channels-last")
    assert first["ours_s"] > 0
    assert first["ratio_p10"] <= first["ratio"] <= first["ratio_p90"]
    assert first["error"] <= 1e-4
    assert (second["ratio"], second["skipped"]) == (None, "not here")
    with Image.open(picture) as image:
        assert image.format == "PNG"


@pytest.mark.usefixtures("small")
def test_a_wrong_result_is_an_error(shell: Shell, tmp_path: Path) -> None:
    error = shell.fails(1, "bench", "conv", "unequal", "--pairs", "2", "--json", tmp_path / "rows.json")
    assert "bench conv unequal: wrong: not compared, sum is 2.10e+01 from ours" in error
    assert list(tmp_path.iterdir()) == []


def test_what_it_refuses(shell: Shell, tmp_path: Path) -> None:
    assert "did you mean '128@56'?" in shell.fails(1, "bench", "conv", "128@65")
    assert "'128@56' is not one of 'conv', 'step', 'repair', 'scale'" in shell.fails(2, "bench", "128@56")
    assert "--pairs" in shell.fails(2, "bench", "conv", "--pairs", "1")
    assert "must end in .json" in shell.fails(1, "bench", "conv", "--json", tmp_path / "rows.txt")
    assert "must end in .png" in shell.fails(1, "bench", "conv", "--plot", tmp_path / "rows.jpg")
    assert "device 'tpu'" in shell.fails(1, "bench", "conv", "--device", "tpu")


def test_explain_names_the_algorithm_of_each_direction(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        conv, "SHAPES", (conv.Shape("128@56", 3, 16, 8), conv.Shape("7x7", 2, 1, 8, kernel=7, padding=3))
    )
    lines = shell("bench", "conv", "128@56", "--explain").out.splitlines()
    assert lines[0] == "128@56: 3×3, 3→16 channels at 8×8, ×8"
    assert [line.split(";")[0] for line in lines[1:]] == [
        "  forward: im2col",
        "  input_gradient: im2col",
        "  weight_gradient: im2col",
    ]
    assert "taps " in lines[1]
    assert "--explain compares nothing" in shell.fails(2, "bench", "conv", "--explain", "--json", "rows.json")
    assert "--explain is about convolutions" in shell.fails(2, "bench", "step", "--explain")


def test_it_needs_a_checkout(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("photomend.benchmarks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "photomend.benchmarks", None)
    assert "bench needs a checkout of photomend" in shell.fails(1, "bench", "conv")


def test_its_kinds_are_the_catalogue_s() -> None:
    assert tuple(catalogue.KINDS) == KINDS
