"""What comes in files: cases that went wrong once, pages and frames, odd storage, and writing that fails."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from photomend.app.photo.files import Written, read, reading_ahead, write
from photomend.app.photo.mend import mend
from photomend.app.photo.metadata import Metadata
from photomend.app.photo.picture import Picture
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.data.photos import PhotoError
from PIL import Image, PngImagePlugin

from .samples import HEIGHT, ICC, KINDS, WIDTH, everything, exif, grey_profile, hole, mended, noise, opened


def test_a_profile_of_more_than_a_megabyte(tmp_path: Path) -> None:
    profile = ICC + bytes(1_500_000)
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.png", icc_profile=profile)
    for suffix in (".png", ".jpg", ".webp", ".tif", ".jp2", ".avif"):
        mended(tmp_path / "a.png", tmp_path / f"b{suffix}")
        assert read(tmp_path / f"b{suffix}").metadata.icc == profile


def test_a_warning_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "short.jpg"
    Image.fromarray(KINDS["RGB"].pixels).save(path, exif=b"Exif\0\0" + exif(6)[:30])
    with pytest.warns(UserWarning, match=r"short\.jpg: "):
        read(path)


def test_grey_stays_grey_and_known_pixels_keep_their_bits(tmp_path: Path) -> None:
    """A network, which knows colours only, may not bring any in."""
    Image.fromarray(KINDS["L"].pixels).save(tmp_path / "a.png")
    picture = mend(read(tmp_path / "a.png"), hole(), Repairer.load("harmonic"))
    assert picture.pixels.shape == (HEIGHT, WIDTH)
    assert np.array_equal(picture.pixels[~hole()], KINDS["L"].pixels[~hole()])


def test_an_animation_keeps_its_other_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray((KINDS["RGBA"].pixels // n).astype(np.uint8)) for n in (1, 2, 3)]
    for suffix in (".png", ".webp"):
        options: dict[str, Any] = {
            "save_all": True,
            "append_images": frames[1:],
            "duration": [50, 70, 90],
            "lossless": True,
        }
        frames[0].save(tmp_path / f"a{suffix}", **options)
        picture, said = mended(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
        assert "the first of 3 pages or frames is repaired, the others stay as they are" in said.done
        with opened(tmp_path / f"a{suffix}") as old, opened(tmp_path / f"b{suffix}") as new:
            assert new.n_frames == 3
            assert np.array_equal(np.asarray(new.convert("RGBA")), picture.pixels)
            for number in (1, 2):
                old.seek(number)
                new.seek(number)
                assert np.array_equal(np.asarray(new.convert("RGBA")), np.asarray(old.convert("RGBA")))
                assert new.info["duration"] == old.info["duration"]
    _, said = mended(tmp_path / "a.webp", tmp_path / "c.png")
    assert said.lost == ["the first of 3 pages or frames is repaired, the others are left out"]


def test_a_gif_can_be_read_but_not_written(tmp_path: Path) -> None:
    frames = [Image.fromarray(KINDS["P"].pixels // n).convert("P") for n in (1, 2)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    picture, said = mended(tmp_path / "a.gif", tmp_path / "b.png")
    assert picture.colours == "palette"
    assert said.lost == ["the first of 2 pages or frames is repaired, the others are left out"]
    with pytest.raises(PhotomendError, match=r"b\.gif: can't write photos as '\.gif', which has 256 colours at most"):
        write(tmp_path / "b.gif", picture)


def test_every_chunk_of_a_png_stays(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"prVt", b"a private chunk")
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    info.add(b"tIME", bytes([7, 230, 1, 2, 3, 4, 5]))
    info.add_itxt("Title", "Übergröße", lang="de")
    info.add_text("Parameters", "a long text", zip=True)
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.png", pnginfo=info, dpi=(300, 600))
    mended(tmp_path / "a.png", tmp_path / "b.png")
    with opened(tmp_path / "a.png") as old, opened(tmp_path / "b.png") as new:
        assert old.load()
        assert new.load()
        assert new.info == old.info
        assert new.private_chunks == old.private_chunks
        assert len(new.private_chunks) >= 1


def test_a_transparent_colour(tmp_path: Path) -> None:
    """Of a PNG without an alpha channel: filled pixels don't become transparent by chance."""
    pixels = np.full((HEIGHT, WIDTH), 100, np.uint8)
    pixels[:4] = 101
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=101)
    pixels[:] = 101
    pixels[0] = 0
    Image.fromarray(pixels).save(tmp_path / "b.png", transparency=0)
    picture, _ = mended(tmp_path / "a.png", tmp_path / "c.png")
    with opened(tmp_path / "c.png") as image:
        assert image.info["transparency"] == 101
    assert not (picture.pixels[hole()] == 101).any()
    picture, said = mended(tmp_path / "a.png", tmp_path / "c.webp")
    assert read(tmp_path / "c.webp").pixels[0, 0, 3] == 0
    assert said.lost == ["WebP can't hold everything: grey becomes three equal channels"]


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif(tmp_path: Path, bits: int) -> None:
    pixels = noise(3, "uint16", 2**bits - 1)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(pixels, bitspersample=bits))
    picture = read(tmp_path / "a.avif")
    assert (picture.bits, picture.kind) == (bits, f"{bits}-bit RGB")
    picture, said = mended(tmp_path / "a.avif", tmp_path / "b.avif")
    assert said == Written([], [])
    back = read(tmp_path / "b.avif")
    assert np.array_equal(back.pixels, picture.pixels)
    assert np.array_equal(back.pixels[~hole()], pixels[~hole()])
    _, said = mended(tmp_path / "a.avif", tmp_path / "b.png")
    assert said.lost == [f"PNG can't hold everything: {bits}-bit RGB becomes 16-bit"]


def test_what_is_lost_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", KINDS["RGBA;16"].copy(metadata=everything()))
    _, said = mended(tmp_path / "a.tif", tmp_path / "b.webp")
    assert said.lost == ["WebP can't hold everything: 16-bit RGB with alpha becomes 8-bit; IPTC left out"]


def error_of(path: Path) -> str:
    try:
        read(path)
    except PhotoError as error:
        return str(error)
    return ""


def test_files_that_are_no_photos_are_named(tmp_path: Path) -> None:
    for kind in ("png", "tif", "jpg", "webp", "avif", "jp2", "ppm"):
        path = tmp_path / f"a.{kind}"
        write(path, KINDS["RGB"])
        data = path.read_bytes()
        for number, damaged in enumerate((data[: len(data) // 2], data[:20], b"", b"nothing" * 9)):
            path = tmp_path / f"{number}.{kind}"
            path.write_bytes(damaged)
            with warnings.catch_warnings(action="ignore"):
                said = error_of(path)  # decoders of JPEG 2000 and PPM may forgive a cut file
            assert said == "" or said.startswith(f"{path}: ")
            assert "\n" not in said
    with pytest.raises(PhotoError, match=r"gone\.png: can't be read as a photo \(No such file"):
        read(tmp_path / "gone.png")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write(path, KINDS["RGB"])
    path.chmod(0o640)
    before = path.read_bytes()
    write(path, KINDS["RGB"])
    assert path.stat().st_mode & 0o777 == 0o640

    def full_disk(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(PhotoError, match=r"a\.png: can't be written \(No space left"):
        write(path, KINDS["RGB"])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]
    (tmp_path / "plain").touch()
    monkeypatch.undo()
    write(tmp_path / "new.tif", KINDS["RGB"])
    assert (tmp_path / "new.tif").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_photo_too_large_for_its_format_is_refused_before_the_work(tmp_path: Path) -> None:
    long = Picture(np.zeros((1, 70_000, 3), np.uint8), "RGB")
    with pytest.raises(PhotomendError, match=r"a\.jpg: JPEG holds 65500 pixels a side, the photo has 70000×1"):
        write(tmp_path / "a.jpg", long)


def test_heic_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(PhotoError, match=r"x\.heic: HEIC needs pillow-heif: pip install 'photomend\[heif\]'"):
        read(tmp_path / "x.heic")
    with pytest.raises(PhotomendError, match="HEIC needs pillow-heif"):
        write(tmp_path / "y.heic", KINDS["RGB"])


def test_metadata_too_large_for_a_jpeg_are_left_out(tmp_path: Path) -> None:
    large = everything()
    large = replace(large, xmp=large.xmp + b" " * 70_000)
    said = write(tmp_path / "a.jpg", KINDS["RGB"].copy(metadata=large))
    assert said.lost == ["JPEG can't hold everything: XMP, text (Title) left out"]
    assert read(tmp_path / "a.jpg").metadata == replace(large, xmp=b"", text={"Comment": "scanned"})


def test_exif_that_a_png_holds_as_text(tmp_path: Path) -> None:
    """As ImageMagick wrote it: it turns the photo once, and not again in what comes back."""
    info = PngImagePlugin.PngInfo()
    raw = b"Exif\0\0" + exif(6)
    info.add_text("Raw profile type exif", f"\nexif\n{len(raw):8}\n{raw.hex()}\n", zip=True)
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.png", pnginfo=info)
    picture = read(tmp_path / "a.png")
    assert picture.shape == (WIDTH, HEIGHT)
    write(tmp_path / "b.png", picture)
    back = read(tmp_path / "b.png")
    assert np.array_equal(back.pixels, picture.pixels)
    assert b"TestCam" in back.metadata.exif


def test_a_profile_for_grey_is_used_where_grey_becomes_rgb(tmp_path: Path) -> None:
    """RGB can't have it: colours are converted into sRGB, in which the photo looks the same."""
    grey_icc = grey_profile(1.8)
    write(tmp_path / "a.png", KINDS["L"].copy(metadata=Metadata(icc=grey_icc)))
    assert read(tmp_path / "a.png").metadata.icc == grey_icc
    write(tmp_path / "b.webp", read(tmp_path / "a.png"))
    back = read(tmp_path / "b.webp")
    assert back.metadata.icc == b""
    light = (KINDS["L"].pixels / 255) ** 1.8
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(back.pixels[..., 0] / 255 - srgb).max() < 0.02


def test_what_is_read_ahead_is_read_when_the_repair_ends_even_in_an_error(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(noise(3, "uint8")).save(path)
    picture = read(path)
    with pytest.raises(MemoryError), reading_ahead(picture, tmp_path / "out.jpg", None) as damaged:
        raise MemoryError
    assert damaged.origin is not None
    assert damaged.origin.coefficients is not None
    assert damaged.origin.coefficients.done()
    assert damaged.origin.coefficients.result().Y.shape == (3, 4, 8, 8)
    for target, quality in (("out.png", None), ("out.jpg", 90)):
        with reading_ahead(picture, tmp_path / target, quality) as same:
            assert same is picture
