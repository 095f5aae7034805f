"""`photomend tune`: what it keeps, who uses it, and that nothing it keeps can do harm."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from photomend.core import PhotomendError
from photomend.core.backend import machine, profile
from photomend.core.backend.machine import Machine

from .helpers import Shell, picture

#: As no machine is: whoever sees this knows where it came from.
ODD = Machine(large=7.0, batch=3.0, memory=2.0, call=11.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A cache of its own, and afterwards the fixed description again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    machine.use(None)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    picture(tmp_path / "photo.png", seed=0)
    return tmp_path / "photo.png"


def test_tune_measures_and_keeps(shell: Shell, cache: Path) -> None:
    outcome = shell("tune")
    assert outcome.status == 0, outcome
    measured = profile.load()
    assert measured is not None
    assert min(measured.large, measured.batch, measured.memory, measured.call) > 0
    assert f"large products  {measured.large:8.1f} multiplications a nanosecond" in outcome.out
    assert str(cache / "photomend" / "machine.json") in outcome.out
    assert not list((cache / "photomend").glob("*.part"))


def test_a_profile_is_used_and_said_and_ignored_on_demand(shell: Shell, photo: Path, tmp_path: Path) -> None:
    repair = ("repair", photo, "--box", "9,9,30,20", "-o", tmp_path / "o.png", "--model", "harmonic", "--overwrite")
    assert "profile" not in shell(*repair).err
    profile.save(ODD)
    assert f"uses this machine's profile, {profile.path()}" in shell(*repair).err
    assert machine.machine() == ODD
    assert "profile" not in shell(*repair, "--no-profile").err
    assert machine.machine() != ODD


@pytest.mark.parametrize("changed", [{"processor": "another"}, {"threads": 99}, {"torch": "1.0"}])
def test_a_profile_of_another_machine_is_ignored(changed: dict[str, object]) -> None:
    file = profile.save(ODD)
    assert profile.load() == ODD
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    assert profile.load() is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"machine": 3}', '{"machine": {"large": "fast"}}', "\x00"],
)
def test_a_damaged_profile_is_ignored(text: str) -> None:
    profile.save(ODD).write_text(text)
    assert profile.load() is None


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 3, None, "7"])
def test_rates_that_cannot_be_are_ignored(rate: object) -> None:
    file = profile.save(ODD)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "machine": {**content["machine"], "batch": rate}}))
    assert profile.load() is None


def test_a_cache_that_cannot_be_written_is_one_line(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(PhotomendError, match=r"machine\.json: can't be written"):
        profile.save(ODD)


def test_the_number_of_threads_belongs_to_a_profile() -> None:
    profile.save(ODD)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        assert profile.load() is None
    finally:
        torch.set_num_threads(before)
    assert profile.load() == dataclasses.replace(ODD)
