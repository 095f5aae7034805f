"""Photos that a camera held sideways: upright in the file that comes back, with everything else kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photomend.app.photo.files import read, write
from photomend.app.photo.jpeg_blocks import turn
from photomend.app.photo.mend import mend
from photomend.app.repair import Repairer
from photomend.models import HarmonicFill
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from .samples import ICC, XMP, exif, noise

TURNED_XMP = XMP.replace(b'Orientation="1"', b'Orientation="6"')


def taken(path: Path, orientation: int, height: int = 32, width: int = 48) -> Image.Image:
    """A photo with this orientation in its EXIF; the photo as a viewer shows it."""
    rgb = np.resize(noise(3, "uint8"), (24, 32, 3))
    image = Image.fromarray(rgb).resize((width, height))
    options: dict[str, Any] = {"icc_profile": ICC, "dpi": (600, 300)}
    if path.suffix == ".tif":
        options["exif"] = Image.Exif()
        options["exif"].load(exif(orientation))
    else:
        options |= {"exif": b"Exif\0\0" + exif(orientation), "xmp": TURNED_XMP}
    if path.suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", TURNED_XMP.decode())
    if path.suffix == ".jpg":
        options["quality"] = 90
    image.save(path, **options)
    with Image.open(path) as stored:
        return ImageOps.exif_transpose(stored).convert("RGB")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp", ".avif"])
def test_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    shown = np.asarray(taken(first, orientation))
    missing = np.zeros(shown.shape[:2], bool)
    missing[8:12, 8:14] = True
    lost, said = write(second, mend(read(first), missing, Repairer(HarmonicFill())))
    assert not lost
    with Image.open(second) as image:
        back = np.asarray(image.convert("RGB"))
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert image.getexif()[ExifTags.Base.Make] == "TestCam"
        assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] == 400
        assert image.info["icc_profile"] == ICC
        if suffix in (".png", ".jpg"):
            sideways = orientation >= 5
            assert np.allclose(image.info["dpi"], (300, 600) if sideways else (600, 300), rtol=1e-3)
        if suffix != ".tif" and (suffix, orientation) != (".avif", 1):
            assert image.info["xmp"] == (XMP if orientation > 1 else TURNED_XMP)
    known = ~missing
    if suffix == ".jpg":  # the blocks of 16 by 16 that hold the hole, and the pixels beside them
        known[:17, :17] = False
        assert any("anew" in line for line in said)
        assert not any("48 of 48" in line or "36 of 36" in line for line in said)
    # JPEG's and AVIF's decoders round in another way when the photo is turned or of another subsampling
    most = {".jpg": 3, ".avif": 4}.get(suffix, 0) if orientation > 1 or suffix == ".avif" else 0
    assert np.abs(back.astype(int) - shown)[known].max() <= most


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(32, 48), (27, 37)])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_jpeg_blocks_are_turned_or_said(
    tmp_path: Path, orientation: int, size: tuple[int, int], subsampling: int
) -> None:
    """Where a mirrored side ends within a block, all is encoded anew: close. 4:2:2 on its side is 4:4:0."""
    path = tmp_path / "a.jpg"
    Image.fromarray(noise(3, "uint8")).resize(size[::-1]).save(
        path, quality=90, subsampling=subsampling, exif=b"Exif\0\0" + exif(orientation)
    )
    with Image.open(path) as stored:
        shown = np.asarray(ImageOps.exif_transpose(stored).convert("RGB")).astype(int)
    missing = np.zeros(shown.shape[:2], bool)
    missing[0:3, 0:3] = True
    _, [said] = write(tmp_path / "b.jpg", mend(read(path), missing, Repairer(HarmonicFill())))
    done, _, of, *_ = said.split()
    with Image.open(tmp_path / "b.jpg") as image:
        back = np.asarray(image.convert("RGB")).astype(int)
    far = np.ones_like(missing)
    far[:17, :17] = False
    assert np.abs(back - shown)[far].max() <= (3 if int(done) < int(of) else 20)
    if size == (32, 48):
        assert int(done) < int(of)


@pytest.mark.parametrize(("there", "back"), [(2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)])
def test_blocks_turned_there_and_back_are_the_same(there: int, back: int) -> None:
    blocks = np.random.default_rng(0).integers(-99, 99, (2, 3, 8, 8), dtype=np.int16)
    assert np.array_equal(turn(turn(blocks, there), back), blocks)
