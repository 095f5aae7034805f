from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from photomend.core import PhotomendError
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.loader import CropLoader
from photomend.data.masks import Box, box_mask
from photomend.data.photos import PhotoError, SkippedPhotoWarning, find_photos
from photomend.data.preparation.prepare import prepare
from photomend.data.prepared import PreparedSource
from photomend.data.sources import SPLITS, FolderSource, split_photos


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "prepared"


def test_columns_read_by_datasets_alone(source: FolderSource, out: Path) -> None:
    prepare(source, out, seed=2, side=64)
    for split in SPLITS:
        for row in datasets.load_from_disk(str(out))[split]:
            assert set(row) == {"photo", "mask", "class", "path", "box"}
            assert (row["photo"].mode, row["photo"].size) == ("RGB", (64, 64))
            box = Box(**row["box"])
            assert np.array_equal(np.asarray(row["mask"]), box_mask(box, 64, 64) * np.uint8(255))
            assert row["path"].startswith(row["class"] + "/")


def test_evaluates_as_the_folder_does(folder: Path, source: FolderSource, out: Path) -> None:
    prepare(source, out, seed=2)
    for split, paths in split_photos(folder, source.paths).items():
        stored = PreparedSource(out, split)
        assert len(stored) == len(paths)
        if not paths:
            continue
        ours = list(EvaluationSet(stored, seed=99))  # the stored holes count, not this seed
        theirs = list(EvaluationSet(FolderSource(paths, folder), seed=2))
        for a, b in zip(ours, theirs, strict=True):
            assert (a.name, a.class_name, a.box) == (b.name, b.class_name, b.box)
            assert torch.equal(a.photo, b.photo)


def test_stored_photos_keep_their_side(source: FolderSource, out: Path) -> None:
    prepare(source, out, side=80)
    for sample in EvaluationSet(PreparedSource(out, "train"), side=224):
        assert sample.photo.shape == (3, 80, 80)
        assert sample.box is not None
        assert sample.mask.sum() == sample.box.width * sample.box.height


def test_trains_with_workers(source: FolderSource, out: Path) -> None:
    prepare(source, out)
    stored = PreparedSource(out, "train")
    one = next(iter(CropLoader(stored, batch_size=4, size=64, workers=0)))
    other = next(iter(CropLoader(stored, batch_size=4, size=64, workers=2)))
    assert torch.equal(one.photo, other.photo)
    assert pickle.loads(pickle.dumps(stored)).name(0) == stored.name(0)


def test_names_classes_and_holes_are_looked_up_without_datasets(source: FolderSource, out: Path) -> None:
    """A lookup there takes about a millisecond, which an evaluation would pay three times a photo."""
    prepare(source, out, side=64)
    stored = PreparedSource(out, "train")
    rows = list(datasets.load_from_disk(str(out))["train"].remove_columns(["photo", "mask"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(datasets.Dataset, "__getitem__")
        found = [(stored.name(index), stored.class_name(index), stored.box(index)) for index in range(len(stored))]
    assert found == [(row["path"], row["class"], Box(**row["box"])) for row in rows]


def test_provenance_counts_and_skips(folder: Path, out: Path) -> None:
    (folder / "cat" / "1.png").write_text("no photo")
    photos = find_photos(folder)
    ticks: list[int] = []
    with pytest.warns(SkippedPhotoWarning, match=r"cat/1\.png"):
        provenance = prepare(
            FolderSource(photos, folder), out, seed=4, side=80, encoding="jpeg", on_photo=lambda: ticks.append(1)
        )
    assert len(ticks) == 10
    assert provenance == json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["source"] == folder.name  # and not where it lies on somebody's machine
    assert (provenance["seed"], provenance["side"], provenance["encoding"]) == (4, 80, "jpeg")
    assert list(provenance["skipped"]) == ["cat/1.png"]
    assert sum(sum(classes.values()) for classes in provenance["counts"].values()) == 9
    sizes = {split: len(PreparedSource(out, split)) for split in SPLITS}
    assert sizes == {split: sum(classes.values()) for split, classes in provenance["counts"].items()}
    assert os.listdir(out.parent) == ["prepared"]


def test_existing_folder_is_refused_and_untouched(source: FolderSource, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(PhotomendError, match=r"full: already exists and is not an empty folder"):
        prepare(source, tmp_path / "full")
    with pytest.raises(PhotomendError, match="already exists"):
        prepare(source, tmp_path / "full" / "letter.txt")
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    prepare(source, tmp_path / "empty", side=64)
    assert len(PreparedSource(tmp_path / "empty", "train")) > 0


@pytest.mark.filterwarnings("ignore::photomend.data.photos.SkippedPhotoWarning")
def test_failure_leaves_nothing(folder: Path, source: FolderSource, out: Path) -> None:
    for path in source.paths:
        path.write_text("no photo")
    with pytest.raises(PhotomendError, match="none of the 10 photos can be read"):
        prepare(source, out)
    with pytest.raises(PhotomendError, match="encoding"):
        prepare(source, out, encoding="gif")
    with pytest.raises(PhotomendError, match="61 pixels don't fit into 32x32"):
        prepare(source, out, side=32)
    assert not out.exists()
    assert not out.parent.exists() or os.listdir(out.parent) == []


def test_a_place_where_nothing_can_be_written_goes_on_with_nothing(source: FolderSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (Path("/proc/set"), tmp_path / "file" / "set"):
        with pytest.raises(PhotomendError, match=r"set: can't be written \([^)]*\)$"):
            prepare(source, out, side=64)


def test_what_is_no_prepared_dataset(source: FolderSource, out: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="not a prepared dataset"):
        PreparedSource(tmp_path, "train")
    prepare(source, out, side=64)
    with pytest.raises(PhotomendError, match=r"split \(=dev\) must be one of train, validation, test"):
        PreparedSource(out, "dev")
    shutil.rmtree(out / "train")
    with pytest.raises(PhotomendError, match="damaged"):
        PreparedSource(out, "train")
    (out / "provenance.json").write_text('{"format": 99}')
    with pytest.raises(PhotomendError, match="format 1"):
        PreparedSource(out, "train")


def test_damaged_shards_are_named(source: FolderSource, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", 4)
    prepare(source, out, side=64)
    shard = sorted((out / "train").glob("*.arrow"))[1]
    whole = shard.read_bytes()
    for damaged in (
        b"",
        whole[: len(whole) // 2],
        whole[:-8],
        b"\0" * len(whole),
        whole[:40] + bytes(99) + whole[139:],
    ):
        shard.write_bytes(damaged)
        with pytest.raises(PhotomendError, match=rf"{shard}: this part of the prepared dataset is damaged \("):
            PreparedSource(out, "train")
    shard.unlink()
    with pytest.raises(PhotomendError, match=shard.name):
        PreparedSource(out, "train")


def test_a_damaged_photo_names_its_shard(source: FolderSource, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", 4)
    prepare(source, out, side=64)
    before = PreparedSource(out, "train")
    shard = sorted((out / "train").glob("*.arrow"))[1]
    shard.write_bytes(shard.read_bytes().replace(b"IDAT", b"IDAX"))
    stored = PreparedSource(out, "train")
    failed = []
    for index in range(len(stored)):
        try:
            stored.read(index)
        except PhotoError as error:
            failed.append(str(error))
    assert failed
    assert len(failed) < len(before)
    assert all(message.startswith(f"{shard}: ") for message in failed)
