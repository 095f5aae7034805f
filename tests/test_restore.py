"""What `benchmarks/restore.py` measures with: files of the sizes it names, processes timed and limited from outside."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photomend.benchmarks.restoring import batch
from photomend.benchmarks.restoring.cases import CASES
from photomend.benchmarks.restoring.processes import run
from photomend.core import PhotomendError
from PIL import Image


def test_photos_and_masks_are_made_once(tmp_path: Path) -> None:
    for case in (replace(case, size=(300, 200)) for case in CASES):
        photo, mask = case.make_files(tmp_path)
        with Image.open(photo) as image, Image.open(mask) as drawn:
            assert image.size == drawn.size == (300, 200)
            share = np.asarray(drawn).mean() / 255
            assert 0 < share < 1, case.name
        made = mask.stat().st_mtime_ns
        assert case.make_files(tmp_path)[1].stat().st_mtime_ns == made


@pytest.mark.slow  # a process
def test_they_are_made_elsewhere(tmp_path: Path) -> None:
    """So that this process doesn't hold a large photo, which would count as memory of the commands that it starts."""
    [case] = [case for case in CASES if case.name == "photo"]
    photo, mask = case.files(tmp_path)
    assert photo.exists()
    assert mask.exists()


def test_a_batch_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SIZE", (300, 200))
    for _ in range(2):
        photos, masks, results = batch.Batch.make(tmp_path, 6)
        assert len(list(photos.iterdir())) == len(list(masks.iterdir())) == 6
        assert list(results.iterdir()) == []
    assert len(list(tmp_path.glob("*.jpg"))) == 4
    shares = [np.asarray(Image.open(path)).mean() / 255 for path in masks.iterdir()]
    assert shares == [pytest.approx(batch.SIDE**2 / 60_000)] * 6


@pytest.mark.slow  # processes
def test_a_command_is_timed_and_its_failure_is_an_error() -> None:
    cost = run([sys.executable, "-c", "x = bytearray(50 * 2**20)"])
    assert cost.cpu > 0
    assert cost.mib > 50
    with pytest.raises(PhotomendError, match=r"python.* -c .*: nonsense"):
        run([sys.executable, "-c", "import sys; sys.exit('nonsense')"])


@pytest.mark.slow  # processes that compute
def test_half_a_core_takes_twice_the_time_of_computing() -> None:
    spin = "import time\nwhile time.process_time() < 0.5: pass"
    cost = run([sys.executable, "-c", spin], half_a_core=True)
    assert cost.seconds > 1.5 * cost.cpu
