"""`photomend repair`: what comes back, and that a mistake destroys nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .helpers import Shell, holes, picture, pixels, tree


def test_box(shell: Shell, tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.png")
    target = tmp_path / "b.png"
    outcome = shell("repair", tmp_path / "a.png", "--box", "10,20,30,25", "--box", "90,70,10,10", "-o", target)
    assert outcome.status == 0, outcome
    assert str(target) in outcome.out
    mask = np.zeros((80, 100), bool)
    mask[20:45, 10:40] = mask[70:80, 90:100] = True
    result = pixels(target)
    assert np.array_equal(result[~mask], photo[~mask])
    assert np.abs(result.astype(int) - photo)[mask].mean() < 25  # the photo is smooth, and so is the filling


def test_mask_file_and_model(shell: Shell, tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.png")
    mask = holes(tmp_path / "m.png", 80, 100, (30, 30, 20, 20))
    outcome = shell(
        "repair", tmp_path / "a.png", "--mask", tmp_path / "m.png", "-o", tmp_path / "b.tif", "--model", "border"
    )
    assert outcome.status == 0, outcome
    result = pixels(tmp_path / "b.tif")
    assert np.array_equal(result[~mask], photo[~mask])
    assert len(np.unique(result[mask].reshape(-1, 3), axis=0)) == 1  # border fills with one colour


def test_a_folder_pairs_with_a_folder_of_masks(shell: Shell, tmp_path: Path) -> None:
    for name in ("a.png", "sub/a.png", "sub/b.bmp"):
        picture(tmp_path / "photos" / name)
    for name in ("a.bmp", "sub/a.png", "sub/b.png"):
        holes(tmp_path / "masks" / name, 80, 100, (5, 5, 10, 10))
    before = tree(tmp_path / "photos")
    outcome = shell("repair", tmp_path / "photos", "--mask", tmp_path / "masks", "-o", tmp_path / "out")
    assert outcome.status == 0, outcome
    assert sorted(tree(tmp_path / "out")) == ["a.png", "sub/a.png", "sub/b.bmp"]
    assert tree(tmp_path / "photos") == before


def test_a_batch_goes_on_after_bad_photos(shell: Shell, tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    for name in ("good", "lonely", "small", "whole"):
        picture(photos / f"{name}.png")
    (photos / "broken.png").write_bytes((photos / "good.png").read_bytes()[:500])
    for name in ("good", "broken"):
        holes(masks / f"{name}.png", 80, 100, (5, 5, 10, 10))
    holes(masks / "small.png", 40, 40, (5, 5, 10, 10))
    holes(masks / "whole.png", 80, 100, (0, 0, 100, 80))
    outcome = shell("repair", photos, "--mask", masks, "-o", tmp_path / "out")
    assert outcome.status == 1
    assert sorted(tree(tmp_path / "out")) == ["good.png"]
    lines = outcome.err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("photomend: error: ") for line in lines)
    for name, words in {
        "broken": "can't be read",
        "lonely": "no mask named 'lonely'",
        "small": "40×40 pixels, the photo 100×80",
        "whole": "covers the whole photo",
    }.items():
        assert any(name in line and words in line for line in lines), (name, lines)
    assert "1 of 5 photos repaired, 4 not" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["a.png", "-o", "b.png"], 2, "either --mask or --box"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--mask", "m.png"], 2, "either --mask or --box"),
        (["a.png", "-o", "b.png", "--box", "1,1,5"], 2, "'1,1,5' is not four whole numbers"),
        (["a.png", "--box", "1,1,5,5"], 2, "'-o'"),
        (["a.png", "-o", "b.png", "--box", "90,70,11,5"], 1, "a.png: box: 90,70,11,5"),
        (["a.png", "-o", "b.png", "--box", "1,1,0,5"], 1, "a.png: box"),
        (["a.png", "-o", "b.png", "--box", "0,0,100,80"], 1, "a.png: the mask covers the whole photo"),
        (["a.png", "-o", "b.png", "--mask", "none.png"], 1, "none.png"),
        (["a.png", "-o", "b.png", "--mask", "small.png"], 1, "small.png: the mask is 40×40 pixels, the photo 100×80"),
        (["a.png", "-o", "b.png", "--mask", "empty.png"], 1, "empty.png: the mask is empty"),
        (["none.png", "-o", "b.png", "--box", "1,1,5,5"], 1, "none.png"),
        (["broken.png", "-o", "b.png", "--box", "1,1,5,5"], 1, "broken.png: can't be read"),
        (["void", "-o", "b", "--box", "1,1,5,5"], 1, "void: no photos"),
        (["a.png", "-o", "b.xyz", "--box", "1,1,5,5"], 1, "b.xyz: can't write photos as '.xyz'"),
        (["a.png", "-o", "a.png", "--box", "1,1,5,5", "--overwrite"], 1, "a.png: is a photo or mask to read"),
        (["a.png", "-o", "m.png", "--mask", "m.png", "--overwrite"], 1, "m.png: is a photo or mask to read"),
        (["a.png", "-o", ".", "--box", "1,1,5,5", "--overwrite"], 1, "a.png: is a photo or mask to read"),
        (["a.png", "-o", "old.png", "--box", "1,1,5,5"], 1, "old.png: exists already"),
        (["a.png", "old.png", "-o", "m.png", "--box", "1,1,5,5"], 1, "m.png: is a file"),
        (["a.png", "sub/a.png", "-o", "out", "--box", "1,1,5,5"], 1, "would both be written to"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--model", "harmonik"], 1, "did you mean 'harmonic'?"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--model", "attention"], 1, "no weights yet"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--model", "void"], 1, "no checkpoint in this folder"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--model", "a.png"], 1, "a.png: not a checkpoint"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--device", "tpu"], 1, "'tpu'"),
    ],
)
def test_mistakes(
    shell: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "old.png", "sub/a.png"):
        picture(Path(name))
    Path("broken.png").write_bytes(Path("a.png").read_bytes()[:500])
    holes(Path("m.png"), 80, 100, (5, 5, 10, 10))
    holes(Path("small.png"), 40, 40, (5, 5, 10, 10))
    holes(Path("empty.png"))
    Path("void").mkdir()
    before = tree(tmp_path)
    assert words in shell.fails(status, "repair", *arguments)
    assert tree(tmp_path) == before


def test_overwrite(shell: Shell, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", seed=3)
    old = (tmp_path / "b.png").read_bytes()
    outcome = shell("repair", tmp_path / "a.png", "--box", "1,1,5,5", "-o", tmp_path / "b.png", "--overwrite")
    assert outcome.status == 0, outcome
    assert (tmp_path / "b.png").read_bytes() != old


def test_a_jpeg_comes_back_as_one(shell: Shell, tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg")
    outcome = shell("repair", tmp_path / "a.jpg", "--box", "40,40,8,8", "-o", tmp_path / "b.jpg")
    assert outcome.status == 0, outcome
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.format == "JPEG"
    known = np.ones((80, 100), bool)
    known[32:56, 32:56] = False  # the blocks of 8 that the hole touches, and their neighbours
    assert np.abs(pixels(tmp_path / "b.jpg").astype(int) - photo)[known].max() <= 6
