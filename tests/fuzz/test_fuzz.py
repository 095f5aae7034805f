"""Inputs for each reader, and the fuzzer's own tests."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from random import Random

import pytest

from .fuzz import fuzz, made
from .mutate import checked_png
from .replay import replay
from .structure import restructured
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


def spin(path: Path) -> None:
    while True:
        pass


def hoard(path: Path) -> None:
    bytearray(2**33)


def slip(path: Path) -> None:
    raise KeyError("a name")


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (crash, "killed by SIGSEGV"),
        (hang, "took more than"),
        (spin, "took more than"),
        (hoard, "MemoryError"),
        (slip, "KeyError"),
    ],
)
def test_what_the_fuzzer_finds(reader: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "bad", Target(reader, lambda: [b"abc"]))  # type: ignore[arg-type]
    monkeypatch.setattr(sys.modules[fuzz.__module__], "MOST_SECONDS", 0.3)
    found = fuzz("bad", seconds=20, keep=tmp_path, most=2)
    assert found.inputs == 2
    kinds = 2 if reader in (crash, hang, spin) else 1  # an error is told from another by its type and line
    assert [message in line for line in found.findings] == [True] * kinds
    kept = {path.read_bytes() for path in tmp_path.iterdir()}
    assert made("bad", [b"abc"], 0, 0) in kept
    assert all(any(path.name in line for line in found.findings) for path in tmp_path.iterdir())


def test_an_input_is_the_same_whenever_it_is_asked_for() -> None:
    files = TARGETS["log"].corpus()
    assert [made("log", files, 0, n) for n in range(9)] == [made("log", files, 0, n) for n in range(9)]
    assert made("log", files, 0, 1) != made("log", files, 1, 1)


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - {"digests", "shard"}))  # lines, and Arrow
def test_what_it_begins_with_has_a_part_to_change(name: str) -> None:
    """Each of the corpus, or nearly: of the photos some are hostile, and in no shape to be taken apart."""
    files = TARGETS[name].corpus()
    taken = [any(restructured(data, Random(number)) != data for number in range(20)) for data in files]
    assert sum(taken) >= 0.6 * len(files), [data[:12] for data, one in zip(files, taken, strict=True) if not one]


def test_changed_parts_stay_whole() -> None:
    """A PNG file has right checksums and a safetensors file a right size after any change of a part."""
    image = next(data for data in TARGETS["photo"].corpus() if data[:4] == b"\x89PNG")
    for number in range(50):
        made_png = restructured(image, Random(number))
        assert checked_png(made_png) == made_png
    (weights, *_) = TARGETS["weights"].corpus()
    for number in range(50):
        data = restructured(weights, Random(number))
        assert 8 + int.from_bytes(data[:8], "little") <= len(data)


def test_the_corpus_is_replayed(tmp_path: Path) -> None:
    kept = tmp_path / "log"
    kept.mkdir()
    (kept / "a").write_bytes(b'{"step": 1}\n')
    found = replay("log", tmp_path)
    assert (found.inputs, found.refused, found.findings) == (2, 0, [])
