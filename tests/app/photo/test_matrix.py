"""Every kind of pixels through every format: what comes back is what went in, or a line says what was lost."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from photomend.app.photo.files import read, write
from photomend.app.photo.formats import FORMATS, bits_of, format_of
from photomend.app.photo.mend import mend
from photomend.app.photo.picture import Picture
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.models import HarmonicFill

from .samples import KINDS, everything, hole

SUFFIXES = [".png", ".tif", ".jpg", ".webp", ".avif", ".jp2", ".bmp", ".ppm", ".pam", ".pfm", ".heic"]
LOSSY = {".jpg"}


@pytest.fixture(scope="module")
def repairer() -> Repairer:
    return Repairer(HarmonicFill())


def held(picture: Picture, path: Path) -> bool:
    room = format_of(path)
    fits = bits_of(picture) in room.depths.get(picture.colours, ()) and (room.alpha or not picture.alpha)
    return fits and not (room.plain_grey and picture.colours == "grey" and picture.alpha)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", KINDS)
def test_kept_or_said(tmp_path: Path, repairer: Repairer, kind: str, suffix: str) -> None:
    """A file, read, repaired and written again under the same suffix."""
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    made = KINDS[kind].copy(metadata=everything())
    if suffix == ".pfm" and made.colours != "grey":
        with pytest.raises(PhotomendError, match=r"a\.pfm: PFM holds grey only, not"):
            write(first, made)
        return
    said = write(first, made).lost
    assert any("becomes" in line or "laid on white" in line or "left out" in line for line in said) or held(made, first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read(first)
    if held(made, first):
        assert (picture.kind, picture.pixels.dtype) == (made.kind, made.pixels.dtype)
        if suffix not in LOSSY:
            assert np.array_equal(picture.pixels, made.pixels)
    room = format_of(first)
    for name in ("exif", "xmp", "icc", "iptc", "dpi"):
        before, after = getattr(made.metadata, name), getattr(picture.metadata, name)
        if name == "icc" and made.colours == "CMYK" and picture.colours != "CMYK":
            continue
        if name == "exif" and suffix == ".avif" and after:
            assert b"TestCam" in after
        elif name == "dpi" and after:
            assert np.allclose(before, after, rtol=1e-3)
        elif name == "exif" and suffix == ".tif":
            assert b"TestCam" in after
        else:
            assert after == (before if name in room.metadata else type(before)() if name != "dpi" else None), name
    known = picture.pixels.copy()
    missing = hole()
    repaired = mend(picture, missing, repairer)
    lost, again = write(second, repaired)
    assert not lost
    back = read(second)
    assert (back.kind, back.pixels.dtype, back.metadata) == (picture.kind, picture.pixels.dtype, picture.metadata)
    assert np.array_equal(repaired.pixels[~missing], known[~missing])
    if suffix in LOSSY and made.colours == "CMYK":
        assert np.abs(back.pixels.astype(int) - known)[~missing].max() <= 8
        assert any(line.startswith("48 of 48 JPEG blocks encoded anew") for line in again)
    elif suffix in LOSSY:
        far = np.ones_like(missing)
        far[:16, 7:25] = False  # the blocks that the hole touches, and the pixels beside them
        assert np.array_equal(back.pixels[far], known[far])
        assert any("blocks encoded anew" in line for line in again)
    else:
        assert np.array_equal(back.pixels, repaired.pixels)


def test_every_format_is_in_the_matrix() -> None:
    assert set(FORMATS) == {"PNG", "TIFF", "JPEG", "WEBP", "AVIF", "HEIF", "JPEG2000", "BMP", "PPM"}
