"""Several processes that want the same name for their data set."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from photomend.core import PhotomendError
from photomend.data.preparation.prepare import prepare
from photomend.data.preparation.unfinished import claimed, require_free, unfinished_folder
from photomend.data.prepared import read_provenance
from photomend.data.sources import FolderSource


def test_two_one_after_the_other(source: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other finishes between the first look at the name and the lock."""
    out = tmp_path / "set"
    look = require_free

    def slow_look(path: Path) -> None:
        look(path)
        monkeypatch.setattr("photomend.data.preparation.prepare.require_free", look)
        prepare(source, out, side=64)

    monkeypatch.setattr("photomend.data.preparation.prepare.require_free", slow_look)
    with pytest.raises(PhotomendError, match="set: already exists and is not an empty folder"):
        prepare(source, out, side=80)
    assert sorted(os.listdir(tmp_path)) == ["photos", "set"]
    assert read_provenance(out)["side"] == 64


@pytest.mark.parametrize("gone", ["published", "removed"])
def test_the_lock_is_on_the_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """The other lets go between opening the folder and locking it: then it is another one that is locked."""
    out, flock = tmp_path / "set", fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        if gone == "published":
            unfinished_folder(out).rename(tmp_path / "elsewhere")
        else:
            unfinished_folder(out).rmdir()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with claimed(out):
        assert unfinished_folder(out).is_dir()
        with pytest.raises(PhotomendError, match="another process is at work"), claimed(out):
            pass
    assert not unfinished_folder(out).exists()


@pytest.mark.slow  # a process of its own
def test_imports_where_there_is_no_fcntl() -> None:
    command = "import sys; sys.modules['fcntl'] = None; import photomend.data"
    subprocess.run([sys.executable, "-c", command], check=True)


def test_two_at_once(source: FolderSource, tmp_path: Path) -> None:
    def other() -> None:
        with pytest.raises(PhotomendError, match="another process is at work on this data set"):
            prepare(source, tmp_path / "set", side=64)

    prepare(source, tmp_path / "set", side=64, on_photo=other)
