"""A few hundred inputs for each reader, the fuzzer's own tests, and what it has found, each with its right answer."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from photomend.app.options import read_settings
from photomend.app.photo.files import read
from photomend.core import PhotomendError
from photomend.data.claims import BoundedFile
from photomend.tests.data.hostile import tiff

from . import targets
from .fuzz import fuzz, made
from .targets import TARGETS, Target

#: Inputs in the tests. `make fuzz` tries them for as long as one likes.
SHORT = 150


@pytest.mark.slow  # a process for each
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_more_than_refused(name: str) -> None:
    found = fuzz(name, seconds=120, seed=1, most=SHORT)
    assert found.findings == []
    assert found.inputs == SHORT


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path: Path) -> None:
    time.sleep(60)


def hoard(path: Path) -> None:
    bytearray(2**33)


def slip(path: Path) -> None:
    raise KeyError("a name")


@pytest.mark.parametrize(
    ("reader", "message"),
    [(crash, "killed by SIGSEGV"), (hang, "took more than"), (hoard, "MemoryError"), (slip, "KeyError")],
)
def test_what_the_fuzzer_finds(reader: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "bad", Target(reader, lambda: [b"abc"]))  # type: ignore[arg-type]
    monkeypatch.setattr("photomend.tests.fuzz.fuzz.MOST_SECONDS", 0.3)
    found = fuzz("bad", seconds=20, keep=tmp_path, most=2)
    assert found.inputs == 2
    assert [message in line for line in found.findings] == [True, True]
    assert (tmp_path / "bad-0-1").read_bytes() == made("bad", [b"abc"], 0, 1)


def test_an_input_is_the_same_whenever_it_is_asked_for() -> None:
    files = targets.TARGETS["log"].corpus()
    assert [made("log", files, 0, n) for n in range(9)] == [made("log", files, 0, n) for n in range(9)]
    assert made("log", files, 0, 1) != made("log", files, 1, 1)


def test_a_photo_without_pixels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.tif").write_bytes(tiff(12, 12, t258=60_000))
    with pytest.raises(PhotomendError, match=r"photo\.tif"):
        read(tmp_path / "photo.tif")


def test_strips_that_lie_petabytes_apart_are_refused(tmp_path: Path) -> None:
    """Pillow asked for all bytes between them."""
    (tmp_path / "photo.tif").write_bytes(bytes(8))
    with BoundedFile(tmp_path / "photo.tif") as file:
        assert file.read(2**48) == bytes(8)


@pytest.mark.parametrize("number", ["9" * 400, "0x" + "f" * 9000])
def test_settings_beyond_all_bounds_are_refused(number: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"steps = 6\nmse_weight = {number}\n")
    with pytest.raises(PhotomendError, match="mse_weight must be a number of a computer's range"):
        targets.settings(path)


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_settings_that_are_nested_without_end_are_refused(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"settings{suffix}").write_text(("a = " if suffix == ".toml" else "") + "[" * 10_000)
    with pytest.raises(PhotomendError, match="not a file of settings"):
        read_settings(tmp_path / f"settings{suffix}")
