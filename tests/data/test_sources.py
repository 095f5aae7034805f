from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from photomend.data.photos import find_photos, read_photo
from photomend.data.sources import FolderSource, SampleSource
from PIL import Image


def test_folder_source(folder: Path, source: FolderSource) -> None:
    Image.new("RGB", (5, 4)).save(folder / "Ü.png")
    (folder / "dog" / "big").mkdir()
    Image.new("RGB", (5, 4)).save(folder / "dog" / "big" / "rex.png")
    source = FolderSource(find_photos(folder), folder)
    classes = {source.name(i): source.class_name(i) for i in range(len(source))}
    assert classes["Ü.png"] == ""
    assert classes["dog/big/rex.png"] == "dog"
    assert classes["cat/3.png"] == "cat"
    assert source.box(0) is None
    assert source.origin == str(folder)
    assert np.array_equal(source.read(0), read_photo(source.paths[0]))


def test_sources_travel_to_workers(source: FolderSource) -> None:
    for original in (source, SampleSource()):
        copy = pickle.loads(pickle.dumps(original))
        assert [copy.name(i) for i in range(len(copy))] == [original.name(i) for i in range(len(original))]


def test_sample_source_may_be_a_part() -> None:
    whole = SampleSource()
    part = SampleSource(whole.samples[2:4])
    assert [part.name(i) for i in range(len(part))] == ["camera", "chelsea"]
    assert part.class_name(0) == "sample"
    assert part.read(0).shape == (512, 512, 3)
    assert part.box(0) is None
