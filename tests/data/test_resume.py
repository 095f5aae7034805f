"""Preparing that is cut short: it goes on from what was finished, and nobody can tell from the outcome."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets.arrow_writer import ArrowWriter
from photomend.core import PhotomendError
from photomend.data.photos import SkippedPhotoWarning, find_photos
from photomend.data.preparation.prepare import prepare
from photomend.data.preparation.unfinished import read_journal, unfinished_folder
from photomend.data.sources import FolderSource
from PIL import Image

from .conftest import smooth_photo

pytestmark = pytest.mark.slow  # whole preparations, killed and begun again

SHARD = 4


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", SHARD)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a killed process leaves the same files without it


class Killed(BaseException):
    """In the place of SIGKILL, which no handler sees."""


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def counted(source: FolderSource, seen: list[str]) -> FolderSource:
    """The source, noting in `seen` what is read of it."""
    read = source.read

    def noting_read(index: int, least: int | None = None) -> np.ndarray:
        seen.append(source.name(index))
        return read(index, least)

    source.read = noting_read  # type: ignore[method-assign]
    return source


def killed_at(event: int, out: Path, act: Callable[[], object], patch: pytest.MonkeyPatch) -> bool:
    """Run `act` and kill it before its `event`-th change to the disk's state; whether it got that far.

    What a process leaves when it is killed is the files as they are at that moment: no `finally` tidies up. So they are
    put aside before the exception is raised, and put back after it.
    """
    count, snapshot = 0, out.parent.with_name("snapshot")

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == event:
                patch.undo()
                shutil.copytree(out.parent, snapshot)
                raise Killed
            return function(*arguments, **options)

        return call

    for name in ("replace", "rename", "unlink", "mkdir", "rmdir"):
        patch.setattr(os, name, watched(getattr(os, name)))
    try:
        act()
    except Killed:
        shutil.rmtree(out.parent)
        snapshot.rename(out.parent)
        return True
    finally:
        patch.undo()
    return False


def test_killed_at_every_step(source: FolderSource, tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "set"
    prepare(source, whole, seed=3, side=64)
    expected = tree(whole)
    for event in range(1, 200):
        out = tmp_path / "cut" / "set"
        out.parent.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            if not killed_at(event, out, partial(prepare, source, out, seed=3, side=64), patch):
                break
        if not out.exists():
            journal = read_journal(out)
            finished = 0 if journal is None else 10 if journal.finished else journal.photos
            seen: list[str] = []
            prepare(counted(FolderSource(source.paths, source.root), seen), out, seed=3, side=64)
            assert seen == [source.name(index) for index in range(finished, 10)]
        assert tree(out) == expected
        assert os.listdir(out.parent) == ["set"]
        shutil.rmtree(out.parent)
    assert event > 30


# A process of its own, killed for good. It waits before each photo, so that the kill comes in the midst of them.
PREPARING = f"""
import sys, time
from pathlib import Path
from photomend.data.sources import FolderSource
from photomend.data.photos import find_photos
from photomend.data.preparation.prepare import prepare
from photomend.data.preparation import prepare as module
module.PHOTOS_PER_SHARD = {SHARD}
root, out, log = map(Path, sys.argv[1:])

class Slow(FolderSource):
    def read(self, index, least=None):
        with log.open("a") as file:
            file.write(self.name(index) + "\\n")
        time.sleep(0.02)
        return super().read(index, least)

prepare(Slow(find_photos(root), root), out, seed=3, side=64)
"""


def test_a_process_killed_for_good(folder: Path, source: FolderSource, tmp_path: Path) -> None:
    for number in range(10, 40):
        Image.fromarray(smooth_photo(number, 60, 60)).save(folder / f"{number}.png")
    source = FolderSource(find_photos(folder), folder)
    out, log = tmp_path / "cut" / "set", tmp_path / "read.txt"
    command = [sys.executable, "-c", PREPARING, str(folder), str(out), str(log)]
    with subprocess.Popen(command) as process:
        while not (log.exists() and len(log.read_text().split()) >= 18):
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
    assert not out.exists()
    subprocess.run(command, check=True)
    prepare(source, tmp_path / "whole", seed=3, side=64)
    assert tree(out) == tree(tmp_path / "whole")
    twice = len(log.read_text().split()) - 40
    assert 0 <= twice <= SHARD  # what was read, and maybe half written, after the last finished shard


def test_unreadable_photos_stay_recorded(folder: Path, tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/8.png"):
        (folder / name).write_text("no photo")
    source = FolderSource(find_photos(folder), folder)
    with pytest.warns(SkippedPhotoWarning):
        expected = prepare(source, tmp_path / "whole", side=64)
    assert list(expected["skipped"]) == ["cat/1.png", "dog/8.png"]
    seen: list[str] = []
    interrupted(source, tmp_path / "set", after=6)
    with pytest.warns(SkippedPhotoWarning) as caught:
        assert prepare(counted(source, seen), tmp_path / "set", side=64) == expected
    assert [str(warning.message) for warning in caught if "cat/1" in str(warning.message)] == []
    assert seen == [source.name(index) for index in range(4, 10)]
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


def interrupted(source: FolderSource, out: Path, after: int, **parameters: Any) -> None:
    """Begin to prepare, and press Ctrl-C after so many photos."""
    photos = iter(range(after))

    def on_photo() -> None:
        if next(photos, None) is None:
            raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedPhotoWarning)
        with pytest.raises(KeyboardInterrupt):
            prepare(source, out, on_photo=on_photo, **{"side": 64, **parameters})


def test_other_parameters_are_refused_unless_told_to_start_over(source: FolderSource, tmp_path: Path) -> None:
    out = tmp_path / "set"
    interrupted(source, out, after=6, seed=1)
    before = tree(tmp_path)
    with pytest.raises(PhotomendError, match=r"begun with seed 1, now 2; side 64, now 80; ask for the same.*--restart"):
        prepare(source, out, seed=2, side=80)
    assert tree(tmp_path) == before
    seen: list[str] = []
    prepare(counted(source, seen), out, seed=2, side=80, restart=True)
    assert len(seen) == 10
    prepare(source, tmp_path / "whole", seed=2, side=80)
    assert tree(out) == tree(tmp_path / "whole")


def test_what_never_finished_a_shard_leaves_nothing(source: FolderSource, tmp_path: Path) -> None:
    out = tmp_path / "new" / "set"
    interrupted(source, out, after=2)
    assert os.listdir(out.parent) == []


@pytest.mark.parametrize("change", ["come", "gone", "edited"])
def test_photos_that_changed_are_noticed(folder: Path, source: FolderSource, tmp_path: Path, change: str) -> None:
    out = tmp_path / "set"
    interrupted(source, out, after=6)
    before = tree(unfinished_folder(out))
    if change == "come":
        shutil.copy(folder / "cat" / "1.png", folder / "cat" / "11.png")
    elif change == "gone":
        (folder / "cat" / "1.png").unlink()
    else:
        os.utime(folder / "cat" / "1.png", ns=(0, 0))
    counts = {"come": "10 then, 11 now", "gone": "10 then, 9 now", "edited": "10 then, 10 now"}[change]
    with pytest.raises(PhotomendError, match=f"photos have changed since .{counts}.; start over with --restart"):
        prepare(FolderSource(find_photos(folder), folder), out, side=64)
    assert tree(unfinished_folder(out)) == before


def test_damaged_parts_are_named(source: FolderSource, tmp_path: Path) -> None:
    out = tmp_path / "set"
    interrupted(source, out, after=9)
    shard = next(unfinished_folder(out).glob("train/*.arrow"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-9])
    with pytest.raises(PhotomendError, match=rf"{shard}: this finished part has .* bytes instead of {len(whole)}"):
        prepare(source, out, side=64)
    shard.unlink()
    with pytest.raises(PhotomendError, match=rf"{shard}: this finished part is missing; start over with --restart"):
        prepare(source, out, side=64)
    journal = unfinished_folder(out) / "journal.json"
    journal.write_text("{")
    with pytest.raises(PhotomendError, match=rf"{journal}: the journal can't be read; start over with --restart"):
        prepare(source, out, side=64)
    prepare(source, out, side=64, restart=True)
    assert out.is_dir()


def test_a_folder_that_is_something_else_is_left_alone(source: FolderSource, tmp_path: Path) -> None:
    unfinished_folder(tmp_path / "set").mkdir()
    letter = unfinished_folder(tmp_path / "set") / "letter.txt"
    letter.write_text("mine")
    for restart in (False, True):
        with pytest.raises(PhotomendError, match=r"holds letter\.txt, which no unfinished data set has"):
            prepare(source, tmp_path / "set", side=64, restart=restart)
    assert letter.read_text() == "mine"


def test_killed_while_tidying_up(source: FolderSource, tmp_path: Path) -> None:
    """A failed run that is killed while it removes what it made doesn't take the name for good."""

    def fail(out: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            prepare(source, out, side=64, on_photo=interrupt)

    def interrupt() -> None:
        raise KeyboardInterrupt

    for event in range(1, 50):
        out = tmp_path / "cut" / "set"
        out.parent.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            if not killed_at(event, out, partial(fail, out), patch):
                break
        prepare(source, out, side=64, restart=event % 2 == 0)
        assert os.listdir(out.parent) == ["set"]
        shutil.rmtree(out.parent)
    assert event > 5


def test_a_full_disk_costs_no_finished_work(source: FolderSource, tmp_path: Path) -> None:
    out, seen = tmp_path / "set", []
    write = ArrowWriter.write

    def refusing(writer: ArrowWriter, row: dict[str, Any]) -> None:
        seen.append(row["path"])
        if len(seen) == 7:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(writer, row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ArrowWriter, "write", refusing)
        with pytest.raises(
            PhotomendError, match=r"set: can't be written \(No space left on device\); the same command"
        ):
            prepare(source, out, side=64)
    assert not out.exists()
    seen = []
    prepare(counted(source, seen), out, side=64)
    assert len(seen) == 6
    prepare(source, tmp_path / "whole", side=64)
    assert tree(out) == tree(tmp_path / "whole")


def test_a_quota_on_files(source: FolderSource, tmp_path: Path) -> None:
    """The kernel's own refusal, in the middle of a write."""
    out = tmp_path / "set"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(PhotomendError, match=r"set: can't be written \(File too large\)"):
            prepare(source, out, side=128)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not out.exists()
    prepare(source, out, side=128)
    prepare(source, tmp_path / "whole", side=128)
    assert tree(out) == tree(tmp_path / "whole")
