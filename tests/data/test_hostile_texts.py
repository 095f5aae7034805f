"""JSON, TOML and digests from strangers: whatever a file is and says, it is refused with one line, and at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from photomend.app.exercises import hints
from photomend.app.exercises.process import Finding
from photomend.app.options import read_settings
from photomend.app.reconstructors import read_sums
from photomend.app.web.answers import parsed
from photomend.core import PhotomendError
from photomend.core.backend import profile
from photomend.data.preparation.unfinished import JOURNAL, Journal, read_journal, unfinished_folder
from photomend.data.prepared import PROVENANCE, PreparedSource
from photomend.tests.fuzz.dataset_corpus import dataset_parts
from photomend.train.config import TrainConfig
from photomend.train.log import read_log

#: What a text may be that claims to be JSON.
TEXTS = {
    "nested lists": "[" * 100_000,
    "nested objects": '{"a":' * 100_000,
    "a key twice": '{"format": 1, "format": 1, "steps": 6, "steps": 6}',
    "a number without end": '{"steps": ' + "9" * 100_000 + "}",
    "half a text": '{"steps": "',
    "a list": "[1, 2]",
    "a number": "1e999",
    "nothing": "",
    "no text": "\udcff\udcfe",
}
SPECIAL = ("a pipe", "a device", "a folder", "too much")


def put(kind: str, path: Path) -> None:
    """Put a hostile text, or what is no file, at `path`."""
    if path.exists():
        path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "too much":
        with path.open("wb") as file:
            file.truncate(2**40)  # takes no room
    else:
        path.write_bytes(TEXTS[kind].encode("utf-8", "surrogateescape"))


def refused(read: Callable[[], object], path: Path) -> str:
    """The one line with which it is refused, within two seconds."""
    began = time.monotonic()
    with pytest.raises(PhotomendError) as error:
        read()
    assert time.monotonic() - began < 5
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 500
    return str(error.value)


@pytest.mark.parametrize("kind", [*TEXTS, *SPECIAL])
@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_settings(kind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"settings{suffix}"
    put(kind, path)
    if (kind, suffix) == ("nothing", ".toml"):
        assert read_settings(path) == {}
        return
    assert str(path) in refused(lambda: TrainConfig.from_dict(read_settings(path), str(path)), path)


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN", "1e-999", "true", '"6"', "[6]", "9" * 400])
def test_numbers_that_are_none(value: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(f'{{"steps": 6, "lr": {value}}}')
    assert "lr" in refused(lambda: TrainConfig.from_dict(read_settings(path), str(path)), path)


def prepared(folder: Path) -> Path:
    for file, content in dataset_parts().items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return folder


@pytest.mark.parametrize("kind", [*TEXTS, *SPECIAL])
@pytest.mark.parametrize("file", [PROVENANCE, "train/state.json", "train/dataset_info.json"])
def test_prepared_data(kind: str, file: str, tmp_path: Path) -> None:
    folder = prepared(tmp_path / "prepared")
    assert len(PreparedSource(folder, "train")) == 3
    put(kind, folder / file)
    if (kind, file) == ("a key twice", "train/dataset_info.json"):
        assert len(PreparedSource(folder, "train")) == 3  # it says nothing that is asked for
        return
    assert str(folder) in refused(lambda: PreparedSource(folder, "train"), folder)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder"])
def test_parts_of_prepared_data_that_are_no_files(kind: str, tmp_path: Path) -> None:
    folder = prepared(tmp_path / "prepared")
    put(kind, folder / "train/data-00000.arrow")
    assert "data-00000.arrow" in refused(lambda: PreparedSource(folder, "train"), folder)


@pytest.mark.parametrize("name", ["../../elsewhere.arrow", "/dev/zero", "data-00000.txt"])
def test_prepared_data_that_leads_elsewhere(name: str, tmp_path: Path) -> None:
    """A file that the check of all parts doesn't see is none of them."""
    folder = prepared(tmp_path / "prepared")
    (tmp_path / "elsewhere.arrow").write_bytes((folder / "train/data-00000.arrow").read_bytes())
    (folder / "train/data-00000.txt").write_bytes((folder / "train/data-00000.arrow").read_bytes())
    state = json.loads((folder / "train/state.json").read_text())
    state["_data_files"] = [{"filename": name}]
    (folder / "train/state.json").write_text(json.dumps(state))
    assert "is either missing or not listed in state.json" in refused(lambda: PreparedSource(folder, "train"), folder)


@pytest.mark.parametrize("kind", [*TEXTS, *SPECIAL])
def test_journals(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    unfinished_folder(out).mkdir()
    path = unfinished_folder(out) / JOURNAL
    put(kind, path)
    assert str(path) in refused(lambda: read_journal(out), path)


@pytest.mark.parametrize(
    "change",
    [
        {"shards": {"../../elsewhere.arrow": 1}},
        {"shards": {"train/data-00000.arrow": "1"}},
        {"places": {"train": 1}},
        {"places": {"train": -1, "validation": 0, "test": 0}},
        {"counts": []},
        {"skipped": 7},
        {"position": 3},
        {"more": 1},
    ],
)
def test_journals_of_other_values(change: dict[str, object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    unfinished_folder(out).mkdir()
    path = unfinished_folder(out) / JOURNAL
    good = {"parameters": {}, "position": {"given": 1}, "places": Journal({}).places, "counts": Journal({}).counts}
    path.write_text(json.dumps(good))
    assert read_journal(out) is not None
    path.write_text(json.dumps({**good, **change}))
    assert "--restart" in refused(lambda: read_journal(out), path)


@pytest.mark.parametrize("kind", [*TEXTS, *SPECIAL])
def test_what_only_helps_is_passed_over(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's profile, and which hints were given already."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "photomend").mkdir()
    put(kind, profile.path())
    put(kind, tmp_path / "photomend" / "hints.json")
    assert profile.load() is None
    assert hints.next_step(tmp_path / "a.py", Finding(stage="error", what="x")) == 1


@pytest.mark.parametrize("kind", [kind for kind in TEXTS if kind != "no text"])
def test_requests_to_the_page(kind: str, tmp_path: Path) -> None:
    refused(lambda: parsed(TEXTS[kind].encode()), tmp_path)


@pytest.mark.parametrize("kind", [*TEXTS, *SPECIAL])
def test_logs(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    if kind in ("too much", "a folder", "a pipe", "a device"):
        put(kind, path)
        assert str(path) in refused(lambda: read_log(path), path)
        return
    text = TEXTS[kind].encode("utf-8", "surrogateescape")
    path.write_bytes(b'{"step": 1}\n' + text + b'\n{"step": 2}\n')
    assert [record["step"] for record in read_log(path) if "step" in record] == [1, 2]


@pytest.mark.parametrize("kind", [*SPECIAL, "no text", "a list"])
def test_digests(kind: str, tmp_path: Path) -> None:
    put(kind, tmp_path / "SHA256SUMS")
    assert "SHA256SUMS" in refused(lambda: read_sums(tmp_path / "SHA256SUMS"), tmp_path)


@pytest.mark.parametrize(
    "line", ["9f" * 32, "9f" * 31 + "  a.safetensors", "9f" * 32 + "  ../a.safetensors", "x  y  z"]
)
def test_lines_that_are_no_digests(line: str, tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{'9f' * 32}  a.safetensors\n{line}\n")
    assert "line 2" in refused(lambda: read_sums(tmp_path / "SHA256SUMS"), tmp_path)
