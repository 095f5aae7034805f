"""An evaluation by several ranks, killed and begun again: the results of one process, to the bit."""

from __future__ import annotations

import math
import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import PhotomendError
from photomend.core.backend.ranks import Ranks
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.photos import SkippedPhotoWarning, find_photos
from photomend.data.sources import FolderSource
from photomend.models import BorderFill, RandomFill
from photomend.train.evaluation.evaluate import Evaluation, evaluate_models
from photomend.train.evaluation.shares import Block, Parts, evaluate_share
from PIL import Image

MODELS = {"random": RandomFill(), "border": BorderFill()}
PHOTOS, BATCH = 9, 2


class Exact:
    """Rebuilds nothing, but a photo of zeros: an infinite signal-to-noise ratio must survive the disk."""

    def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(masked)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(PHOTOS):
        pixels = np.random.default_rng(number).integers(0, 255 * (number > 0) + 1, (70, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")
    os.rename(root / "8.png", os.fsencode(root) + b"/\xff.png")  # a name that isn't UTF-8
    return root


def photos(folder: Path, times: int = 1) -> EvaluationSet:
    return EvaluationSet(FolderSource(find_photos(folder) * times, folder), seed=3, side=64)


def share(samples: EvaluationSet, parts: Path, rank: int, size: int, **asked: Any) -> list[Evaluation] | None:
    models = MODELS | {"exact": Exact()}
    opened = partial(Parts, parts, {"seed": 3, **asked})
    with evaluate_share(models, samples, BATCH, place=Ranks(rank, size), parts=opened) as evaluations:
        return evaluations


@pytest.fixture
def expected(folder: Path) -> list[Evaluation]:
    found = evaluate_models(MODELS | {"exact": Exact()}, photos(folder), BATCH)
    assert found[2].results[0].metrics.hole_psnr == math.inf
    return found


@pytest.mark.parametrize("order", [[0], [0, 1], [1, 0], [2, 0, 1], list(range(7))])
def test_the_last_rank_has_what_one_process_has(
    folder: Path, expected: list[Evaluation], tmp_path: Path, order: list[int]
) -> None:
    parts = tmp_path / "parts"
    found = [share(photos(folder), parts, rank, len(order)) for rank in order]
    assert [one for one in found if one is not None] == [expected]
    assert not parts.exists()
    assert sorted(os.listdir(tmp_path)) == ["photos"]


def test_without_a_folder_nothing_is_kept(folder: Path, expected: list[Evaluation], tmp_path: Path) -> None:
    with evaluate_share(MODELS | {"exact": Exact()}, photos(folder), BATCH) as evaluations:
        assert evaluations == expected
    assert sorted(os.listdir(tmp_path)) == ["photos"]


@pytest.mark.parametrize("size", [1, 2])
def test_stopped_after_every_photo_and_gone_on(
    folder: Path, expected: list[Evaluation], tmp_path: Path, size: int
) -> None:
    for last in range(PHOTOS):
        parts = tmp_path / f"{last}"
        for rank in range(size - 1):
            assert share(photos(folder), parts, rank, size) is None
        samples = photos(folder)
        read: list[int] = []
        stop_at(samples, last, read)
        own = {sample for sample in range(PHOTOS) if size == 1 or sample >= PHOTOS // BATCH // 2 * BATCH}
        if last in own:
            with pytest.raises(KeyboardInterrupt):
                share(samples, parts, size - 1, size)
        else:
            assert share(samples, parts, size - 1, size) == expected
            continue
        done = len(read) // BATCH * BATCH
        again = photos(folder)
        read.clear()
        stop_at(again, -1, read)
        assert share(again, parts, size - 1, size) == expected
        assert len(read) == len(own) - done
        assert not parts.exists()


def stop_at(samples: EvaluationSet, last: int, read: list[int]) -> None:
    """Press Ctrl-C at this photo; note in `read` which were read."""
    original = samples.source.read

    def reading(index: int, least: int | None = None) -> np.ndarray:
        if index == last:
            raise KeyboardInterrupt
        read.append(index)
        return original(index, least)

    samples.source.read = reading  # type: ignore[method-assign]


def test_a_bad_photo_is_named_by_one_rank_and_counted_by_the_last(folder: Path, tmp_path: Path) -> None:
    """Every photo is there three times, with another hole each time, so that several ranks meet the bad one."""
    (folder / "4.png").write_text("no photo")
    one = photos(folder, times=3)
    with pytest.warns(SkippedPhotoWarning):
        evaluations = share(one, tmp_path / "one", 0, 1)
    warned, found = [], []
    for rank in (2, 1, 0):
        samples = photos(folder, times=3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found.append(share(samples, tmp_path / "three", rank, 3))
        warned += [str(one.message) for one in caught if one.category is SkippedPhotoWarning]
    assert found[:2] == [None, None]
    assert found[2] == evaluations
    assert samples.skipped == one.skipped
    assert len(warned) == 1
    assert "4.png" in warned[0]


@pytest.mark.filterwarnings("ignore::photomend.data.photos.SkippedPhotoWarning")
def test_nothing_readable(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        path.write_text("no photo")
    assert share(photos(folder), tmp_path / "parts", 0, 2) is None
    with pytest.raises(PhotomendError, match="none of the 9 photos can be read"):
        share(photos(folder), tmp_path / "parts", 1, 2)


def test_a_table_that_could_not_be_written_can_be_had_again(folder: Path, tmp_path: Path) -> None:
    opened = partial(Parts, tmp_path / "parts", {})
    with pytest.raises(OSError, match="full"), evaluate_share(MODELS, photos(folder), BATCH, parts=opened):
        raise OSError("full")
    assert len(os.listdir(tmp_path / "parts")) == 1 + -(-PHOTOS // BATCH)
    samples = photos(folder)
    read: list[int] = []
    stop_at(samples, -1, read)
    with evaluate_share(MODELS, samples, BATCH, parts=opened) as evaluations:
        assert evaluations is not None
    assert read == []
    assert not (tmp_path / "parts").exists()


def test_parts_of_something_else_are_refused(folder: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    assert share(photos(folder), parts, 0, 2) is None
    with pytest.raises(PhotomendError, match=r"parts: holds parts of another evaluation, which differs in views;"):
        share(photos(folder), parts, 1, 2, views=8)
    with pytest.raises(PhotomendError, match=r"photos: holds 0\.png, which no evaluation has left there"):
        share(photos(folder), folder, 1, 2)
    assert len(os.listdir(folder)) == PHOTOS
    (parts / "00000.json").write_text('{"results": 3}')
    with pytest.raises(PhotomendError, match=r"00000\.json: this part of an evaluation is damaged; remove it"):
        share(photos(folder), parts, 0, 2)
    (parts / "00000.json").write_text('{"results": ')
    with pytest.raises(PhotomendError, match=r"00000\.json: this part of an evaluation can't be read; remove it"):
        share(photos(folder), parts, 1, 2)
    (parts / "00000.json").unlink()
    assert share(photos(folder), parts, 0, 2) is not None


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """A name under which there can be no folder: root may write to any."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "parts"


def test_a_place_that_takes_no_folder(folder: Path, read_only: Path) -> None:
    with pytest.raises(PhotomendError, match=r"parts: can't be written \("):
        share(photos(folder), read_only, 0, 2)


def test_what_is_left_by_others_stays(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts", {})
    parts.write(0, Block({}, {}))
    (tmp_path / "parts" / "letter.txt").write_text("mine")
    parts.remove(1)
    assert os.listdir(tmp_path / "parts") == ["letter.txt"]
