"""The JSON-lines log."""

from __future__ import annotations

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
