"""Photos written with a quality, and sizes that a format can't have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photomend.app.photo.files import read, write
from photomend.app.photo.formats import FORMATS, check_room
from photomend.app.photo.picture import Picture
from photomend.core import PhotomendError
from PIL import Image, JpegImagePlugin

from .samples import KINDS, everything, mended, opened

LOSSY = [".jpg", ".webp", ".avif", ".jp2", ".heic"]


@pytest.mark.parametrize("suffix", LOSSY)
@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "RGB;16", "CMYK"])
def test_a_quality_changes_known_pixels_a_little_and_says_so(tmp_path: Path, suffix: str, kind: str) -> None:
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    picture, path = KINDS[kind].copy(metadata=everything()), tmp_path / f"a{suffix}"
    low, high = (25, 45) if suffix == ".jp2" else (30, 95)
    sizes, errors = [], []
    for quality in (low, high):
        said = write(path, picture, quality)
        [words] = [line for line in said.done if "quality" in line]
        assert words.endswith(f", quality {quality}: known pixels change a little")
        sizes.append(path.stat().st_size)
        back = read(path)
        assert back.shape == picture.shape
        assert back.metadata.exif
        if back.colours == picture.colours == "RGB" and back.alpha == picture.alpha:
            white = [side.white or np.iinfo(side.pixels.dtype).max for side in (back, picture)]
            colours = [side.pixels[..., :3] / top for side, top in zip((back, picture), white, strict=True)]
            errors.append(np.abs(colours[0] - colours[1]).mean())
    assert sizes[0] < sizes[1]
    assert all(error < 0.05 for error in errors)
    assert errors == sorted(errors, reverse=True)


def test_a_jpeg_with_a_quality_keeps_its_subsampling_and_what_it_says(tmp_path: Path) -> None:
    for sampling in (0, 1, 2):
        options: dict[str, Any] = {"quality": 60, "subsampling": sampling, "comment": b"scanned", "dpi": (300, 300)}
        Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.jpg", **options)
        write(tmp_path / "b.jpg", read(tmp_path / "a.jpg"), 90)
        with opened(tmp_path / "a.jpg") as old, opened(tmp_path / "b.jpg") as new:
            assert JpegImagePlugin.get_sampling(new) == sampling
            assert (new.info["comment"], new.info["dpi"]) == (b"scanned", (300, 300))
            assert sum(new.quantization[0]) < sum(old.quantization[0])


def test_a_large_heic_loses_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("photomend.app.photo.heif")
    pytest.importorskip("pillow_heif")
    monkeypatch.setattr(heif, "LARGE", 100)
    for kind in ("RGB", "RGBA", "L"):
        write(tmp_path / "a.heic", KINDS[kind])
        assert np.array_equal(read(tmp_path / "a.heic").pixels, KINDS[kind].pixels)


def test_without_a_quality_a_jpeg_keeps_its_tables(tmp_path: Path) -> None:
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.jpg", quality=60)
    mended(tmp_path / "a.jpg", tmp_path / "b.jpg")
    with opened(tmp_path / "a.jpg") as old, opened(tmp_path / "b.jpg") as new:
        assert new.quantization == old.quantization


def test_frames_of_an_animation_get_the_quality_too(tmp_path: Path) -> None:
    frames = [Image.fromarray(KINDS["RGBA"].pixels // n) for n in (1, 2)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    said = write(tmp_path / "b.webp", read(tmp_path / "a.webp"), 40)
    assert "the first of 2 pages or frames is repaired, the others stay as they are" in said.done
    with opened(tmp_path / "b.webp") as new:
        assert new.n_frames == 2


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm"])
def test_a_quality_is_refused_where_nothing_is_lost(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(PhotomendError, match="is written without loss; a quality is for JPEG, WebP, AVIF, HEIC, JPEG"):
        write(tmp_path / f"a{suffix}", KINDS["RGB"], 90)
    for quality in (0, 101):
        with pytest.raises(PhotomendError, match=f"quality \\(={quality}\\) must be 1 to 100"):
            write(tmp_path / "a.jpg", KINDS["RGB"], quality)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", LOSSY)
def test_a_side_that_a_format_cannot_have_is_said_before_the_work(suffix: str) -> None:
    """And the longest that it can have is not refused."""
    form = {".jpg": "JPEG", ".webp": "WEBP", ".avif": "AVIF", ".heic": "HEIF", ".jp2": "JPEG2000"}[suffix]
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    for shape in ((1, 65_501), (65_501, 1)):
        picture = Picture(np.zeros(shape, np.uint8), "grey")
        if (side := FORMATS[form].side) is None:
            check_room(Path(f"a{suffix}"), picture)
            continue
        words = rf"a{suffix}: .* holds {side} pixels a side, the photo has {shape[1]}×{shape[0]}"
        with pytest.raises(PhotomendError, match=words):
            check_room(Path(f"a{suffix}"), picture)
        check_room(Path(f"a{suffix}"), Picture(np.zeros((side, 1), np.uint8), "grey"))
