"""`photomend repair`: what comes back, and that a mistake destroys nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

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
        (["a.png", "-o", "b.png"], 2, "say what is missing: --mask, --box, "),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--invert"], 2, "--invert turns a mask around"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--threshold", "9"], 2, "--threshold is for --mask"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--auto-tolerance", "9"], 2, "is for --auto-colour"),
        (["a.png", "-o", "b.png", "--mask", "m.png", "--threshold", "0"], 2, "0 is not in the range 1<=x<=255"),
        (["a.png", "-o", "b.png", "--mask", "m.png", "--grow", "-1"], 2, "-1 is not in the range x>=0"),
        (["a.png", "-o", "b.png", "--mask", "m.png", "--feather", "x"], 2, "'x' is not a valid integer"),
        (["a.png", "-o", "b.png", "--auto-colour", "blackk"], 2, "colour 'blackk' is no name, #rrggbb or r,g,b"),
        (["a.png", "-o", "b.png", "--auto-colour", "#010203"], 1, "a.png: no pixel has the colour 1,2,3"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,5", "--auto-certainty", "0.5"], 2, "--auto-certainty is for --auto"),
        (["a.png", "-o", "b.png", "--auto", "--auto-certainty", "1"], 2, "1.0 is not in the range 0<x<1"),
        (["a.png", "-o", "b.png", "--mask-from-alpha"], 1, "a.png: nothing of it is transparent"),
        (["a.png", "-o", "b.png", "--mask", "m.png", "--grow", "200"], 1, "the mask covers the whole photo"),
        (
            ["a.png", "-o", "b.png", "--mask", "m.png", "--feather", "200"],
            1,
            "feather (=200) reaches every known pixel",
        ),
        (["a.png", "-o", "b.png", "--box", "1,1,5"], 2, "'1,1,5' is not four whole numbers"),
        (["a.png", "--box", "1,1,5,5"], 2, "'-o'"),
        (["a.png", "-o", "b.png", "--box", "90,70,11,5"], 1, "a.png: box: 90,70,11,5"),
        (["a.png", "-o", "b.png", "--box", "1,1,0,5"], 1, "a.png: box: 1,1,0,5 (x,y,width,height) has no pixels"),
        (["a.png", "-o", "b.png", "--box", "1,1,5,-5"], 1, "has no pixels"),
        (["", "-o", "b.png", "--box", "1,1,5,5"], 2, "'PHOTO...': the name is empty"),
        (["a.png", "-o", "", "--box", "1,1,5,5"], 2, "'-o' / '--output': the name is empty"),
        (["a.png", "-o", "b.png", "--mask", ""], 2, "'--mask': the name is empty"),
        (["a.png", "-o", "b.png", "--mask", "a.png"], 1, "a.png with the mask a.png: the mask is the photo itself"),
        (["a.png", "-o", "b.png", "--mask", "sub/../a.png"], 1, "the mask is the photo itself"),
        (["a.png", "-o", "b.png", "--mask", "black.png"], 1, "what is painted on it is black, which means known"),
        (["a.png", "-o", "b.png", "--mask", "broken.png"], 1, "broken.png: can't be read as a mask (it is damaged, or"),
        (["a.png", "-o", "out", "--mask", "void"], 1, "void: no masks in this folder"),
        (["a.png", "old.png", "-o", "new.png", "--box", "1,1,5,5"], 1, "new.png: is named like a photo"),
        (["sub", "-o", "new.png", "--box", "1,1,5,5"], 1, "new.png: is named like a photo"),
        (["a.png", "-o", "noend", "--box", "1,1,5,5"], 1, "noend: the name's end doesn't say which format"),
        (["a.png", "-o", "b.png", "--box", "0,0,100,80"], 1, "a.png: the mask covers the whole photo"),
        (["a.png", "-o", "b.png", "--mask", "none.png"], 1, "none.png: can't be read as a mask (No such file"),
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
    Image.new("L", (100, 80), 90).save("even.png")
    black = np.zeros((80, 100, 4), np.uint8)
    black[5:20, 5:20, 3] = 255
    Image.fromarray(black).save("black.png")
    Path("void").mkdir()
    before = tree(tmp_path)
    assert words in shell.fails(status, "repair", *arguments)
    assert tree(tmp_path) == before


def test_every_way_to_say_what_is_missing(shell: Shell, tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.png").copy()
    missing = holes(tmp_path / "m.png", 80, 100, (30, 30, 20, 20))
    Image.fromarray(~missing).save(tmp_path / "inverted.png")
    alpha = np.full((80, 100, 1), 255, np.uint8)
    alpha[50:60, 70:80] = 0
    photo[5:9, 5:9] = 255, 0, 255
    Image.fromarray(np.concatenate((photo, alpha), axis=2)).save(tmp_path / "a.png")
    options = ["--mask", "inverted.png", "--invert", "--box", "0,70,10,10", "--mask-from-alpha", "--grow", "1"]
    paths = [str(tmp_path / option) if option.endswith(".png") else option for option in options]
    more = ["--auto-colour", "#ff00ff", "--feather", "2", "--model", "harmonic"]
    outcome = shell("repair", tmp_path / "a.png", *paths, *more, "-o", tmp_path / "b.png")
    assert (outcome.status, outcome.err) == (0, "")
    missing[70:80, :10] = missing[50:60, 70:80] = missing[5:9, 5:9] = True
    far = ndimage.distance_transform_edt(~missing)
    assert f"b.png  {(far <= 1).sum()} pixels rebuilt" in outcome.out
    result = np.asarray(Image.open(tmp_path / "b.png"))
    assert np.array_equal(result[far > 3][:, :3], photo[far > 3])
    assert (result[(far > 1) & (far <= 3)][:, :3] != photo[(far > 1) & (far <= 3)]).any()
    assert (result[..., 3] == 255).all()


def test_damage_is_found_looked_at_and_repaired(shell: Shell, tmp_path: Path) -> None:
    y, x = np.mgrid[0:80, 0:300]
    photo = np.stack((90 + y // 2, 100 + x // 5, 60 + y // 3), axis=2).astype(np.uint8)
    damage = (x - 50) ** 2 + (y - 40) ** 2 < 9
    damage[60:70, 200:240] = True
    scan = photo.copy()
    scan[(x - 50) ** 2 + (y - 40) ** 2 < 9] = 250
    scan[60:70, 200:240] = 0
    Image.fromarray(scan).save(tmp_path / "scan.tif")
    shown, repaired = tmp_path / "damage.png", tmp_path / "repaired.tif"
    outcome = shell("repair", tmp_path / "scan.tif", "--auto", "--dry-run", "-o", shown, "--model", "harmonic")
    assert outcome.status == 0, outcome
    found = np.asarray(Image.open(shown))
    assert found[damage].all()
    assert not found[ndimage.distance_transform_edt(~damage) > 3].any()
    assert not repaired.exists()
    outcome = shell("repair", tmp_path / "scan.tif", "--mask", shown, "-o", repaired, "--model", "harmonic")
    assert outcome.status == 0, outcome
    outcome = shell("repair", tmp_path / "scan.tif", "--auto", "-o", tmp_path / "auto.tif", "--model", "harmonic")
    assert outcome.status == 0, outcome
    assert np.array_equal(pixels(repaired), pixels(tmp_path / "auto.tif"))
    assert np.abs(pixels(repaired).astype(int) - photo).max() <= 4


def test_an_inverted_mask_is_questioned(shell: Shell, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    holes(tmp_path / "m.png", 80, 100, (0, 0, 100, 60))
    outcome = shell(
        "repair", tmp_path / "a.png", "--mask", tmp_path / "m.png", "-o", tmp_path / "b.png", "--model", "border"
    )
    assert outcome.status == 0
    assert "a.png: 75 % of the photo is missing; is white what is known? Then --invert" in outcome.err


def test_masks_without_photos_are_counted(shell: Shell, tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "a.png")
    for name in ("a", "b", "c"):
        holes(tmp_path / "masks" / f"{name}_mask.png", 80, 100, (5, 5, 10, 10))
    outcome = shell(
        "repair", tmp_path / "photos", "--mask", tmp_path / "masks", "-o", tmp_path / "out", "--model", "border"
    )
    assert outcome.status == 0
    assert outcome.err.startswith("photomend: 2 masks are without a photo: ")
    assert all(f"{name}_mask.png" in outcome.err for name in "bc")


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
