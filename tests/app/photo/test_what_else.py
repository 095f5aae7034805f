"""What a file holds beside what every format has a place for: kept in its own format, said in another."""

from __future__ import annotations

import uuid
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import glymur
import imagecodecs
import jpeglib
import numpy as np
import pytest
from glymur.jp2box import UUIDBox
from netpbmfile import NetpbmFile
from photomend.app.photo.files import Written, read, write
from photomend.app.photo.metadata import EXIF_HEADER, upright_exif
from photomend.core import PhotomendError
from PIL import ExifTags, Image, PngImagePlugin
from tifffile import TiffFile, imwrite

from .samples import HEIGHT, KINDS, WIDTH, exif, grey_profile, hole, mended, noise, opened

GAMMA, SRGB = (100_000).to_bytes(4, "big"), (45_455).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ({b"gAMA": GAMMA, b"cHRM": bytes(32), b"prVt": b"x"}, "chunk gAMA, the chunk cHRM, the chunk prVt left out"),
        ({b"cICP": b"\x09\x10\0\1", b"sRGB": b"\0"}, "the chunk cICP left out"),
        ({b"sRGB": b"\0", b"gAMA": SRGB, b"cHRM": bytes(32)}, ""),
        ({b"gAMA": SRGB}, ""),
    ],
)
def test_chunks_of_a_png_are_named_where_they_have_no_place(
    tmp_path: Path, chunks: dict[bytes, bytes], said: str
) -> None:
    """What says that colours are sRGB needs no word: photos that say nothing are sRGB."""
    info = PngImagePlugin.PngInfo()
    for kind, data in chunks.items():
        info.add(kind, data)
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.png", pnginfo=info)
    for suffix in (".webp", ".bmp", ".tif"):
        lost = mended(tmp_path / "a.png", tmp_path / f"b{suffix}")[1].lost
        assert said in lost[0] if lost else not said, lost
    assert mended(tmp_path / "a.png", tmp_path / "b.png")[1] == Written([], [])


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2, "big") + data


def test_segments_of_a_jpeg_stay_or_are_named(tmp_path: Path) -> None:
    own = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000)) + segment(0xEB, b"JP a box")
    own += segment(0xED, b"Photoshop 3.0\x008BIM\x04\x0a\0\0\0\0\0\1\1\0")
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.jpg", extra=own)
    assert mended(tmp_path / "a.jpg", tmp_path / "b.jpg")[1].lost == []
    assert read(tmp_path / "b.jpg").metadata.other == read(tmp_path / "a.jpg").metadata.other
    said = "extended XMP, the segment APP11, Photoshop's settings left out"
    assert mended(tmp_path / "a.jpg", tmp_path / "b.png")[1].lost == [f"PNG can't hold everything: {said}"]


@pytest.mark.parametrize("sampling", ["411", "440", "arithmetic"])
def test_jpegs_that_few_programs_write_keep_their_subsampling(tmp_path: Path, sampling: str) -> None:
    pixels = np.tile(KINDS["RGB"].pixels, (2, 2, 1))
    if sampling == "arithmetic":
        Image.fromarray(pixels).save(tmp_path / "plain.jpg", quality=85)
        with jpeglib.version("turbo210"):
            jpeglib.read_dct(str(tmp_path / "plain.jpg")).write_dct(str(tmp_path / "a.jpg"), flags=["+ARITH_CODE"])
    else:
        (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(pixels, level=85, subsampling=sampling))
    missing = np.zeros((2 * HEIGHT, 2 * WIDTH), bool)
    missing[2:6, 2:6] = True
    picture = read(tmp_path / "a.jpg")
    painted = picture.pixels.copy()
    painted[missing] = (200, 40, 40)
    _, [said] = write(tmp_path / "b.jpg", picture.copy(pixels=painted, rebuilt=missing))
    assert int(said.split()[0]) < int(said.split()[2]) / 4
    with opened(tmp_path / "a.jpg") as old, opened(tmp_path / "b.jpg") as new:
        assert [layer[1:3] for layer in old.layer] == [layer[1:3] for layer in new.layer]
    back = read(tmp_path / "b.jpg").pixels
    assert np.array_equal(back[:, 40:], picture.pixels[:, 40:])
    assert np.abs(back[2:6, 2:6].astype(int) - (200, 40, 40)).mean() < 60


def test_jpeg_2000_keeps_its_depth_and_its_boxes(tmp_path: Path) -> None:
    deep = noise(3, "uint16", 4095)
    (tmp_path / "plain.jp2").write_bytes(imagecodecs.jpeg2k_encode(deep, level=0, codecformat="jp2", bitspersample=12))
    file = glymur.Jp2k(tmp_path / "plain.jp2")
    file.wrap(tmp_path / "a.jp2", [*file.box, UUIDBox(uuid.UUID(int=7), b"private")])
    picture, said = mended(tmp_path / "a.jp2", tmp_path / "b.jp2")
    assert said == Written([], [])
    back = read(tmp_path / "b.jp2")
    assert (back.kind, back.metadata) == ("12-bit RGB", picture.metadata)
    assert np.array_equal(back.pixels, picture.pixels)
    assert "the box uuid left out" in mended(tmp_path / "a.jp2", tmp_path / "b.png")[1].lost[0]


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint16"])
def test_white_is_zero_at_every_depth(tmp_path: Path, dtype: str) -> None:
    pixels = noise(1, dtype)
    imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite", metadata=None)
    mended(tmp_path / "a.tif", tmp_path / "b.tif")
    with TiffFile(tmp_path / "b.tif") as file:
        assert np.array_equal(file.asarray()[~hole()], pixels[~hole()])


def test_a_big_endian_bigtiff(tmp_path: Path) -> None:
    pixels = KINDS["RGB;16"].pixels
    options: dict[str, Any] = {"bigtiff": True, "byteorder": ">", "photometric": "rgb"}
    imwrite(tmp_path / "a.tif", pixels, description="a scan", metadata=None, **options)
    with warnings.catch_warnings(action="error"):
        assert mended(tmp_path / "a.tif", tmp_path / "b.tif")[1] == Written([], [])
    with TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.description == "a scan"
        assert np.array_equal(file.asarray()[~hole()], pixels[~hole()])


def test_a_suffix_of_netpbm_means_what_it_says(tmp_path: Path) -> None:
    for kind, suffix, magic in (("1", "pam", "P7"), ("L", "pam", "P7"), ("L", "pgm", "P5"), ("1", "pbm", "P4")):
        path = tmp_path / f"{kind}.{suffix}"
        assert write(path, KINDS[kind]) == Written([], [])
        with NetpbmFile(path) as file:
            assert file.magicnumber == magic
        assert np.array_equal(read(path).pixels, KINDS[kind].pixels)
    with pytest.raises(PhotomendError, match=r"a\.pgm: PGM holds grey only, not 8-bit RGB"):
        write(tmp_path / "a.pgm", KINDS["RGB"])
    assert "becomes 1-bit" in write(tmp_path / "a.pbm", KINDS["L"]).lost[0]


def test_an_animation_without_alpha_gets_none(tmp_path: Path) -> None:
    frames = [Image.fromarray(KINDS["RGB"].pixels // n) for n in (1, 2)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    picture, _ = mended(tmp_path / "a.webp", tmp_path / "b.webp")
    assert read(tmp_path / "b.webp").kind == picture.kind == "8-bit RGB"


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}], ids=["lossy", "without loss"])
def test_an_animation_gets_no_alpha_for_what_its_frames_share(tmp_path: Path, options: dict[str, Any]) -> None:
    pixels = np.tile(KINDS["RGB"].pixels, (6, 6, 1))
    frames = [Image.fromarray(np.where(np.arange(192)[:, None] // 32 == n, 255 - pixels, pixels)) for n in range(4)]
    path = tmp_path / "a.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[9, 8, 7, 6], kmin=0, kmax=1, **options)
    picture, missing = read(path), np.zeros((144, 192), bool)
    missing[4:9, 4:9] = True
    repaired = picture.copy(pixels=np.where(missing[..., None], np.uint8(90), picture.pixels), rebuilt=missing)
    assert write(tmp_path / "b.webp", repaired).lost == []
    with opened(path) as old, opened(tmp_path / "b.webp") as new:
        assert (old.mode, new.mode, new.n_frames) == ("RGB", "RGB", 4)
        for number in range(4):
            old.seek(number)
            new.seek(number)
            same = np.asarray(old) == np.asarray(new)
            assert same[~missing].all()
            assert (number > 0) == same[missing].all()
            assert old.info["duration"] == new.info["duration"]


def test_text_and_comments_under_the_same_name_are_said(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    for keyword, text in (("Comment", "one"), ("Author", "A"), ("Comment", "two"), ("Author", "A")):
        info.add_text(keyword, text)
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.png", pnginfo=info)
    assert mended(tmp_path / "a.png", tmp_path / "b.png")[1] == Written([], [])
    said = mended(tmp_path / "a.png", tmp_path / "b.jpg")[1].lost
    assert said == ["JPEG can't hold everything: text (Author), repeated text (Comment) left out"]
    comments = segment(0xFE, b"one") + segment(0xFE, b"two")
    Image.fromarray(KINDS["RGB"].pixels).save(tmp_path / "a.jpg", extra=comments)
    assert mended(tmp_path / "a.jpg", tmp_path / "b.jpg")[1].lost == []
    assert mended(tmp_path / "a.jpg", tmp_path / "c.png")[1].lost == [
        "PNG can't hold everything: further comments left out"
    ]


#: Tags that GDAL, Windows and others add to those of a camera: text, numbers of every kind, and bytes.
TAGS: dict[int, tuple[str, int, Any]] = {
    18246: ("H", 1, 4),
    33550: ("d", 3, (1.0, 1.0, 0.0)),
    34735: ("H", 4, (1, 1, 0, 0)),
    40091: ("B", 4, b"a\0b\0"),
    42112: ("s", 0, "<GDALMetadata/>"),
    65000: ("I", 2, (7, 8)),
    65001: ("2I", 1, (1, 3)),
}


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "jp2", "heic", "avif"])
def test_tags_of_a_tiff_go_to_another_format_and_back_or_are_named(tmp_path: Path, suffix: str) -> None:
    tags = [(code, *tag, True) for code, tag in TAGS.items()]
    imwrite(tmp_path / "a.tif", KINDS["RGB"].pixels, photometric="rgb", metadata=None, extratags=tags)
    _, said = mended(tmp_path / "a.tif", tmp_path / f"b.{suffix}")
    if suffix == "avif":
        names = "Rating, tag 33550, tag 34735, tag 42112, tag 65000, tag 65001"
        assert said.done == [f"{names} of its EXIF left out"]
        return
    assert said.lost == []
    assert mended(tmp_path / f"b.{suffix}", tmp_path / "c.tif")[1] == Written([], [])
    with TiffFile(tmp_path / "a.tif") as old, TiffFile(tmp_path / "c.tif") as new:
        for code in TAGS:
            assert new.pages.first.tags[code].value == old.pages.first.tags[code].value


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "jp2", "heic", "avif", "tif"])
@pytest.mark.parametrize("exif", [b"II*\0garbage", b"no TIFF at all", b""])
def test_ill_formed_exif_and_xmp_stay_as_they_are_or_are_named(tmp_path: Path, suffix: str, exif: bytes) -> None:
    metadata = replace(KINDS["RGB"].metadata, exif=exif, xmp=b"<x:xmpmeta is not XML")
    said = write(tmp_path / f"a.{suffix}", KINDS["RGB"].copy(metadata=metadata))
    with warnings.catch_warnings(action="ignore"):
        mended(tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}")
        found = [read(tmp_path / f"{name}.{suffix}").metadata for name in "ab"]
    assert [each.xmp for each in found] == [metadata.xmp] * 2
    if suffix in ("avif", "tif") and exif:
        assert said.done == ["its EXIF, which can't be read, is left out"]
    elif suffix != "avif":  # which has EXIF of its own
        assert [each.exif for each in found] == [exif] * 2


def test_boxes_of_jpeg_2000_that_are_no_xml_stay(tmp_path: Path) -> None:
    write(tmp_path / "a.jp2", KINDS["RGB"])
    box = b"xml <not XML"
    data = (tmp_path / "a.jp2").read_bytes()
    (tmp_path / "a.jp2").write_bytes(data + (len(box) + 4).to_bytes(4, "big") + box)
    with warnings.catch_warnings(action="error"):
        picture, said = mended(tmp_path / "a.jp2", tmp_path / "b.jp2")
    assert (said, picture.metadata.other) == (Written([], []), ("the box xml",))
    assert box in (tmp_path / "b.jp2").read_bytes()


def test_colours_that_change_are_said_with_their_profile(tmp_path: Path) -> None:
    grey = KINDS["L"].copy(metadata=replace(KINDS["L"].metadata, icc=grey_profile(1.8)))
    said = write(tmp_path / "a.webp", grey).lost[0]
    assert said == "WebP can't hold everything: grey becomes three equal channels by its colour profile"
    ink = KINDS["CMYK"].copy(metadata=replace(grey.metadata, icc=b"no profile"))
    said = write(tmp_path / "a.webp", ink).lost[0]
    assert said == "WebP can't hold everything: CMYK becomes RGB without its colour profile"
    cutout = KINDS["L"].copy(key=(101,))
    assert "grey becomes three equal channels" in write(tmp_path / "a.avif", cutout).lost[0]


def test_exif_is_turned_with_the_photo_and_a_makers_notes_are_said_to_change(tmp_path: Path) -> None:
    tags: Any = Image.Exif()
    tags.load(exif(6))
    tags[ExifTags.Base.XResolution], tags[ExifTags.Base.YResolution] = 300, 600
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"Nikon\0\2" + bytes(range(99))
    turned = Image.Exif()
    turned.load(upright_exif(tags.tobytes().removeprefix(EXIF_HEADER), 6))
    found = [turned[tag] for tag in (ExifTags.Base.Orientation, ExifTags.Base.XResolution, ExifTags.Base.YResolution)]
    assert found == [1, 600, 300]
    said = replace(KINDS["RGB"].metadata, exif=turned.tobytes().removeprefix(EXIF_HEADER))
    picture = KINDS["RGB"].copy(metadata=said)
    assert write(tmp_path / "a.avif", picture).done == ["the camera maker's own notes in its EXIF are ordered anew"]
    assert write(tmp_path / "a.webp", picture) == Written([], [])
