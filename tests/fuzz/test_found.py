"""What the fuzzer has found, each with its right answer: the kind of it, and not only the file."""

from __future__ import annotations

import json
import struct
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photomend.app import reconstructors
from photomend.app.options import read_settings
from photomend.app.photo.files import read, write
from photomend.app.photo.picture import Picture
from photomend.app.web.answers import parsed
from photomend.app.web.edits import draw
from photomend.core import PhotomendError, did_you_mean
from photomend.core.reading import parse_json, read_text
from photomend.data.claims import BoundedFile, allow_pixels
from photomend.data.prepared import write_json
from photomend.models import LinearModel
from photomend.models.safetensors_file import write_file
from photomend.models.weights import VERSION, Checkpoint, load, load_checkpoint, save_checkpoint
from photomend.tests.data.hostile import tiff
from PIL import Image
from safetensors.torch import save

from . import readers


def test_a_photo_without_pixels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.tif").write_bytes(tiff(12, 12, t258=60_000))
    with pytest.raises(PhotomendError, match=r"photo\.tif"):
        read(tmp_path / "photo.tif")


def test_strips_that_lie_petabytes_apart_are_refused(tmp_path: Path) -> None:
    """Pillow asked for all bytes between them."""
    (tmp_path / "photo.tif").write_bytes(bytes(8))
    with BoundedFile(tmp_path / "photo.tif") as file:
        assert file.read(2**48) == bytes(8)


@pytest.mark.parametrize("tag", ["t279", "t325"])
def test_a_strip_of_terabytes_takes_no_memory(tag: str, tmp_path: Path) -> None:
    """tifffile asked for as many bytes as a strip claims to have."""
    tags: dict[str, Any] = {"t322": 16, "t323": 16, "t324": 8} if tag == "t325" else {}
    tags[tag] = 2**31
    (tmp_path / "photo.tif").write_bytes(tiff(16, 16, **tags))
    tracemalloc.start()
    with suppress(PhotomendError):
        read(tmp_path / "photo.tif")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**26


@pytest.mark.parametrize(
    "header",
    [
        b"P7\n" + b"\n" * 60 + b"WIDTH 6",
        b"P7\n" + b"# a\r" * 60 + b"WIDTH 6\n",
        b"P7\n" + b"WIDTH 6\n" * 60 + b"WIDTH 6",
        b"P7 332\n" + b"\n" * 60,
        b"Pf" + b" " * 1300 + b"6" + b" " * 1300 + b"6" + b" " * 1300 + b"x",
        b"Pf\n" + b"#\r" * 60 + b"x",
    ],
)
def test_a_header_that_is_read_in_exponential_time_is_refused_at_once(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.pam").write_bytes(header)
    began = time.process_time()
    with pytest.raises(PhotomendError, match=r"photo\.pam: can't be read as a photo"):
        read(tmp_path / "photo.pam")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "header",
    [
        b"P7\n# made by hand\nWIDTH 2\nHEIGHT 1\n\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n",
        b"P7\r\nHEIGHT 1\r\nWIDTH  2 \r\nDEPTH 3\r\nMAXVAL 255\r\nENDHDR\n",
        b"P6\n# made by hand\n2 1\n255\n",
        b"P6 2\t1 255 ",
    ],
)
def test_headers_as_programs_write_them_are_read(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.pam").write_bytes(header + bytes([1, 2, 3, 4, 5, 6]))
    assert read(tmp_path / "photo.pam").pixels.tolist() == [[[1, 2, 3], [4, 5, 6]]]


def test_a_codestream_larger_than_its_box_says_is_not_decoded(tmp_path: Path) -> None:
    """JPEG 2000 says its size twice, and only the codestream's is the decoder's."""
    write(tmp_path / "photo.jp2", Picture(np.zeros((12, 12, 3), np.uint8), "RGB"))
    data = bytearray((tmp_path / "photo.jp2").read_bytes())
    place = data.index(b"\xff\x4f\xff\x51") + 8
    struct.pack_into(">II", data, place, 60_000, 60_000)
    (tmp_path / "photo.jp2").write_bytes(data)
    began = time.process_time()
    with pytest.raises(PhotomendError, match="claims 60000×60000 pixels"):
        read(tmp_path / "photo.jp2")
    assert time.process_time() - began < 2


def test_all_frames_of_an_avif_count(tmp_path: Path) -> None:
    """Its decoder has all of them in memory at once."""
    first, *others = [Image.new("RGB", (16, 16), (number, 0, 0)) for number in range(10)]
    first.save(tmp_path / "photo.avif", save_all=True, append_images=others)
    assert read(tmp_path / "photo.avif").shape == (16, 16)
    try:
        allow_pixels(16 * 16 * 9)
        with pytest.raises(PhotomendError, match="claims 16×160 pixels"):
            read(tmp_path / "photo.avif")
    finally:
        allow_pixels(None)


def test_alpha_that_a_tiff_names_and_does_not_have_is_none(tmp_path: Path) -> None:
    (tmp_path / "photo.tif").write_bytes(tiff(4, 4, t338=2) + bytes(16))
    assert not read(tmp_path / "photo.tif").alpha


@pytest.mark.parametrize("number", ["9" * 400, "0x" + "f" * 9000])
def test_settings_beyond_all_bounds_are_refused(number: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"steps = 6\nmse_weight = {number}\n")
    with pytest.raises(PhotomendError, match="mse_weight must be a number of a computer's range"):
        readers.settings(path)


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_settings_that_are_nested_without_end_are_refused(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"settings{suffix}").write_text(("a = " if suffix == ".toml" else "") + "[" * 10_000)
    with pytest.raises(PhotomendError, match="not a file of settings"):
        read_settings(tmp_path / f"settings{suffix}")


@pytest.mark.parametrize("settings", [{"x" * 10**6: 1}, {"steps": "x" * 10**6}, {"lr": [1] * 10**6}])
def test_messages_about_settings_stay_readable(settings: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"steps": 6, **settings}))
    began = time.process_time()
    with pytest.raises(PhotomendError) as error:
        readers.settings(path)
    assert len(str(error.value)) < len(str(path)) + 1000
    assert time.process_time() - began < 2


def test_a_word_without_end_is_compared_in_time() -> None:
    began = time.process_time()
    assert did_you_mean("harmonic" * 10**5, ["harmonic", "h" * 10**3])
    assert time.process_time() - began < 1


#: Marks whose values are longer than any message may be.
LONG_MARKS = [
    {"kind": "stroke", "points": [[[1] * 10**5]], "radius": 1},
    {"kind": "stroke", "points": [[1, "x" * 10**5]], "radius": 1},
    {"kind": "box", "x": [1] * 10**5, "y": 1, "width": 1, "height": 1},
]


@pytest.mark.parametrize("edit", [{"kind": "x" * 10**6}, "x" * 10**6, ["x"] * 10**5, *LONG_MARKS])
def test_messages_about_marks_stay_readable(edit: object) -> None:
    with pytest.raises(PhotomendError) as error:
        draw(parsed(json.dumps({"edits": [edit]}).encode())["edits"], 9, 9)
    assert len(str(error.value)) < 300


def test_messages_about_arrays_stay_readable(tmp_path: Path) -> None:
    path = tmp_path / "arrays.safetensors"
    path.write_bytes(save({"x" * 10**5: LinearModel(2).state_dict()["regression.bias"]}))
    with pytest.raises(PhotomendError) as error:
        load(path, into=LinearModel(2))
    assert len(str(error.value)) < len(str(path)) + 500


@pytest.mark.parametrize("length", [b"\0\0\0\2", b"\0\0\0\7", b"\0\0\0\1"])
@pytest.mark.parametrize("kind", [b"colr", b"jp2h"])
def test_boxes_of_jpeg_2000_that_lead_nowhere(tmp_path: Path, kind: bytes, length: bytes) -> None:
    """One within another and one of the file: a reader that goes on by its length never gets on."""
    path = tmp_path / "photo.jp2"
    Image.new("RGB", (16, 16), "teal").save(path)
    data = bytearray(path.read_bytes())
    at = data.index(kind) - 4
    data[at : at + 4] = length
    if length == b"\0\0\0\1":
        data[at + 8 : at + 16] = bytes(8)
    path.write_bytes(data)
    began = time.process_time()
    with pytest.raises(PhotomendError, match=r"photo\.jp2: can't be read as a photo"):
        read(path)
    assert time.process_time() - began < 5


def test_messages_about_calibrations_and_runs_stay_readable(tmp_path: Path) -> None:
    known = Checkpoint("linear", LinearModel(2).state_dict(), {"window": 2}, calibration={"coefficients": "x" * 10**5})
    save_checkpoint(tmp_path / "weights.safetensors", known)
    with pytest.raises(PhotomendError, match="its calibration is damaged") as error:
        reconstructors.load(str(tmp_path / "weights.safetensors"))
    assert len(str(error.value)) < len(str(tmp_path)) + 500
    for message in ("x" * 10**6, f"a run of {'x' * 10**6}, not of 'cnn'"):
        assert len(str(PhotomendError(message))) < 2000
        assert str(PhotomendError(message)).endswith(message[-100:])
    assert PhotomendError("a", 3, ValueError("b")).args[:2] == ("a", 3)


@pytest.mark.parametrize("about", [{"kind": "x" * 10**5}, {"kind": "weights", "version": [1] * 10**5}])
def test_messages_about_descriptions_stay_readable(about: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write_file(path, {}, {"version": VERSION, **about})
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(path)
    assert len(str(error.value)) < len(str(path)) + 300


def test_names_that_are_not_utf8_come_back_as_they_were(tmp_path: Path) -> None:
    """A journal names the photos that can't be read."""
    write_json(tmp_path / "journal.json", {"a\udcff.png": "é \ud800"})
    assert parse_json(read_text(tmp_path / "journal.json")) == {"a\udcff.png": "é \ud800"}
