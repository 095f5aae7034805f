"""Streaming from a hub: the real client against a hub on this machine, and folders of the same files."""

from __future__ import annotations

import json
from io import BytesIO
from itertools import islice
from pathlib import Path

import datasets
import numpy as np
import pytest
from photomend.core import PhotomendError
from photomend.data.photos import SkippedPhotoWarning
from photomend.data.preparation.hub import PRESETS, HubDataset
from photomend.data.preparation.hub_stream import HubStream
from photomend.data.preparation.prepare import prepare
from photomend.data.preparation.unfinished import read_journal
from photomend.data.prepared import PreparedSource
from photomend.data.sources import SPLITS, split_of
from PIL import Image

from .hub_helpers import NAMES, PETS, encoded, names, photos, write_parquet, write_webdataset
from .hub_server import COMMIT, Hub

pytestmark = pytest.mark.slow  # whole preparations from a server


@pytest.mark.parametrize("kind", ["parquet", "webdataset"])
@pytest.mark.parametrize("served", [False, True])
def test_goes_on_from_every_position(kind: str, served: bool, hub: Hub, tmp_path: Path) -> None:
    where = tmp_path / "hub" / "owner" / "name"
    write_parquet(where) if kind == "parquet" else write_webdataset(where)
    dataset = HubDataset("owner/name" if served else str(where))
    classes = ("goldfish", "macaw", "4") if kind == "parquet" else ("0", "1", "4")
    whole = [photo[:3] for photo in photos(HubStream(dataset, classes))]
    assert len(whole) == 10
    assert {split for _, _, split in whole} <= set(SPLITS)
    assert all(split == split_of(name) for name, _, split in whole)
    for taken in range(17):  # of 16 rows, wanted or not
        stream = HubStream(dataset, classes)
        before = [photo[:3] for photo in islice(stream.photos(), taken) if photo is not None]
        position = json.loads(json.dumps(stream.position()))
        assert before + [photo[:3] for photo in photos(HubStream(dataset, classes), position)] == whole


def test_photos_with_equal_names_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    images = [{"bytes": encoded(number), "path": "image.jpg"} for number in range(20)]
    table = datasets.Dataset.from_dict({"image": images}, datasets.Features({"image": datasets.Image()}))
    table.to_parquet(tmp_path / "set" / "train.parquet")
    stream = HubStream(HubDataset(str(tmp_path / "set")))
    assert names(stream) == [f"train/{number:08d}/image.jpg" for number in range(20)]
    assert {photo.split for photo in photos(stream)} == set(SPLITS)  # and not all in one


def test_rows_that_nobody_wants_are_finished_too(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of which few come: after a kill the rows before aren't read again."""
    monkeypatch.setattr("photomend.data.preparation.prepare.ROWS_PER_COMMIT", 4)
    write_parquet(tmp_path / "hub" / PETS)
    prepare(HubStream(HubDataset("oxford-pets"), ["macaw"]), tmp_path / "whole", side=64)
    passed: list[int] = []

    def stop() -> None:
        passed.append(1)
        if len(passed) == 10:
            raise KeyboardInterrupt

    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        prepare(HubStream(HubDataset("oxford-pets"), ["macaw"]), out, side=64, on_other=stop)
    journal = read_journal(out)
    assert journal is not None
    assert journal.position is not None
    assert (journal.photos, journal.position["row"], journal.position["split"]) == (3, 1, 1)
    prepare(HubStream(HubDataset("oxford-pets"), ["macaw"]), out, side=64, on_other=lambda: passed.append(1))
    assert len(passed) == 10 + 3  # the one after the commit again, and two more
    files = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    assert all((out / file).read_bytes() == (tmp_path / "whole" / file).read_bytes() for file in files)


def test_prepared_from_a_hub_and_cut_short(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", 4)
    write_parquet(tmp_path / "hub" / PETS)
    provenance = prepare(HubStream(HubDataset("oxford-pets")), tmp_path / "whole", side=64)
    assert provenance["source"] == "hub:oxford-pets"
    assert provenance["revision"] == COMMIT
    stored = {
        part.name(index): (split, part.class_name(index), part.read(index).shape)
        for split in SPLITS
        for part in [PreparedSource(tmp_path / "whole", split)]
        for index in range(len(part))
    }
    assert len(stored) == 16
    for name, (split, class_name, shape) in stored.items():
        assert (split, class_name, shape) == (split_of(name), NAMES[int(Path(name).stem) % 5], (64, 64, 3))

    ticks: list[int] = []

    def disconnect() -> None:
        ticks.append(1)
        if len(ticks) == 5:
            hub.broken_after = 0

    with pytest.raises(PhotomendError, match=r"hub:oxford-pets: reading ended after \d+ rows of its split train \("):
        prepare(HubStream(HubDataset("oxford-pets")), tmp_path / "set", side=64, on_photo=disconnect)
    assert not (tmp_path / "set").exists()
    hub.broken_after = None
    finished = len(ticks) // 4 * 4
    ticks.clear()
    prepare(HubStream(HubDataset("oxford-pets")), tmp_path / "set", side=64, on_photo=lambda: ticks.append(1))
    assert len(ticks) == 16 - finished
    assert finished > 0
    files = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    assert all((tmp_path / "set" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes() for file in files)


def test_rows_without_names_are_numbered(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data set", named=False)
    stream = HubStream(HubDataset(str(tmp_path / "data set")), ["king penguin"])
    assert names(stream) == ["train/00000004", "train/00000009", "test/00000003"]
    assert stream.parameters == {"source": "hub:data set", "revision": None, "classes": ["king penguin"], "limit": None}


def test_a_limit_for_each_class(hub: Hub, tmp_path: Path) -> None:
    write_parquet(tmp_path / "hub" / PETS)
    stream = HubStream(HubDataset("oxford-pets"), ["macaw", "goldfish"], limit=2)
    assert names(stream) == [f"train/{number:08d}/{number}.jpg" for number in (0, 1, 5, 6)]
    assert not [request for request in hub.requests if "test-00001" in request]  # enough is enough


def test_a_row_that_is_no_photo_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    features = datasets.Features({"photo": datasets.Image(), "class": datasets.Value("string")})
    images = [{"bytes": data, "path": f"{n}.jpg"} for n, data in enumerate((encoded(0), b"no photo", encoded(2)))]
    table = datasets.Dataset.from_dict({"photo": [*images, None], "class": ["cat", "cat", None, "dog"]}, features)
    table.to_parquet(tmp_path / "set" / "train.parquet")
    stream = HubStream(HubDataset(str(tmp_path / "set")))
    with pytest.warns(SkippedPhotoWarning):
        provenance = prepare(stream, tmp_path / "out", side=64)
    assert list(provenance["skipped"]) == ["train/00000001/1.jpg", "train/00000003"]
    assert provenance["skipped"]["train/00000003"] == "this row has no photo in it"
    assert sorted(name for classes in provenance["counts"].values() for name in classes) == ["", "cat"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("goldfsh", "no photos of a class 'goldfsh'; the nearest is 'goldfish'"),
        ("Pengin", "the nearest is 'king penguin'"),
        ("panda", r"class 'panda' may mean 2 \(red panda, panda\) or 3 \(giant panda, panda\); give the number"),
        ("5", "no photos of a class '5'"),
    ],
)
def test_classes_that_are_none(tmp_path: Path, wanted: str, message: str) -> None:
    write_parquet(tmp_path / "set")
    with pytest.raises(PhotomendError, match=message):
        HubStream(HubDataset(str(tmp_path / "set")), ["macaw", wanted])


def test_classes_by_any_name_or_number(tmp_path: Path) -> None:
    write_parquet(tmp_path / "set")
    dataset = HubDataset(str(tmp_path / "set"))
    classes = ["Carassius  AURATUS", "king_penguin", "3"]
    assert HubStream(dataset, classes).parameters["classes"] == [NAMES[3], NAMES[1], NAMES[4]]


def test_a_class_that_never_came(tmp_path: Path) -> None:
    write_webdataset(tmp_path / "set")
    with pytest.raises(PhotomendError, match="no photos of a class '44'; the nearest is '4'"):
        names(HubStream(HubDataset(str(tmp_path / "set")), ["1", "44"]))


def test_the_ten_classes_of_imagenet(hub: Hub, tmp_path: Path) -> None:
    write_parquet(tmp_path / "hub" / "ILSVRC" / "imagenet-1k", {"train": 400, "validation": 6, "test": 4}, labels=389)
    stream = HubStream(HubDataset("imagenet-10"))
    found = [(photo.name, photo.class_name) for photo in photos(stream)]
    expected = [(f"train/{number:08d}/{number}.jpg", name) for number, name in PRESETS["imagenet-10"].classes.items()]
    assert found == [*expected, ("train/00000390/390.jpg", "goldfish")]
    assert stream.parameters["classes"] == sorted(PRESETS["imagenet-10"].classes.values())
    with pytest.raises(PhotomendError, match="the nearest is 'giant panda'"):
        HubStream(HubDataset("imagenet-10"), ["gigant panda"])
    assert len(names(HubStream(HubDataset("imagenet-10"), ["macaw", "1"]))) == 3


def test_no_photos_and_no_classes(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_dict({"text": ["a", "b"]}).to_parquet(tmp_path / "set" / "train.parquet")
    with pytest.raises(PhotomendError, match=r"no column of photos \(its columns: text\)"):
        HubStream(HubDataset(str(tmp_path / "set")))
    images = datasets.Dataset.from_dict({"image": [{"bytes": encoded(0), "path": None}]})
    images.cast_column("image", datasets.Image()).to_parquet(tmp_path / "set" / "train.parquet")
    with pytest.raises(PhotomendError, match="no column of classes"):
        HubStream(HubDataset(str(tmp_path / "set")), ["cat"])


def test_files_that_change_or_are_damaged(tmp_path: Path) -> None:
    write_parquet(tmp_path / "set")
    stream = HubStream(HubDataset(str(tmp_path / "set")))
    next(stream.photos())
    file = tmp_path / "set" / "data" / "train-00001-of-00002.parquet"
    file.write_bytes(b"PAR1" + bytes(200))
    changed = HubStream(HubDataset(str(tmp_path / "set")))
    with pytest.raises(PhotomendError, match="its files have changed since; start over with --restart"):
        changed.photos(stream.position())
    with pytest.raises(
        PhotomendError, match=r"reading ended after 6 rows of its split train \(.*the same command goes on"
    ):
        names(changed)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotomendError, match="empty: can't be read"):
        HubDataset(str(tmp_path / "empty"))


def test_decoded_photos_are_the_files(tmp_path: Path) -> None:
    write_webdataset(tmp_path / "set")
    for photo in photos(HubStream(HubDataset(str(tmp_path / "set")))):
        pixels, hole = photo.read()
        number = int(Path(photo.name).stem)
        assert np.array_equal(pixels, np.array(Image.open(BytesIO(encoded(number)))))
        assert hole is None
