from __future__ import annotations

from pathlib import Path

import pytest
from photomend.core import PhotomendError
from photomend.data.photos import read_photo
from photomend.data.sources import sample_photos


def test_every_sample_is_a_photo_with_a_free_licence() -> None:
    found = sample_photos()
    assert [s.name for s in found] == sorted(s.name for s in found)
    assert len(found) == 11
    for sample in found:
        assert sample.licence.startswith(("CC0", "public domain"))
        photo = read_photo(sample.path)
        assert min(photo.shape[:2]) >= 224


def test_missing_sample_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("skimage.__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(PhotomendError, match=r"astronaut\.png: this sample photo is missing"):
        sample_photos()
