"""What a photo doesn't say isn't said in its name: no resolution, EXIF or loss. And colours keep their brightness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from photomend.app.api import repair
from photomend.app.photo.files import read, write
from photomend.app.photo.metadata import dpi_in
from PIL import Image

from .samples import noise

#: Tags of EXIF: description, resolution across and down, its unit.
ABOUT, ACROSS, DOWN, UNIT = 0x010E, 0x011A, 0x011B, 0x0128


def exif_of(path: Path) -> dict[int, Any]:
    with Image.open(path) as image:
        return dict(image.getexif())


def save(path: Path, tags: dict[int, Any], **options: Any) -> None:
    exif = Image.Exif()
    exif.update(tags)
    options |= {"exif": exif} if tags else {}
    Image.fromarray(noise(3, "uint8")).save(path, **options)


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ({}, {}),
        ({ABOUT: "a cat"}, {ABOUT: "a cat", ACROSS: 72.0, DOWN: 72.0, UNIT: 2}),
        ({ACROSS: 120.0, DOWN: 110.0, UNIT: 3}, {ACROSS: 120.0, DOWN: 110.0, UNIT: 3}),
    ],
    ids=["no EXIF", "EXIF without resolution", "EXIF with one"],
)
def test_avif_has_what_its_exif_had(tmp_path: Path, tags: dict[int, Any], wanted: dict[int, Any]) -> None:
    """libvips enters a resolution where there is none: the standard's word for unknown."""
    save(tmp_path / "a.avif", tags, quality=100)
    write(tmp_path / "b.avif", read(tmp_path / "a.avif"))
    found = exif_of(tmp_path / "b.avif")
    assert {tag: found[tag] for tag in wanted} == wanted
    assert bool(found) == bool(wanted)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".jp2"])
def test_a_jpeg_without_resolution_has_none(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / "a.jpg", {ABOUT: "a cat"})
    picture = read(tmp_path / "a.jpg")
    assert picture.metadata.dpi is None
    lost, _ = write(tmp_path / f"b{suffix}", picture, 90 if suffix == ".jpg" else None)
    assert not lost
    assert read(tmp_path / f"b{suffix}").metadata.dpi is None


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".jp2"])
def test_a_resolution_that_exif_keeps_is_not_lost(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / "a.jpg", {ACROSS: 300.0, DOWN: 300.0, UNIT: 2}, dpi=(300, 300))
    lost, _ = write(tmp_path / f"b{suffix}", read(tmp_path / "a.jpg"))
    assert not lost
    assert dpi_in(read(tmp_path / f"b{suffix}").metadata.exif) == (300, 300)
    save(tmp_path / "c.jpg", {ABOUT: "a cat"}, dpi=(300, 300))
    lost, _ = write(tmp_path / f"d{suffix}", read(tmp_path / "c.jpg"))
    assert "300 dpi left out" in lost[0]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif"])
def test_a_resolution_in_exif_alone_is_a_tiff_s_own(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a{suffix}", {ACROSS: 300.0, DOWN: 300.0, UNIT: 2})
    write(tmp_path / "b.tif", read(tmp_path / f"a{suffix}"))
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.get_resolution("INCH") == (300, 300)


@pytest.mark.parametrize(("unit", "dpi"), [(1, None), (2, (120, 110)), (3, (304.8, 279.4)), (9, (120, 110))])
def test_the_resolution_that_exif_gives(unit: int, dpi: tuple[float, float] | None) -> None:
    exif = Image.Exif()
    exif.update({ACROSS: 120.0, DOWN: 110.0, UNIT: unit})
    assert dpi_in(exif.tobytes()) == (dpi and pytest.approx(dpi))
    for broken in (b"", b"no TIFF at all", exif.tobytes()[:20]):
        assert dpi_in(broken) is None
    rng = np.random.default_rng(unit)
    for _ in range(300):
        damaged = np.frombuffer(exif.tobytes(), np.uint8).copy()
        damaged[rng.integers(len(damaged), size=3)] = rng.integers(256, size=3)
        assert min(dpi_in(damaged.tobytes()) or (1, 1)) > 0


def test_a_tiff_s_resolution_of_no_unit_is_none(tmp_path: Path) -> None:
    said: dict[str, Any] = {"description": "a cat", "resolution": (1, 2), "resolutionunit": "NONE"}
    tifffile.imwrite(tmp_path / "a.tif", noise(3, "uint8"), photometric="rgb", **said)
    write(tmp_path / "b.avif", read(tmp_path / "a.tif"))
    assert exif_of(tmp_path / "b.avif")[ACROSS] == 72


@pytest.mark.parametrize(("kind", "white"), [("uint8", 255), ("uint16", 65535), ("float32", 1.0)])
def test_colours_multiplied_by_alpha_are_divided_by_it_in_other_formats(
    tmp_path: Path, kind: str, white: float
) -> None:
    pixels = np.full((40, 50, 4), 0.8 * white, np.float64)
    pixels[..., 3] = white
    pixels[:, :20] *= 0.5
    pixels[:4] = 0
    stored = pixels.astype(kind) if kind == "float32" else np.rint(pixels).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    picture = read(tmp_path / "a.tif")
    assert (picture.alpha, picture.premultiplied) == (True, True)
    lost, _ = write(tmp_path / "b.png", picture)
    assert "colours multiplied by alpha are divided by it" in lost[0]
    back = read(tmp_path / "b.png")
    found = back.pixels / np.iinfo(back.pixels.dtype).max
    assert np.abs(found[10:, :, :3] - 0.8).max() < 0.005
    assert np.abs(found[10:, :20, 3] - 0.5).max() < 0.005
    assert (found[:4] == 0).all()
    write(tmp_path / "c.jpg", picture)
    assert np.abs(read(tmp_path / "c.jpg").pixels[20:, :10] / 255 - 0.9).max() < 0.02  # on white
    write(tmp_path / "d.tif", picture)
    assert np.array_equal(tifffile.imread(tmp_path / "d.tif"), stored)
    with tifffile.TiffFile(tmp_path / "d.tif") as file:
        assert file.pages.first.extrasamples == (1,)
    if kind == "uint8":
        image = repair(tmp_path / "a.tif", [(30, 20, 5, 5)], "harmonic")
        assert isinstance(image, Image.Image)
        assert np.abs(np.asarray(image)[20, 10] - [204, 204, 204, 128]).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif", ".jp2", ".bmp"])
@pytest.mark.parametrize(("name", "white"), [("a.pgm", 200), ("a.ppm", 200), ("a.ppm", 1000)])
def test_white_is_white_in_another_format(tmp_path: Path, name: str, white: int, suffix: str) -> None:
    header = f"{'P5' if name.endswith('pgm') else 'P6'} 48 40 {white}\n".encode()
    count = 40 * 48 * (1 if name.endswith("pgm") else 3)
    samples = np.full(count, white, ">u2" if white > 255 else "u1").tobytes()
    (tmp_path / name).write_bytes(header + samples)
    lost, _ = write(tmp_path / f"b{suffix}", read(tmp_path / name))
    assert "becomes" in lost[0]
    back = read(tmp_path / f"b{suffix}")
    known = np.ones(back.shape, np.bool_)
    assert back.scale(known).to_unit(back.pixels).min() > 0.995
    lost, _ = write(tmp_path / f"c{Path(name).suffix}", read(tmp_path / name))
    assert not lost
    assert (tmp_path / f"c{Path(name).suffix}").read_bytes().endswith(samples)


def test_alpha_that_is_opaque_is_no_loss(tmp_path: Path) -> None:
    pixels = np.dstack((noise(3, "uint8"), np.full(noise(3, "uint8").shape[:2], 255, np.uint8)))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert not write(tmp_path / "b.bmp", read(tmp_path / "a.png")).lost
    assert np.array_equal(read(tmp_path / "b.bmp").pixels, pixels[..., :3])
    pixels[0, 0, 3] = 254
    Image.fromarray(pixels).save(tmp_path / "c.png")
    assert "laid on white" in write(tmp_path / "d.bmp", read(tmp_path / "c.png")).lost[0]
