"""How `photomend bench` measures: sides are checked before they are timed, and no process outlives what goes wrong.

Nothing here looks at how long anything takes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from photomend.benchmarks.bench import conv, measure, repair, scale, step, table
from photomend.benchmarks.bench.catalogue import KINDS, choose
from photomend.benchmarks.bench.measure import Comparison, Setup, check_equal
from photomend.benchmarks.bench.plot import draw
from photomend.benchmarks.bench.process import Worker
from photomend.benchmarks.bench.row import Ratio, Row
from photomend.benchmarks.bench.workload import Peer, Side
from photomend.core import PhotomendError
from photomend.core.backend.machine import machine
from photomend.tests import bench_sides
from PIL import Image

pytestmark = pytest.mark.slow  # whole comparisons, in processes of their own

CPU = torch.device("cpu")
SETUP = Setup(pairs=2, threads=1, device=CPU)
LAYOUTS = list(conv.LAYOUTS.values())
SMALL = {"width": 16, "dilations": (1, 2)}
OURS = Side("photomend", partial(bench_sides.Sum, 1.0))
SHAPES = (
    conv.Shape("3x3", 3, 5, 8, batch=2),
    conv.Shape("4x4", 3, 5, 8, kernel=4, stride=2, batch=2),
    conv.Shape("1x1", 3, 5, 8, kernel=1, padding=0, batch=2),
)
TRAININGS = (step.Training("attention", 2, 64, SMALL), step.Training("attention-report", 2, 64, {"width": 16}))


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """All workers that are started."""
    started: list[Worker] = []

    class Remembered(Worker):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            started.append(self)

    monkeypatch.setattr(measure, "Worker", Remembered)
    return started


def test_a_peer_of_the_cpu_is_none_elsewhere() -> None:
    peer = Peer("JAX", (), cpu_only=True)
    assert peer.missing_on(torch.device("cuda")) == "JAX is compared with on the CPU only"
    assert peer.missing_on(CPU) == ""


def against(*variants: Side, missing: str = "") -> Comparison:
    return Comparison("conv", "sum", "six numbers", OURS, (Peer("peer", variants, missing),))


def all_ended(workers: list[Worker]) -> bool:
    return all(worker.process.returncode is not None for worker in workers)


def results(side: Any) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = side.results(side.run())
    return found


def test_a_comparison_has_a_row_with_every_figure(workers: list[Worker]) -> None:
    slow, fast = (Side(made.__name__, partial(made, 1.0)) for made in (bench_sides.SlowSum, bench_sides.Sum))
    [row] = against(slow, fast).rows(SETUP)
    assert (row.kind, row.name, row.what) == ("conv", "sum", "six numbers")
    assert (row.device, row.threads, row.pairs) == ("cpu", 1, 2)
    assert row.peer == "Sum"  # the faster variant
    assert row.error == 0
    assert row.ours_s is not None
    assert row.peer_s is not None
    assert row.ratio_p10 <= row.ratio <= row.ratio_p90  # type: ignore[operator]
    assert 0 < row.ours_base_mib <= row.ours_mib  # type: ignore[operator]
    assert 0 < row.peer_base_mib <= row.peer_mib  # type: ignore[operator]
    assert len(workers) == 3
    assert all_ended(workers)


def test_a_wrong_peer_is_not_timed(workers: list[Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(measure, "timed")
    with pytest.raises(PhotomendError, match=r"bench conv sum: wrong: not compared, sum is 2\.10e-02 from ours"):
        list(against(Side("wrong", partial(bench_sides.Sum, 1.001))).rows(SETUP))
    assert all_ended(workers)


def test_a_missing_peer_is_skipped_with_its_reason(workers: list[Worker]) -> None:
    [row] = against(missing="not today").rows(SETUP)
    assert (row.peer, row.skipped, row.ratio) == ("peer", "not today", None)
    assert table.missing([row, row]) == ["peer is skipped: not today"]
    assert workers == []


def test_an_interruption_leaves_no_process(workers: list[Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(worker: Worker) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "timed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(against(OURS).rows(SETUP))
    assert len(workers) == 2
    assert all_ended(workers)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (bench_sides.leave, r"bench conv sum: it: its process ended with status 3 \(last line\)"),
        (bench_sides.be_killed, "bench conv sum: it: its process was killed, perhaps for want of memory"),
        (bench_sides.fail, "bench conv sum: it: ValueError: no such weights"),
    ],
)
def test_a_side_that_fails_is_one_line(workers: list[Worker], build: Callable[..., Any], told: str) -> None:
    with pytest.raises(PhotomendError, match=told):
        measure.started(Side("it", build), "bench conv sum", SETUP)
    assert all_ended(workers)


def test_a_side_that_hangs_is_ended() -> None:
    with Worker("it") as worker:
        worker.ask("prepare", 1, CPU, machine())
        worker.patience = 0.2
        with pytest.raises(PhotomendError, match=r"it: its process hangs, build took over 0\.2 s; ended"):
            worker.ask("build", bench_sides.hang)
        assert all_ended([worker])


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ({"y": torch.tensor([1.0, 2.0003])}, "y is 3.00e-04 from ours, whose norm is 2.24e"),
        ({"y": torch.tensor([1.0, float("nan")])}, "y is nan from ours"),
        ({"y": torch.ones(3)}, r"y has shape \(3,\), ours \(2,\)"),
        ({"z": torch.ones(2)}, "'y' is among the results of one side only"),
    ],
)
def test_results_that_differ_are_refused(theirs: dict[str, torch.Tensor], told: str) -> None:
    with pytest.raises(PhotomendError, match=told):
        check_equal(theirs, {"y": torch.tensor([1.0, 2.0])}, "peer")


def test_results_that_agree_have_an_error() -> None:
    assert check_equal({"y": torch.tensor([0.0])}, {"y": torch.tensor([0.0])}, "peer") == 0
    error = check_equal({"y": torch.tensor([3.0, 4.0001])}, {"y": torch.tensor([3.0, 4.0])}, "peer")
    assert error == pytest.approx(2e-5, rel=0.01)


def test_the_ratio_is_that_of_adjacent_runs() -> None:
    ratio = Ratio.of([1.0] * 11, [1.0 + number for number in range(11)])
    assert (ratio.median, ratio.p10, ratio.p90) == (6.0, 2.0, 10.0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_convolution_and_its_peer_agree(shape: conv.Shape, layout: torch.memory_format) -> None:
    ours, peer = results(conv.Ours(shape, CPU)), results(conv.TorchConv(shape, layout, CPU))
    assert ours.keys() == {"y", "x̄", "w̄"}
    assert all(array.abs().max() > 0 for array in ours.values())
    check_equal(peer, ours, "peer")


@pytest.mark.skipif(bool(conv.jax_missing()), reason="JAX isn't installed")
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_convolution_and_jax_agree(shape: conv.Shape) -> None:
    [_, jax] = conv.comparison(shape).peers
    [row] = dataclasses.replace(conv.comparison(shape), peers=(jax,)).rows(SETUP)
    assert row.peer == "JAX"


def test_without_jax_it_says_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv, "find_spec", lambda name: None)
    [_, jax] = conv.comparison(SHAPES[0]).peers
    assert jax.missing == "JAX isn't installed (extra bench-jax)"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.model)
def test_a_training_step_and_its_peer_agree(training: step.Training, layout: torch.memory_format) -> None:
    """In the loss and every gradient, weight and averaged weight, none of which the step leaves as it was."""
    side = step.Ours(training, CPU)
    before = {f"weight {name}": value.clone() for name, value in side.trainer.network.state_dict().items()}
    ours = results(side)
    assert ours.keys() > before.keys() | {"loss", "norm"}
    assert [name for name, value in before.items() if torch.equal(value, ours[name])] == []
    check_equal(results(step.TwinStep(training, layout, False, CPU)), ours, "peer", step.comparison(training).loose)


@pytest.mark.parametrize("wrong", ["optimizer", "average", "loss"])
@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.model)
def test_a_peer_that_trains_otherwise_is_noticed(training: step.Training, wrong: str) -> None:
    ours, peer = step.Ours(training, CPU), step.TwinStep(training, LAYOUTS[0], False, CPU)
    if wrong == "optimizer":
        peer.optimizer = torch.optim.SGD(peer.parameters, 1e-3)  # type: ignore[assignment]
    elif wrong == "average":
        peer.follow = lambda: None  # type: ignore[method-assign]
    else:
        peer.loss = lambda *arrays: 1.001 * peer.twin_loss(*arrays)
    with pytest.raises(PhotomendError, match="not compared"):
        check_equal(results(peer), results(ours), "peer", step.comparison(training).loose)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_repair_and_its_peer_agree(layout: torch.memory_format) -> None:
    """In what stands in the holes, which isn't the fill alone."""
    job = repair.Repair("photos", 2, 128, SMALL)
    side = repair.Ours(job, CPU)
    ours = results(side)
    check_equal(results(repair.TwinRepair(job, layout, False, CPU)), ours, "peer")
    side.network.parameters()[-1].data += 0.1
    with pytest.raises(PhotomendError, match="hole is"):
        check_equal(results(side), ours, "peer")


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    [eager, compiled] = step.comparison(TRAININGS[0]).peers
    assert eager.missing == ""
    assert compiled.missing == "no C++ compiler (no-such-compiler)"


def test_scaling_has_a_row_for_each_size_and_a_slope() -> None:
    case = scale.Scaling("forward", "attention, a photo", scale.Forward, (64, 72))
    small, large, slope = case.rows(SETUP)
    assert [row.name for row in (small, large, slope)] == ["forward 64", "forward 72", "forward slope"]
    assert (small.pixels, large.pixels) == (64**2, 72**2)
    assert small.ours_s is not None
    assert slope.slope == pytest.approx(scale.slope([small, large]))
    assert "is the slope of log time over log pixels, 64² to 72²" in table.line(slope)


def test_the_slope_of_linear_cost_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And sizes that would take too much memory are left out."""

    def alone(row: Row, ours: Side, runs: int, setup: Setup) -> Row:
        assert row.pixels is not None
        return dataclasses.replace(row, ours_s=1e-6 * row.pixels, ours_mib=200 + row.pixels / 100, ours_base_mib=200)

    monkeypatch.setattr(scale, "alone", alone)
    *sizes, large, slope = scale.Scaling("forward", "a photo", scale.Forward, (64, 128, 256, 1024)).rows(SETUP)
    assert len(sizes) == 3
    assert large.skipped == "would take about 10 GiB, above 8"
    assert table.line(large).endswith("skipped: would take about 10 GiB, above 8")
    assert slope.slope == pytest.approx(1)


def test_overhead_is_what_raw_operations_leave() -> None:
    [row] = scale.Overhead().rows(SETUP)
    assert row.overhead_us == pytest.approx(1e6 * (row.ours_s - row.peer_s) / scale.CALLS)  # type: ignore[operator]
    assert f"{row.overhead_us:.1f} µs a call" in table.line(row)


def test_cases_are_chosen_by_name() -> None:
    assert [case.name for case in choose("step", [])] == ["attention", "attention-recomputed", "attention-report"]
    assert [case.name for case in choose("conv", ["256@16", "32@112"])] == ["32@112", "256@16"]
    assert choose(None, []) == [case for cases in KINDS.values() for case in cases]
    with pytest.raises(PhotomendError, match=r"CASE '128@65': bench conv has no such case; did you mean '128@56'\?"):
        choose("conv", ["128@65"])


@pytest.mark.parametrize("case", choose(None, []), ids=lambda case: f"{case.kind} {case.name}")
def test_every_case_is_described_by_its_sizes(case: Any) -> None:
    assert case.what
    assert case.kind in table.HEADINGS


def test_the_picture(tmp_path: Path) -> None:
    plain = Row("conv", "32@112", "", "cpu", "float32", 1, "", peer="torch.nn contiguous")
    rows = [
        dataclasses.replace(plain, ratio=1.2, ratio_p10=1.1, ratio_p90=1.3),
        dataclasses.replace(plain, skipped="not here"),
        *(dataclasses.replace(plain, name=f"forward {n}", pixels=n * n, ours_s=1e-6 * n * n) for n in (64, 128)),
    ]
    for number, chosen in enumerate((rows, rows[:1], rows[2:], rows[1:2])):
        draw(chosen, tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as image:
            assert image.format == "PNG"
