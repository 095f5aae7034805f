"""A run folder: one process at a time writes to it, and a state that the disk has damaged is not the end of a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from photomend.core import Array, PhotomendError, mean
from photomend.core.files import claimed
from photomend.layers import Linear
from photomend.train.checkpoint import PREVIOUS, STATE, load_state, save_state
from photomend.train.fitting import fit
from photomend.train.history import History

from .kills import kill_often

X = torch.linspace(-1, 1, 12)[:, None]


def train(out: Path, **options: object) -> tuple[History, dict[str, Array]]:
    torch.manual_seed(0)
    line = Linear(1, 1)
    history = fit(
        *(line, (X, 3 * X + 1), lambda p, y: mean((p - y) ** 2)),
        **{"steps": 6, "batch_size": 4, "out": out, "quiet": True, "validation_interval": 2, **options},  # type: ignore[arg-type]
    )
    return history, line.state_dict()


def test_the_second_of_two_runs_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"

    def other(interval: object) -> None:
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        for resume in (False, True):
            with pytest.raises(PhotomendError, match="run: another process is training in this folder"):
                train(out, resume=resume)
        assert before == {path.name: path.read_bytes() for path in out.iterdir()}

    train(out, on_validation=other)
    with pytest.raises(PhotomendError, match="holds a run already"):
        train(out)


def test_a_run_that_cannot_start_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(PhotomendError):
        train(tmp_path / "run", optimizer="none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotomendError, match="no such checkpoint"):
        train(tmp_path / "empty", resume=True)
    assert os.listdir(tmp_path) == ["empty"]


@pytest.mark.slow  # a process of its own
def test_the_claim_dies_with_its_process_though_a_forked_one_lives_on(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal\nfrom pathlib import Path\nfrom photomend.core.files import claimed\n"
        "with claimed(Path(sys.argv[1]), 'busy'):\n"
        "    child = os.fork()\n"
        "    if not child: signal.pause()\n"
        "    print(child, flush=True); signal.pause()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    with pytest.raises(PhotomendError, match="busy"), claimed(tmp_path / "run", "busy"):
        pass
    process.kill()
    process.wait()
    with claimed(tmp_path / "run", "busy"):
        os.kill(child, 9)


def test_damage_to_the_state_costs_the_steps_since_the_one_before(tmp_path: Path) -> None:
    """Flipped or cut at random places: the run goes on from the previous state to the same end."""
    whole, weights = train(tmp_path / "whole")
    out = tmp_path / "damaged"
    train(out, steps=4)
    files = {path: path.read_bytes() for path in out.iterdir()}
    state = files[out / STATE]
    rng = np.random.default_rng(0)
    for case in range(6):
        for path, content in files.items():
            path.write_bytes(content)
        broken = bytearray(state)
        broken[int(rng.integers(len(state)))] ^= 1 << int(rng.integers(8))
        (out / STATE).write_bytes(broken if case % 2 else state[: int(rng.integers(len(state)))])
        with pytest.warns(UserWarning, match=rf"{STATE}: .*; the run goes on from the state before it, {PREVIOUS}"):
            again, resumed = train(out, resume=True)
        assert all(torch.equal(weights[name], resumed[name]) for name in weights)
        assert again.records == whole.records
    (out / STATE).write_bytes(b"")
    (out / PREVIOUS).write_bytes(b"")
    with pytest.raises(PhotomendError, match=PREVIOUS):
        train(out, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"progress": {"steps": "many"}},
        {"progress": {}},
        {"progress": 5},
        {"weights": {}},
        {"weights": 5},
        {"optimizer": {"lr": 1.0}},
        {"random": {}},
        {"random": {"cpu": 5}},
        {"data": None},
        {"settings": None},
        {"model": None},
    ],
)
def test_a_state_made_by_hand_is_refused_in_one_line(change: dict[str, object], tmp_path: Path) -> None:
    train(tmp_path, steps=2)
    (tmp_path / PREVIOUS).unlink()
    save_state(tmp_path / STATE, {**load_state(tmp_path / STATE), **change})
    with pytest.raises(PhotomendError) as error:
        train(tmp_path, resume=True)
    assert str(error.value).startswith(str(tmp_path / STATE))
    assert "\n" not in str(error.value)


@pytest.mark.slow  # whole runs
def test_runs_that_are_killed_at_random_moments_leave_what_others_leave() -> None:
    counts = kill_often(4)
    assert counts["kills"] == 4
    assert counts["different"] == 0
