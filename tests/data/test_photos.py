from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from photomend.core import PhotomendError
from photomend.data.photos import (
    PhotoError,
    decode_photo,
    find_photos,
    photo_suffixes,
    read_photo,
    resize,
)
from PIL import Image

RED, WHITE = (255, 0, 0), (255, 255, 255)


def test_find_photos_is_recursive_sorted_and_skips_hidden(tmp_path: Path) -> None:
    names = ["b.JPG", "a/z.png", "a/Ü ñ 猫.webp", "a/b/c.tif", "b/1.gif"]
    others = [".hidden.png", ".cache/a.png", "notes.txt", "a/photo", "._b.jpg", "paper.pdf"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_photos(tmp_path)]
    assert found == sorted(names)


def test_common_formats_are_known() -> None:
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm"} <= photo_suffixes()
    assert not {".eps", ".pdf", ".mpg"} & photo_suffixes()


def test_folder_without_photos(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(PhotomendError, match=r"no photos in this folder") as error:
        find_photos(tmp_path)
    assert str(tmp_path) in str(error.value)
    with pytest.raises(PhotomendError, match="no such folder"):
        find_photos(tmp_path / "missing")
    with pytest.raises(PhotomendError, match="not a folder"):
        find_photos(tmp_path / "notes.txt")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, photo: np.ndarray, orientation: int) -> None:
    # What a camera in that orientation stores: the inverse of EXIF's instruction (TIFF 6.0, tag 274).
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](photo)))
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "a.png"), photo)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0] = [[255, 0, 0, 255], [255, 0, 0, 0], [255, 0, 0, 128]]
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    assert read_photo(tmp_path / "rgba.png")[0].tolist() == [list(RED), list(WHITE), [255, 127, 127]]

    Image.fromarray(np.array([[[9, 255], [9, 0]]], np.uint8), "LA").save(tmp_path / "la.png")
    assert read_photo(tmp_path / "la.png")[0].tolist() == [[9, 9, 9], list(WHITE)]

    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([*RED, 0, 0, 255])
    palette.save(tmp_path / "p.png")
    assert read_photo(tmp_path / "p.png")[0].tolist() == [list(RED), [0, 0, 255]]
    palette.save(tmp_path / "pt.png", transparency=1)
    assert read_photo(tmp_path / "pt.png")[0].tolist() == [list(RED), list(WHITE)]


def test_other_modes(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16)).save(tmp_path / "16.png")
    assert read_photo(tmp_path / "16.png")[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]

    Image.fromarray(np.array([[0, 0.5, 1]], np.float32)).save(tmp_path / "float.tif")
    assert read_photo(tmp_path / "float.tif")[0, :, 0].tolist() == [0, 128, 255]
    Image.fromarray(np.array([[0, 128, 300]], np.float32)).save(tmp_path / "float255.tif")
    assert read_photo(tmp_path / "float255.tif")[0, :, 0].tolist() == [0, 128, 255]

    Image.new("CMYK", (20, 10), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=100)
    cmyk = read_photo(tmp_path / "cmyk.jpg")
    assert cmyk.shape == (10, 20, 3)
    assert np.abs(cmyk.astype(int) - RED).max() <= 3

    Image.new("1", (3, 2), 1).save(tmp_path / "bits.png")
    assert read_photo(tmp_path / "bits.png").tolist() == [[list(WHITE)] * 3] * 2

    Image.new("RGB", (3, 2), RED).save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (3, 2), "blue")]
    )
    assert read_photo(tmp_path / "a.gif")[0, 0].tolist() == list(RED)


def test_truncated_photo_is_named(tmp_path: Path, photo: np.ndarray) -> None:
    for suffix in (".jpg", ".png", ".webp"):
        path = tmp_path / f"cut{suffix}"
        Image.fromarray(photo).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(PhotoError) as error:
            read_photo(path)
        assert str(error.value).startswith(f"{path}: can't be read as a photo (")
        assert "\n" not in str(error.value)


def test_what_is_no_photo_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not a photo")
    with pytest.raises(PhotoError, match=r"text\.jpg: can't be read as a photo \(not an image"):
        read_photo(text)
    (tmp_path / "empty.png").touch()
    with pytest.raises(PhotoError, match=r"empty\.png"):
        read_photo(tmp_path / "empty.png")
    with pytest.raises(PhotoError, match=r"gone\.png: .*No such file"):
        read_photo(tmp_path / "gone.png")
    with pytest.raises(PhotoError, match=r"\(it is a folder\)"):
        read_photo(tmp_path)
    with pytest.raises(PhotoError, match="photo 3"):
        decode_photo(b"nothing", "photo 3")


@pytest.mark.parametrize("position", range(0, 2000, 97))
def test_damaged_bytes_never_escape_as_another_error(photo: np.ndarray, tmp_path: Path, position: int) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    damaged = bytearray((tmp_path / "a.png").read_bytes())
    damaged[position % len(damaged)] ^= 0xFF
    with suppress(PhotoError):
        assert decode_photo(bytes(damaged), "a.png").dtype == np.uint8


def test_resize_is_pillows_bicubic(photo: np.ndarray) -> None:
    expected = np.array(Image.fromarray(photo).resize((33, 44), Image.Resampling.BICUBIC))
    assert np.array_equal(resize(photo, height=44, width=33), expected)
    assert np.array_equal(resize(photo, *photo.shape[:2]), photo)


def test_a_large_jpeg_is_decoded_smaller_but_not_below_what_is_asked(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 1600, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(smooth[None, :, None], (1200, 1600, 3)).copy()).save(tmp_path / "large.jpg")
    assert read_photo(tmp_path / "large.jpg").shape == (1200, 1600, 3)
    small = decode_photo(tmp_path / "large.jpg", "large.jpg", least=560)
    assert small.shape == (600, 800, 3)
    assert np.abs(small[300, ::8, 0].astype(int) - np.linspace(0, 255, 100)).max() < 4
    assert decode_photo(tmp_path / "large.jpg", "large.jpg", least=1100).shape == (1200, 1600, 3)
