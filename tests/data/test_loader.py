from __future__ import annotations

import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import PhotomendError
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.loader import CropLoader
from photomend.data.masks import protocol_box
from photomend.data.photos import SkippedPhotoWarning, find_photos, read_photo, resize
from photomend.data.sources import FolderSource, SampleSource
from scipy import ndimage

SMALL: dict[str, Any] = {"batch_size": 4, "size": 40, "side": 64, "hole": (5, 12)}


def stream(loader: CropLoader, batches: int) -> torch.Tensor:
    return torch.stack([torch.cat(batch, dim=1) for batch in islice(loader, batches)])


def broken(folder: Path, *names: str) -> FolderSource:
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes()[:80])
    return FolderSource(find_photos(folder), folder)


def test_batches(source: FolderSource) -> None:
    batch = next(iter(CropLoader(source, **SMALL)))
    assert batch.photo.shape == (4, 3, 40, 40)
    assert batch.mask.shape == (4, 1, 40, 40)
    assert batch.photo.dtype == batch.mask.dtype == torch.float32
    assert 0 <= batch.photo.min() < batch.photo.max() <= 1
    assert set(batch.mask.unique().tolist()) == {0.0, 1.0}


def test_stream_does_not_depend_on_workers_or_on_where_it_resumes(source: FolderSource) -> None:
    whole = stream(CropLoader(source, seed=3, **SMALL), 9)  # over three epochs of ten photos
    assert torch.equal(whole, stream(CropLoader(source, seed=3, workers=2, **SMALL), 9))
    assert torch.equal(whole[4:], stream(CropLoader(source, seed=3, start_step=4, **SMALL), 5))
    assert torch.equal(whole[7:], stream(CropLoader(source, seed=3, workers=1, start_step=7, **SMALL), 2))
    assert not torch.equal(whole, stream(CropLoader(source, seed=4, **SMALL), 9))
    assert not torch.equal(whole[0], whole[5])


def test_several_holes_in_a_crop(source: FolderSource) -> None:
    several = stream(CropLoader(source, holes=5, **SMALL), 3)
    counts = [ndimage.label(crop[3])[1] for crop in several.flatten(0, 1)]
    assert 1 < max(counts) <= 5
    assert torch.equal(several, stream(CropLoader(source, holes=5, workers=2, **SMALL), 3))


def test_iterating_twice_gives_the_same(source: FolderSource) -> None:
    loader = CropLoader(source, **SMALL)
    assert torch.equal(stream(loader, 3), stream(loader, 3))


def test_every_photo_once_an_epoch_in_a_new_order(source: FolderSource, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    read = source.read

    def noting_read(index: int, least: int | None = None) -> np.ndarray:
        seen.append(index)
        return read(index, least)

    monkeypatch.setattr(source, "read", noting_read)
    loader = CropLoader(source, **{**SMALL, "batch_size": 5})
    assert loader.steps_per_epoch == 2
    stream(loader, 4)
    first, second = seen[:10], seen[10:20]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_fewer_photos_than_a_batch(source: FolderSource) -> None:
    one = FolderSource(source.paths[:1], source.root)
    loader = CropLoader(one, **SMALL)
    assert loader.steps_per_epoch == 1
    batch = next(iter(loader))
    assert batch.photo.shape[0] == 4
    assert not torch.equal(batch.mask[0], batch.mask[1])


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_photo_is_replaced_named_once_and_counted(folder: Path, workers: int) -> None:
    source = broken(folder, "cat/1.png", "cat/2.png")
    loader = CropLoader(source, workers=workers, **SMALL)
    with pytest.warns(SkippedPhotoWarning) as caught:
        whole = stream(loader, 6)
    assert whole.shape[:2] == (6, 4)
    assert sorted(loader.skipped) == ["cat/1.png", "cat/2.png"]
    messages = [str(w.message) for w in caught if w.category is SkippedPhotoWarning]
    assert len(messages) == 2
    assert all(str(folder) in message and "\n" not in message for message in messages)
    with pytest.warns(SkippedPhotoWarning):
        assert torch.equal(whole, stream(CropLoader(source, workers=2 - workers, **SMALL), 6))


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_left_is_one_line(folder: Path, workers: int) -> None:
    source = broken(folder, *(path.relative_to(folder).as_posix() for path in find_photos(folder)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedPhotoWarning)
        with pytest.raises(PhotomendError, match="none of the 10 photos can be read") as error:
            next(iter(CropLoader(source, workers=workers, **SMALL)))
        assert "\n" not in str(error.value)
        with pytest.raises(PhotomendError, match="none of the 10 photos can be read"):
            list(EvaluationSet(source))


def test_impossible_loaders(source: FolderSource) -> None:
    with pytest.raises(PhotomendError, match=r"crop or window \(=300\) must be from 1 to 224"):
        CropLoader(source, size=300)
    with pytest.raises(PhotomendError, match="batch size"):
        CropLoader(source, batch_size=0)
    nothing = FolderSource([], source.root)
    with pytest.raises(PhotomendError, match="no photos to train on"):
        CropLoader(nothing)
    with pytest.raises(PhotomendError, match="no photos to evaluate on"):
        EvaluationSet(nothing)


def test_evaluation_follows_the_protocol(source: FolderSource) -> None:
    samples = list(EvaluationSet(source, seed=5))
    assert len(samples) == len(EvaluationSet(source)) == 10
    assert [s.name for s in samples] == [source.name(i) for i in range(10)]
    assert {s.class_name for s in samples} == {"cat", "dog"}
    for index, sample in enumerate(samples):
        assert sample.box == protocol_box(5, index)
        assert sample.box is not None
        x, y, width, height = sample.box
        assert sample.mask.shape == (1, 224, 224)
        assert sample.mask.sum() == width * height == sample.mask[0, y : y + height, x : x + width].sum()
        truth = resize(read_photo(source.paths[index]), 224, 224)
        assert np.array_equal((sample.photo * 255).round().byte().permute(1, 2, 0).numpy(), truth)
    again = list(EvaluationSet(source, seed=5))
    assert all(torch.equal(a.photo, b.photo) and a.box == b.box for a, b in zip(samples, again, strict=True))


def test_unreadable_photo_moves_no_other_hole(folder: Path, source: FolderSource) -> None:
    before = {s.name: s.box for s in EvaluationSet(source)}
    evaluation = EvaluationSet(broken(folder, "cat/2.png"))
    with pytest.warns(SkippedPhotoWarning, match=r"cat/2\.png"):
        after = {s.name: s.box for s in evaluation}
    assert list(evaluation.skipped) == ["cat/2.png"]
    assert set(before) - set(after) == {"cat/2.png"}
    assert all(before[name] == box for name, box in after.items())


def test_sample_photos_are_a_source() -> None:
    samples = list(EvaluationSet(SampleSource()))
    assert len(samples) == 11
    assert samples[0].name == "astronaut"
