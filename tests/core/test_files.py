"""Whole files or none, and the answer to a misspelt name."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from photomend.core import did_you_mean, files, replacing


def test_a_new_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    with replacing(path) as draft:
        assert draft.parent == tmp_path
        assert draft.name.startswith(".")
        assert not draft.exists()
        draft.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(tmp_path) == ["new.txt"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_all_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")

    def half() -> None:
        with replacing(path) as draft:
            draft.write_text("half")
            raise error

    with pytest.raises(error):
        half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["old.txt"]


def test_a_draft_that_cannot_take_the_name_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"), replacing(folder) as draft:
        draft.write_text("new")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "never.txt"):
        pass


def test_drafts_do_not_meet(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_umasks_mode_and_another_its_own(tmp_path: Path, umask: int, mode: int) -> None:
    path, before = tmp_path / "new.txt", os.umask(umask)
    try:
        for expected in (mode, 0o640):
            with replacing(path) as draft:
                os.close(os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600))  # as safetensors makes it
            assert path.stat().st_mode & 0o777 == expected
            path.chmod(0o640)
    finally:
        os.umask(before)


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere.txt", tmp_path / "link.txt"
    elsewhere.write_text("not ours")
    path.symlink_to(elsewhere)
    with replacing(path) as draft:
        draft.write_text("ours")
    assert (elsewhere.read_text(), path.read_text(), path.is_symlink()) == ("not ours", "ours", False)


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.bin"
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/a\.bin'"), replacing(path) as draft:
        files.write_chunks(draft, [b"whole"])
    assert os.listdir(tmp_path) == []


def test_a_system_that_takes_a_byte_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:1]))
    files.write_chunks(tmp_path / "a.bin", [b"who", memoryview(b"le")])
    assert (tmp_path / "a.bin").read_bytes() == b"whole"


def test_the_draft_is_on_the_disk_before_it_gets_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        calls.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).suffix or 'folder'}")
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        calls.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    with replacing(tmp_path / "a.txt") as draft:
        draft.write_text("whole")
    assert calls == ["sync .part", "rename", "sync folder"]


@pytest.mark.slow  # a process of its own
def test_what_a_killed_process_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    """And nothing of one that is still at work, nor drafts of unknown age."""
    code = (
        "import sys, signal\nfrom pathlib import Path\nfrom photomend.core import replacing\n"
        "with replacing(Path(sys.argv[1], 'a.txt')) as draft:\n"
        "    draft.write_text('half'); print('here', flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    killed, working = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    for process in (killed, working):
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (tmp_path / ".photomend-old.part").touch()
    os.utime(tmp_path / ".photomend-old.part", (0, time.time() - 2 * files.ABANDONED))
    (tmp_path / ".photomend-new.part").touch()
    assert len(os.listdir(tmp_path)) == 6
    with replacing(tmp_path / "b.txt") as draft:
        draft.write_text("whole")
    assert len(os.listdir(tmp_path)) == 4
    working.terminate()
    working.wait()


@pytest.mark.parametrize(
    ("word", "known", "answer"),
    [
        ("harmonik", ["border", "harmonic"], "did you mean 'harmonic'?"),
        ("xyz", ("border", "harmonic"), "there are border, harmonic"),
        ("bordr", {"border": 1, "linear": 2}, "did you mean 'border'?"),
        ("xyz", ["border", "linear", "border"], "there are border, linear"),
        ("xyz", (), "there are none"),
    ],
)
def test_the_nearest_name(word: str, known, answer: str) -> None:
    assert did_you_mean(word, known) == answer
