"""`photomend draw`: pictures of networks, and what is refused."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from photomend import models
from photomend.app import reconstructors
from photomend.app.report.architecture import INPUT, Part, trace
from photomend.app.report.drawing import arrange
from photomend.models.weights import Checkpoint, save_checkpoint
from PIL import Image

from .helpers import Shell, tree

FOLDER = reconstructors.WEIGHTS_FOLDER
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    network = models.build("attention", width=8, dilations=[1], window=32)
    save_checkpoint(tmp_path / "own.safetensors", Checkpoint("attention", network.state_dict(), network.config))
    return tmp_path / "own.safetensors"


def test_an_svg_shows_the_shapes_for_a_size(shell: Shell, weights: Path, tmp_path: Path) -> None:
    assert shell("draw", weights, "-o", tmp_path / "a.svg", "--size", "48x80").status == 0
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "encoder4" in texts
    assert "16 × 12 × 20" in texts  # a quarter of the size
    [style] = [style.text or "" for style in root.iter(f"{SVG}style")]
    assert "prefers-color-scheme: dark" in style
    assert "var(" not in style


def test_a_png_is_the_same_picture(shell: Shell, weights: Path, tmp_path: Path) -> None:
    outcome = shell("draw", weights, "-o", tmp_path / "a.png")
    assert outcome.out.startswith(f"{tmp_path / 'a.png'}  12 parts, ")
    shell("draw", weights, "-o", tmp_path / "a.svg")
    box = ElementTree.parse(tmp_path / "a.svg").getroot().attrib["viewBox"]
    picture = Image.open(tmp_path / "a.png").convert("RGB")
    assert picture.size == pytest.approx([2 * float(n) for n in box.split()[2:]], abs=2)
    assert len(picture.getcolors(2**16) or ()) > 8
    assert picture.getpixel((0, 0)) == (253, 253, 252)


def test_what_is_refused_and_leaves_everything_as_it_was(shell: Shell, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "here.svg").write_text("mine")
    before = tree(tmp_path)
    for model, arguments, status, words in (
        (weights, ("here.svg",), 1, "here.svg: exists already; --overwrite replaces it"),
        (weights, ("new.jpg",), 1, "new.jpg: the name of this file must end in .svg or .png"),
        (weights, ("new.svg", "--size", "50x48"), 1, "--size 50x48: height and width must be divisible by 8"),
        (weights, ("new.svg", "--size", "50"), 2, "'50' is not two whole numbers HxW"),
        (weights, ("new.svg", "--size", "8x9999"), 2, "height and width must be from 8 to 2048 pixels"),
        ("telea", ("new.svg",), 1, "is a classical fill"),
        ("atention", ("new.svg",), 1, "did you mean 'attention'"),
    ):
        assert words in shell.fails(status, "draw", str(model), "-o", tmp_path / arguments[0], *arguments[1:])
    assert tree(tmp_path) == before
    assert shell("draw", weights, "-o", tmp_path / "here.svg", "--overwrite").status == 0


def test_boxes_stand_apart_and_after_their_sources() -> None:
    for name, config in (("attention", {"width": 8}), ("attention-report", {"width": 16}), ("cnn", {"width": 2})):
        parts = trace(models.build(name, **config))
        boxes = arrange([Part(INPUT, [], parts[-1].shape, 0, []), *parts])
        assert len({(box.column, box.row) for box in boxes.values()}) == len(boxes)
        for part in parts:
            for source in (boxes[source] for source in part.sources):
                assert source.column < boxes[part.name].column or source.row != boxes[part.name].row
        assert max(box.left + box.width for box in boxes.values()) < 900  # as wide as a page of text


@pytest.mark.slow  # the shipped network
def test_the_readme_shows_the_network_as_it_is(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, `make docs-tables` mends it."""
    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", FOLDER)
    reconstructors.shipped.cache_clear()
    assert shell("draw", "attention", "-o", tmp_path / "a.svg").status == 0
    shown = FOLDER.parent / "docs" / "images" / "architecture.svg"
    assert (tmp_path / "a.svg").read_text("utf-8") == shown.read_text("utf-8")
