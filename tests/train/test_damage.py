"""A full disk, a folder that takes no files, damaged files: the checkpoint before loads, and one line says so."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from photomend.core import Array, PhotomendError
from photomend.models.weights import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from photomend.train.checkpoint import PREVIOUS, STATE, load_state
from photomend.train.history import History

from .test_run_folder import train

PLACES = 100
NOBODY = 65534

Run = tuple[History, dict[str, Array]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What a run comes to that nothing has disturbed."""
    return train(tmp_path_factory.mktemp("whole") / "run")


def same(run: Run, other: Run) -> bool:
    return run[0].records == other[0].records and all(torch.equal(run[1][name], other[1][name]) for name in run[1])


def damages(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The file with one bit flipped, and cut off, at each of PLACES random offsets."""
    rng = np.random.default_rng(25)
    for offset in map(int, rng.choice(len(content), PLACES, replace=False)):
        flipped = bytearray(content)
        flipped[offset] ^= 1 << int(rng.integers(8))
        yield f"flipped at {offset}", bytes(flipped)
        yield f"cut at {offset}", content[:offset]


@pytest.mark.slow  # 200 runs
def test_the_state_damaged_at_100_places(whole: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(out, steps=4)
    files = {path: path.read_bytes() for path in out.iterdir()}
    for where, damaged in damages(files[out / STATE]):
        for path, content in files.items():
            path.write_bytes(content)
        (out / STATE).write_bytes(damaged)
        with pytest.warns(UserWarning, match=PREVIOUS) as caught:
            resumed = train(out, resume=True)
        [line] = [str(warning.message) for warning in caught]
        assert line.startswith(f"{out / STATE}: "), where
        assert line.endswith(f"; the run goes on from the state before it, {PREVIOUS}"), where
        assert "\n" not in line, where
        assert same(resumed, whole), where


def test_weights_damaged_at_100_places(tmp_path: Path) -> None:
    train(tmp_path / "run")
    best, last = (tmp_path / "run" / name for name in (BEST, LAST))
    content, expected = best.read_bytes(), load_checkpoint(last).weights
    for where, damaged in damages(content):
        best.write_bytes(damaged)
        with pytest.raises(PhotomendError) as error:
            load_checkpoint(tmp_path / "run")
        line = str(error.value)
        assert line.startswith(f"{best}: "), where
        assert line.endswith(f"; the last weights are in {last}"), where
        assert "\n" not in line, where
        found = load_checkpoint(last).weights
        assert all(torch.equal(found[name], expected[name]) for name in expected), where
    best.write_bytes(content)
    load_checkpoint(tmp_path / "run")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 512 KiB; one in memory, which only root may mount."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small tmpfs needs root; the limit on the size of files is tested without")
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"a small tmpfs can't be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


def fill(disk: Path) -> Path:
    """Write a file until the disk is full."""
    with (path := disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            return path


@pytest.mark.parametrize("validations", [1, 2, 3])
def test_a_full_disk(whole: Run, small_disk: Path, validations: int) -> None:
    """It is full from one of the validations on; with room again, the run goes on to the same end."""
    out, seen = small_disk / "run", count(1)

    def on_validation(interval: object) -> None:
        if next(seen) == validations:
            fill(small_disk)

    with pytest.raises(PhotomendError, match="No space left on device") as error:
        train(out, on_validation=on_validation)
    assert str(error.value).startswith(str(out))
    assert "\n" not in str(error.value)
    (small_disk / "filler").unlink()
    if (out / STATE).exists():
        load_state(out / STATE)
        assert same(train(out, resume=True), whole)
    else:  # not one state had been written
        assert validations == 1
        shutil.rmtree(out)
        assert same(train(out), whole)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_weights_on_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "weights.safetensors"
    save_checkpoint(path, Checkpoint("attention", {"a": torch.ones(1000)}))
    filler = fill(small_disk)
    with pytest.raises(PhotomendError, match=r"written \(No space left on device\); the one before is still there$"):
        save_checkpoint(path, Checkpoint("attention", {"a": torch.zeros(1000)}))
    filler.unlink()
    assert load_checkpoint(path).weights["a"].sum() == 1000
    assert os.listdir(small_disk) == ["weights.safetensors"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the kernel's own refusal in the middle of a write, without a mount."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_may_not_grow(whole: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(out, steps=4)
    before = (out / STATE).read_bytes()
    with largest_file(len(before) // 2), pytest.raises(PhotomendError, match=r"\(File too large\)") as error:
        train(out, resume=True)
    assert str(error.value).startswith(str(out))
    assert (out / STATE).read_bytes() == before
    assert same(train(out, resume=True), whole)


@contextmanager
def not_root() -> Iterator[None]:
    """Root may write anywhere: be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that nobody can reach, unlike pytest's."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_folder_without_permission_to_write(whole: Run, folder: Path) -> None:
    out = folder / "run"
    train(out, steps=4)
    before = {path: path.read_bytes() for path in out.iterdir()}
    for path in before:
        path.chmod(0o444)
    out.chmod(0o555)
    with not_root(), pytest.raises(PhotomendError, match="Permission denied") as error:
        train(out, resume=True)
    assert str(error.value).startswith(str(out))
    assert "\n" not in str(error.value)
    out.chmod(0o755)
    for path, content in before.items():
        assert path.read_bytes() == content
        path.chmod(0o644)
    assert same(train(out, resume=True), whole)


def test_a_disk_that_is_read_only(whole: Run, small_disk: Path) -> None:
    out = small_disk / "run"
    train(out, steps=4)
    before = {path: path.read_bytes() for path in out.iterdir()}
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(PhotomendError, match="Read-only file system") as error:
        train(out, resume=True)
    assert str(error.value).startswith(str(out))
    assert "\n" not in str(error.value)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert same(train(out, resume=True), whole)
