"""`photomend inspect`: the page, what stands in it, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from photomend import models
from photomend.app.batch import bar
from photomend.app.commands.inspect import command
from photomend.app.photo.canvas import RGBCanvas
from photomend.app.repair import Repairer
from photomend.app.report.inside import look_inside
from photomend.app.report.inside_images import bars, channel_grid, difference, number_strip, strongest
from photomend.models.calibration import Calibration
from photomend.models.holes import find_holes
from photomend.models.weights import Checkpoint, save_checkpoint

from .batch.test_bar import Terminal
from .helpers import Shell, holes, picture, tree
from .pages import Page, without_pictures

CALIBRATION = Calibration((1.0, 0.1, 0.2, 0.3), 1.1, 0.5, 1.9)


def network(name: str = "attention") -> models.RepairNetwork:
    """A small network that adds something to its first guess."""
    config = {"width": 8, "dilations": [1], "window": 48} if name == "attention" else {}
    made: models.RepairNetwork = models.build(name, **config)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    return made.eval()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    made = network()
    calibration = CALIBRATION.to_dict()
    checkpoint = Checkpoint("attention", made.state_dict(), made.config, calibration=calibration)
    save_checkpoint(tmp_path / "own.safetensors", checkpoint)
    return tmp_path / "own.safetensors"


def test_a_page_with_everything_of_two_holes(shell: Shell, weights: Path, tmp_path: Path) -> None:
    picture(tmp_path / "photo <1>.png", 140, 180)
    holes(tmp_path / "mask.png", 140, 180, (20, 20, 24, 20), (90, 30, 80, 70), (0, 130, 60, 1))
    before = (tmp_path / "photo <1>.png").read_bytes()
    given = ("inspect", tmp_path / "photo <1>.png", "--mask", tmp_path / "mask.png", "--model", weights)
    outcome = shell(*given, "-o", tmp_path / "page.html", "--holes", "3")
    assert outcome == (0, f"{tmp_path / 'page.html'}  3 of 3 holes\n", ""), outcome
    assert (tmp_path / "photo <1>.png").read_bytes() == before
    html = (tmp_path / "page.html").read_text("utf-8")
    page = Page(html)
    assert "http" not in without_pictures(html)
    assert page.text["h1"] == ["photo <1>.png"]
    assert page.text["h2"] == [
        "Hole 1: 80 × 70 pixels at 90, 30", "Hole 2: 24 × 20 pixels at 20, 20", "Hole 3: 60 × 1 pixels at 0, 130"
    ]  # fmt: skip
    assert "first about all of it at a lower resolution" in html
    assert "A scratch: repair leaves it to the biharmonic fill" in html
    assert html.count("From what surrounds this hole") == 1
    captions = page.text["figcaption"]
    for start in ("harmonic, the first guess", "its answer", "stem: 8 channels", "decoder2: 8 channels", "skip2: 0."):
        assert len([words for words in captions if words.startswith(start)]) == 2, start
    assert len(page.all("svg", **{"class": "bars"})) == 2 * 5
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in page.all("img"))


def test_a_bar_counts_holes_and_steps(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "photo.png")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(bar, "DELAY", 0)
    given = ["--box", "5,5,20,20", "--box", "50,40,20,20", "--model", str(weights), "-o", str(tmp_path / "page.html")]
    command.main([str(tmp_path / "photo.png"), *given], standalone_mode=False)
    assert "hole 1/2, step 1/2" in terminal.getvalue()
    assert "hole 2/2" in terminal.getvalue()


def test_a_network_without_attention_shows_what_it_has(shell: Shell, tmp_path: Path) -> None:
    picture(tmp_path / "photo.png")
    made = network("linear")
    save_checkpoint(tmp_path / "linear.safetensors", Checkpoint("linear", made.state_dict(), made.config))
    given = ("inspect", tmp_path / "photo.png", "--box", "30,20,20,20", "--model", tmp_path / "linear.safetensors")
    assert shell(*given, "-o", tmp_path / "page.html").status == 0
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "regression: 12 numbers" in html
    assert "answer − harmonic fill" in html
    for words in ("Gates of channels", "Where it looks", "likely to be off"):
        assert words not in html


def test_what_is_shown_is_what_repair_did(tmp_path: Path) -> None:
    photo = picture(tmp_path / "photo.png", 100, 120)
    mask = np.zeros((100, 120), np.bool_)
    mask[30:50, 40:70] = mask[80:95, 5:25] = True
    made = network()
    pixels = photo.copy()
    found = find_holes(mask, made.trained_hole)
    [inside] = look_inside(made, CALIBRATION, RGBCanvas(pixels), mask, found[:1])
    expected = Repairer(made).repair(photo, mask)
    assert (pixels[30:50, 40:70] == expected[30:50, 40:70]).all()
    assert (pixels[80:95, 5:25] == photo[80:95, 5:25]).all()  # another hole, not looked into
    assert inside.questions == 1
    assert inside.window is not None
    assert inside.window_missing is not None
    seen = made.prepare(inside.window[None], inside.window_missing[None])
    torch.testing.assert_close(inside.guess, seen[0][0])
    torch.testing.assert_close(made.predict(*seen).data[0].clamp(0, 1), inside.answer)
    at2 = made.encoder2(made.stem(seen[2]))  # type: ignore[attr-defined]
    torch.testing.assert_close(made.skip2.weights(at2).data[0, 0], inside.places["skip2"])  # type: ignore[attr-defined]
    assert next(iter(inside.channels)) == "encoder2.body.4"
    assert inside.expected is not None
    change = inside.change()
    assert change.abs().max() > 0.1
    assert not change[inside.window_missing[0] == 0].any()


def test_pictures_of_numbers() -> None:
    values = torch.zeros(20, 4, 8)
    values[7], values[3, 1, 2] = 2.0, 9.0
    assert strongest(values)[:2] == [7, 3]
    grid = channel_grid(values, "stem")
    assert (grid.width, grid.height) == (6 * 98 - 2, 2 * 50 - 2)
    assert grid.alt.startswith("channels 7, 3, ")
    assert number_strip(torch.tensor([1.0, -1.0]), "ring").width == 2
    assert difference(torch.zeros(3, 3), 1.0, "nothing").alt == "nothing"
    assert "2 gates from 0.95 down to 0.05" in bars(torch.tensor([0.05, 0.95]))


def test_what_is_refused_and_leaves_everything_as_it_was(shell: Shell, weights: Path, tmp_path: Path) -> None:
    picture(tmp_path / "photo.png")
    holes(tmp_path / "other.png", 20, 30, (2, 2, 5, 5))
    (tmp_path / "here.html").write_text("mine")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    before = tree(tmp_path)
    box, photo = ("--box", "30,20,20,20"), "photo.png"
    for name, given, model, output, status, words in (
        (photo, box, weights, "here.html", 1, "here.html: exists already; --overwrite replaces it"),
        (photo, box, weights, "new.png", 1, "new.png: the name of this file must end in .html"),
        (photo, box, "harmonic", "new.html", 1, "'harmonic' is a classical fill"),
        (photo, box, tmp_path / "no", "new.html", 1, "no model, run folder or weights file"),
        (photo, (), weights, "new.html", 2, "say what is missing"),
        (photo, ("--box", "90,70,20,20"), weights, "new.html", 1, "photo.png: "),
        (photo, ("--mask", tmp_path / "other.png"), weights, "new.html", 1, "the mask is 30×20 pixels"),
        (photo, (*box, "--feather", "3"), weights, "new.html", 2, "--feather blends a repair"),
        (photo, (*box, "--holes", "0"), weights, "new.html", 2, "--holes"),
        ("broken.png", box, weights, "new.html", 1, "broken.png"),
        ("gone.png", box, weights, "new.html", 1, "gone.png"),
    ):
        line = shell.fails(status, "inspect", tmp_path / name, *given, "--model", model, "-o", tmp_path / output)
        assert words in line
    assert tree(tmp_path) == before
