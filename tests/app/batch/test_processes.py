"""Batches in processes of their own: killed in the middle, without a reader, a disk or memory. Nothing half-written."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ..helpers import picture, pixels

pytestmark = pytest.mark.slow  # processes

#: The command, in a process whose memory may grow by so many MiB from when the command's modules are there.
LIMITED = """
import resource, sys
from photomend.app import cli
from photomend.app.commands import repair
from photomend.app.photo import png
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + int(sys.argv.pop(1)) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
cli.main()
"""


def command(photos: Path, target: Path, *options: str) -> list[str]:
    start = [sys.executable, "-m", "photomend", "repair", str(photos), "-o", str(target)]
    return [*start, "--box", "10,20,30,25", "--model", "border", *options]


def noise(path: Path, height: int, width: int) -> None:
    """A photo that no format compresses."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)


def test_killed_in_the_middle_and_gone_on(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    noise(tmp_path / "photos/00.png", 300, 300)
    for number in range(1, 60):
        os.link(tmp_path / "photos/00.png", tmp_path / f"photos/{number:02}.png")
    start, out = command(tmp_path / "photos", tmp_path / "out"), tmp_path / "out"
    pipe = subprocess.PIPE
    with subprocess.Popen(start, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "00.png  750 pixels rebuilt" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        [line] = process.stderr.read().splitlines()
    done = sorted(os.listdir(out))
    assert 1 <= len(done) < 60
    assert all(name.endswith(".png") for name in done)  # no draft
    assert f"stopped by SIGTERM; {len(done)} of 60 photos repaired, {60 - len(done)} left; --skip-existing" in line
    result = subprocess.run([*start, "--skip-existing"], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == f"{60 - len(done)} of 60 photos repaired, {len(done)} there already"
    expected = pixels(out / "59.png")
    assert all(np.array_equal(pixels(path), expected) for path in out.iterdir())


def test_a_reader_that_leaves_does_not_stop_a_batch(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / f"photos/{name}.png")
    start = " ".join(command(tmp_path / "photos", tmp_path / "out", "--json"))
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {start} | true"], capture_output=True, text=True, check=False
    )
    said = "standard output: nobody reads it any more; the photos are repaired all the same"
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"photomend: error: {said}\nphotomend: 3 of 3 photos repaired\n"
    assert len(os.listdir(tmp_path / "out")) == 3


def test_a_photo_on_standard_output(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    start = command(tmp_path / "a.png", Path("-"), "--format", "tif", "--json")
    result = subprocess.run(start, capture_output=True, check=True, cwd=tmp_path)
    (tmp_path / "b.tif").write_bytes(result.stdout)
    before, after = pixels(tmp_path / "a.png"), pixels(tmp_path / "b.tif")
    assert np.array_equal(after[:20], before[:20])
    assert b'"output": "-", "status": "repaired"' in result.stderr
    assert os.listdir(tmp_path) == ["a.png", "b.tif"] or os.listdir(tmp_path) == ["b.tif", "a.png"]
    noise(tmp_path / "large.png", 400, 400)  # more than a pipe holds
    start = command(tmp_path / "large.png", Path("-"))
    result = subprocess.run(["bash", "-c", f"{' '.join(start)} | true"], capture_output=True, check=False, cwd=tmp_path)
    error = b"photomend: error: standard output: nobody reads it any more; the photo is not complete there\n"
    assert result.stderr.splitlines(keepends=True)[-1] == error


def test_a_file_too_large_for_the_disk(tmp_path: Path) -> None:
    """The limit on the size of files stands for a disk that is full: writing fails in the middle."""
    (tmp_path / "photos").mkdir()
    noise(tmp_path / "photos/b.png", 400, 400)
    for name in ("a.png", "c.jpg"):
        picture(tmp_path / "photos" / name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png").write_bytes(b"an older one")
    limit = 100_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    start = command(tmp_path / "photos", tmp_path / "out", "--overwrite")
    result = subprocess.run(start, capture_output=True, text=True, check=False, preexec_fn=limited)
    assert result.returncode == 1
    error = f"photomend: error: {tmp_path / 'out/b.png'}: can't be written (File too large)\n"
    assert result.stderr == error
    assert result.stdout.splitlines()[-1] == "2 of 3 photos repaired, 1 not"
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "b.png", "c.jpg"]
    assert (tmp_path / "out/b.png").read_bytes() == b"an older one"


def test_a_photo_that_memory_does_not_suffice_for(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9000, 9000)).save(tmp_path / "photos/b.png")
    for name in ("a.png", "c.png"):
        picture(tmp_path / "photos" / name)
    start = command(tmp_path / "photos", tmp_path / "out")
    limited = [sys.executable, "-c", LIMITED, "300", *start[3:]]
    result = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert result.stderr == f"photomend: error: {tmp_path / 'photos/b.png'}: not enough memory\n"
    assert result.stdout.splitlines()[-1] == "2 of 3 photos repaired, 1 not"
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "c.png"]
