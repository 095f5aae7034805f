"""Photos from strangers: whatever they claim, they are refused at once or read, with little memory and no traceback."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from photomend.app.photo.files import read
from photomend.core import PhotomendError
from photomend.data.claims import MOST_PIXELS, allow_pixels
from photomend.data.photos import PhotoError, read_photo
from photomend.tests.app.helpers import Shell, picture
from photomend.tests.data.hostile import READ, REFUSED, png, png_that_grows, special, tiff, tiff_that_grows

#: Seconds that a photo may take, and bytes of memory, on a busy machine too.
MOST_SECONDS, MOST_MEMORY = 5.0, 2**29
SPECIAL = ("a pipe", "a folder", "a device", "a dangling link")


@pytest.mark.parametrize("name", [*REFUSED, *SPECIAL])
def test_it_is_refused_at_once(name: str, tmp_path: Path) -> None:
    suffix, made = REFUSED.get(name, (".png", bytes))
    path = tmp_path / f"line\nbreak <script>{suffix}"
    if name in SPECIAL:
        special(name, path)
    else:
        path.write_bytes(made())
    for reader in (read, read_photo):
        began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(PhotoError) as error:
            reader(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value).replace(str(path), "")
        assert time.process_time() - began < MOST_SECONDS
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY / 1024


@pytest.mark.parametrize("name", READ)
def test_it_is_read(name: str, tmp_path: Path) -> None:
    suffix, made = READ[name]
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(made())
    began = time.process_time()
    assert read(path).shape == (1, 1)
    assert read_photo(path).shape == (1, 1, 3)
    assert time.process_time() - began < MOST_SECONDS


@pytest.mark.parametrize(
    ("suffix", "made"),
    [
        (".png", lambda: png_that_grows(8, 2**29)),
        (".png", lambda: png_that_grows(16, 2**29)),
        (".tif", lambda: tiff_that_grows(2**29)),
    ],
)
def test_compressed_pixels_take_no_more_memory_than_the_photo(
    suffix: str, made: Callable[[], bytes], tmp_path: Path
) -> None:
    """Half a megabyte becomes 512; the photo has one pixel."""
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(made())
    for reader in (read, read_photo):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with suppress(PhotoError):  # either is right
            assert reader(path).shape[:2] == (1, 1)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**27 / 1024


def test_a_link_out_of_a_folder_of_photos_is_read_and_never_written(tmp_path: Path, shell: Shell) -> None:
    """Photos may be links; what is written replaces a link, and a folder that is one isn't searched."""
    picture(tmp_path / "elsewhere" / "photo.png")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "in.png").symlink_to(tmp_path / "elsewhere" / "photo.png")
    (tmp_path / "photos" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "zero.png").symlink_to("/dev/zero")
    before = (tmp_path / "elsewhere" / "photo.png").read_bytes()
    (tmp_path / "repaired").mkdir()
    (tmp_path / "elsewhere" / "other").write_bytes(b"not ours")
    (tmp_path / "repaired" / "in.png").symlink_to(tmp_path / "elsewhere" / "other")
    arguments = ("--box", "9,9,9,9", "-o", tmp_path / "repaired", "--model", "border", "--overwrite")
    outcome = shell("repair", tmp_path / "photos", *arguments)
    assert outcome.status == 1, outcome
    assert "zero.png: can't be read as a photo (it is a pipe or a device)" in outcome.err
    assert (tmp_path / "elsewhere" / "photo.png").read_bytes() == before
    assert (tmp_path / "elsewhere" / "other").read_bytes() == b"not ours"
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"photo.png", "other"}
    assert [path.name for path in (tmp_path / "repaired").iterdir()] == ["in.png"]
    assert not (tmp_path / "repaired" / "in.png").is_symlink()


def test_more_pixels_can_be_allowed_and_fewer(tmp_path: Path, shell: Shell) -> None:
    picture(tmp_path / "photo.png", 80, 100)
    repair = ("repair", tmp_path / "photo.png", "--box", "9,9,9,9", "-o", tmp_path / "out.png", "--model", "border")
    line = shell.fails(1, *repair, "--max-pixels", "7999")
    assert "claims 100×80 pixels, and 7,999 are allowed; if it is your own, --max-pixels 8000 allows as many" in line
    assert not (tmp_path / "out.png").exists()
    assert shell(*repair, "--max-pixels", "8000").status == 0
    (tmp_path / "huge.tif").write_bytes(tiff(2**16, 2**16))
    try:
        allow_pixels(2**32)
        with pytest.raises(PhotoError) as error:
            read(tmp_path / "huge.tif")
        assert "are allowed" not in str(error.value)
    finally:
        allow_pixels(None)
    with pytest.raises(PhotoError, match=f"{MOST_PIXELS:,} are allowed"):
        read(tmp_path / "huge.tif")


def test_a_hostile_name_is_one_line_on_the_terminal(tmp_path: Path, shell: Shell) -> None:
    path = tmp_path / "a\nb\r<script>\x1b[31m.png"
    path.write_bytes(png(60_000, 60_000))
    assert "claims 60000×60000" in shell.fails(1, "repair", path, "--box", "9,9,9,9", "-o", tmp_path / "out.png")
    picture(path)
    outcome = shell("repair", path, "--box", "9,9,9,9", "-o", tmp_path / "out.png", "--model", "border")
    assert outcome.status == 0, outcome


def test_an_output_that_is_a_link_is_replaced_and_never_followed(tmp_path: Path, shell: Shell) -> None:
    picture(tmp_path / "photo.png")
    (tmp_path / "elsewhere.png").write_bytes(b"not ours")
    (tmp_path / "out.png").symlink_to(tmp_path / "elsewhere.png")
    repair = ("repair", tmp_path / "photo.png", "--box", "9,9,9,9", "-o", tmp_path / "out.png", "--model", "border")
    shell.fails(1, *repair)
    assert shell(*repair, "--overwrite").status == 0
    assert (tmp_path / "elsewhere.png").read_bytes() == b"not ours"
    assert not (tmp_path / "out.png").is_symlink()
    assert issubclass(PhotoError, PhotomendError)
