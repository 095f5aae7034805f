"""Which photos a command takes, with how many holes, and which of them it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from photomend.app.sources import FEW, HOLES, evenly, open_source, with_several_holes
from photomend.core import PhotomendError
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.prepared import PreparedSource
from photomend.data.sources import SPLITS, FolderSource, split_of

from .helpers import Shell, picture


def folder(count: int, root: Path = Path("photos")) -> FolderSource:
    return FolderSource([root / f"{number:03}.png" for number in range(count)], root)


@pytest.mark.parametrize(("photos", "most", "holes"), [(3, 240, 24), (29, 240, 232), (30, 240, 30), (28, 100, 84)])
def test_few_photos_have_several_holes_each(photos: int, most: int, holes: int) -> None:
    source = with_several_holes(folder(photos), most)
    names = [source.name(index) for index in range(len(source))]
    assert len(names) == holes
    assert {names.count(name) for name in names} == {holes // photos}
    samples = EvaluationSet(source, limit=most)
    assert len(samples) == holes  # the limit leaves out no photo for the sake of another's holes


def test_the_first_hole_is_that_of_a_photo_alone(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"{number:03}.png", seed=number)
    alone = [sample.box for sample in EvaluationSet(folder(3, tmp_path))]
    repeated = [sample.box for sample in EvaluationSet(with_several_holes(folder(3, tmp_path)))]
    assert repeated[:3] == alone
    assert len(set(repeated)) == 3 * HOLES


def test_prepared_photos_keep_the_hole_they_have(shell: Shell, tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "photos" / f"{number}.png", seed=number)
    outcome = shell("prepare", "--source", f"folder:{tmp_path / 'photos'}", "--out", tmp_path / "set")
    assert outcome.status == 0, outcome
    source = PreparedSource(tmp_path / "set", "train")
    assert with_several_holes(source) is source


@pytest.mark.parametrize(("photos", "limit"), [(1301, 200), (50, 6), (7, 200), (3, None)])
def test_what_is_shown_was_evaluated(photos: int, limit: int | None) -> None:
    samples = EvaluationSet(with_several_holes(folder(photos)), limit=limit)
    shown = evenly(samples, 4)
    assert set(shown.indices) <= set(samples.indices)
    names = [shown.source.name(index) for index in shown.indices]
    assert len(set(names)) == len(names)
    assert min(3, photos) <= len(names) <= 4
    assert len({b - a for a, b in zip(shown.indices, shown.indices[1:], strict=False)}) <= 1


@pytest.mark.filterwarnings("ignore::photomend.data.photos.SkippedPhotoWarning")
def test_what_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    for number in range(6):
        picture(tmp_path / f"{number:03}.png", seed=number)
    (tmp_path / "000.png").write_bytes(b"no photo")
    samples = EvaluationSet(folder(6, tmp_path))
    evaluated = {sample.name: sample.box for sample in samples}
    shown = {sample.name: sample.box for sample in evenly(samples, 2)}
    assert len(shown) == 2
    assert shown.items() <= evaluated.items()


def test_an_empty_split_says_how_many_photos_it_takes(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    empty = next(split for split in SPLITS if split != split_of("1.png"))
    with pytest.raises(PhotomendError, match=f"none of its 1 photos .* about {FEW} .* without --photos the sample"):
        open_source(tmp_path, None, empty)
