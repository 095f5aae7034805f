"""The disk fails at every single call of a run, in every way: nothing is lost, and the resumed run ends the same."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from photomend.core import Array, PhotomendError
from photomend.core.files import claimed
from photomend.models.weights import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from photomend.train.checkpoint import STATE, load_state
from photomend.train.log import LOG

from .faults import CALLS, FAULTS, Killed, failing
from .test_run_folder import train

LENGTH = {"steps": 2, "validation_interval": 2}


def attempt(out: Path, at: int, fault: str) -> tuple[int, str]:
    """Run until the disk fails at this call; the number of calls, and the error."""
    with failing(at, fault) as disk:
        error = outcome(lambda: train(out, **LENGTH))
    return len(disk.calls), error


def outcome(action: Callable[[], object]) -> str:
    """The error that it ends with, or ""."""
    try:
        action()
    except Killed:
        return "killed"
    except (PhotomendError, OSError) as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that nothing has disturbed; its state also tells the time."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(out, **LENGTH)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_layer_sees_every_kind_of_call(tmp_path: Path) -> None:
    with failing(0, "full") as disk:
        train(tmp_path / "run", **LENGTH)
    assert set(disk.calls) == set(CALLS)


@pytest.mark.slow  # a run, and another, for each call
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_at_any_call_of_a_run_costs_nothing(fault: str, whole: dict[str, bytes], tmp_path: Path) -> None:
    calls, _ = attempt(tmp_path / "count", 0, fault)
    for at in range(1, calls + 1):
        out = tmp_path / str(at)
        _, error = attempt(out, at, fault)
        if fault in ("full", "broken") and error:
            assert str(out) in error, (at, error)
            assert ".part" not in error, (at, error)
        if not out.exists() or not {path for path in os.listdir(out) if not path.startswith(".")}:
            train(out, **LENGTH)  # it had not begun
        elif error:
            again = outcome(lambda out=out: train(out, resume=True, **LENGTH))  # type: ignore[misc]
            assert not again or "this run is finished" in again, (at, error, again)
        with failing(0, fault), claimed(out, "busy", keep=True):  # as the next process does, which sweeps first
            assert set(os.listdir(out)) == whole.keys(), (at, error)
        for name in (LOG, BEST, LAST):
            assert (out / name).read_bytes() == whole[name], (at, error, name)
        assert load_state(out / STATE)["progress"]["steps"] == LENGTH["steps"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_while_weights_are_replaced_leaves_the_old_or_the_new(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"

    def example(value: float) -> dict[str, Array]:
        return {"a": torch.full((3, 4), value)}

    save_checkpoint(path, Checkpoint("attention", example(1.0)))
    for at in itertools.count(1):
        with failing(at, fault) as disk:
            new = Checkpoint("attention", example(at + 1.0))
            error = outcome(lambda new=new: save_checkpoint(path, new))  # type: ignore[misc]
        assert error in ("", "killed") or "weights.safetensors: the checkpoint cannot be written" in error
        if at > len(disk.calls):
            break
        found = load_checkpoint(path).weights["a"][0, 0].item()
        assert found in (float(at), at + 1.0)
        save_checkpoint(path, Checkpoint("attention", example(at + 1.0)))
        assert os.listdir(tmp_path) == ["weights.safetensors"], at
    assert at > 8
