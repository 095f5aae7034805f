"""The cost model of many ranks agrees with a simulation of every message; the benchmark of two ranks counts right."""

from __future__ import annotations

from pathlib import Path

import pytest
from photomend.benchmarks import ranks, scaling

#: A network whose last bucket is large, so that something stays in sight; times in seconds.
STEP = scaling.Step(0.010, 0.020, 0.003, ((0.004, 4_000_000), (0.012, 1_000_000), (0.020, 8_000_000)))
FAST, SLOW = scaling.Wire(50e9, 5e-6), scaling.Wire(1e9, 50e-6)


@pytest.mark.parametrize("wire", [FAST, SLOW])
@pytest.mark.parametrize("n", [2, 8, 32])
@pytest.mark.parametrize("algorithm", scaling.ALGORITHMS)
def test_the_simulation_of_like_ranks_is_the_model(algorithm: str, n: int, wire: scaling.Wire) -> None:
    model = scaling.modelled(STEP, n, wire, algorithm)
    assert scaling.simulated(STEP, n, wire, algorithm, jitter=0.0) == pytest.approx(model, rel=1e-9)


@pytest.mark.parametrize("algorithm", scaling.ALGORITHMS)
def test_ranks_that_differ_wait_for_the_slowest(algorithm: str) -> None:
    like, unlike = (scaling.simulated(STEP, 16, FAST, algorithm, jitter) for jitter in (0.0, 0.1))
    assert 1.1 < unlike / like < 1.4


def test_figures_by_hand() -> None:
    """Two ranks: a ring has two messages of half a bucket. The wire is free when a bucket is complete."""
    assert scaling.all_reduce(1_000_000, 2, SLOW, "ring") == pytest.approx(2 * 50e-6 + 1e-3)
    assert scaling.all_reduce(8_000_000, 8, SLOW, "ring") == pytest.approx(14 * 50e-6 + 14e-3)
    assert scaling.all_reduce(8_000_000, 8, SLOW, "halving") == pytest.approx(6 * 50e-6 + 14e-3)
    last = 0.020 + 8e-3 + 100e-6  # the first two are through by 9.2 ms
    expected = 0.010 + last + 0.003 + scaling.small(2, SLOW)
    assert scaling.modelled(STEP, 2, SLOW, "ring") == pytest.approx(expected)


@pytest.mark.slow
def test_the_parts_are_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--model", "cnn", "--batch-size", "2", "--repeats", "1", "--ranks", "2", "8", "--json"]
    assert scaling.main([*arguments, str(tmp_path / "rows.json")]) == 0
    printed = capsys.readouterr().out
    assert "cnn, 2 crops a rank: forward" in printed
    assert len((tmp_path / "rows.json").read_text()) > 500
    step = scaling.measured("cnn", 2, 1)
    ready = [at for at, _ in step.buckets]
    assert ready == sorted(ready)
    assert ready[-1] <= step.backward
    with pytest.raises(SystemExit):
        scaling.main(["--ranks", "6"])


def test_two_runs_are_compared() -> None:
    one = [{"loss": 1.0, "photos_s": speed} for speed in (1.0, 1, 1, 1, 1, 4, 5, 6)]
    half = [{"loss": 2.0, "photos_s": 4.0} for _ in one]
    two = [{"loss": loss, "photos_s": 10.0} for loss in (1.0, 1, 1, 1, 1.0005, 1, 1, 1)]
    row = ranks.compared(one, [half, half], two)
    assert (row["one_photos_s"], row["apart_photos_s"], row["ranks_photos_s"]) == (5, 8, 10)
    assert row["loss_apart"] == pytest.approx(5e-4)


@pytest.mark.parametrize("wrong", ["--steps 5", "--batch-size 5", "--batch-size 0", "--ranks 1", "--rounds 0"])
def test_what_can_not_be_measured_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ranks.main(wrong.split())
    assert f"{wrong.replace(' ', ' (=')})" in capsys.readouterr().err


def test_a_run_that_fails_is_said_in_its_own_words() -> None:
    with pytest.raises(SystemExit, match="no model to train is called 'nosuch'"):
        ranks.main(["--model", "nosuch", "--steps", "6"])


@pytest.mark.slow
def test_two_ranks_beside_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "WARM_UP", 1)
    monkeypatch.setattr(ranks, "BAR", 0.0)  # how fast depends on what else the machine does
    assert ranks.main(["--model", "linear", "--steps", "3", "--batch-size", "4", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "2 runs apart" in printed
    assert "losses are apart by at most" in printed
