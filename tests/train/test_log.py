"""The JSON-lines log."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from photomend.core import PhotomendError
from photomend.train.log import JsonLog, by_kind, read_log


def test_appends_and_flushes(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with JsonLog(path) as log:
        log.write({"step": 1, "loss": 0.1 + 0.2})
        assert read_log(path) == [{"step": 1, "loss": 0.1 + 0.2}]  # without closing
    with JsonLog(path) as log:
        log.write({"step": 2})
    assert [record["step"] for record in read_log(path)] == [1, 2]


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "lo')
    assert read_log(path) == [{"step": 1}]
    with JsonLog(path) as log:
        log.write({"step": 3})
    assert read_log(path) == [{"step": 1}, {"step": 3}]


def test_what_is_done_again_is_not_there_twice(tmp_path: Path) -> None:
    """A run was killed after it had logged step 3 and its validation, and before its state had them."""
    records = [{"validation": 0, "step": 0}, {"step": 1}, {"step": 2}, {"step": 3}, {"validation": 1, "step": 3}]
    path = tmp_path / "log.jsonl"
    for steps, validated, kept in ((3, 0, records[:4]), (2, 0, records[:3]), (3, 3, records), (0, -1, [])):
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        with JsonLog(path, steps, validated):
            assert read_log(path) == kept


def test_lines_of_strangers(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('5\n[1]\nnull\n{"step": "x"}\n{"step": 1}\n' + "[" * 99_999 + "\n" + "1" * 9999 + "\n")
    assert read_log(path) == [{"step": 1}]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(PhotomendError, match="not a file"):
        read_log(path)


def test_a_full_disk_names_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with JsonLog(tmp_path / "log.jsonl") as log:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(PhotomendError, match=r"log\.jsonl: the log cannot be written \(No space left"):
            log.write({"step": 1})


@pytest.mark.parametrize("name", ["validation", "epoch"])  # what earlier versions called it
def test_steps_and_validations_are_told_apart(name: str) -> None:
    steps, validations = (
        [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4}],
        [{name: 0, "step": 0}, {name: 1, "step": 2}],
    )
    assert by_kind([validations[0], *steps, validations[1]]) == (steps, validations)


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="nowhere"):
        JsonLog(tmp_path / "nowhere" / "log.jsonl")
    with pytest.raises(PhotomendError, match=r"log\.jsonl"):
        read_log(tmp_path / "log.jsonl")
