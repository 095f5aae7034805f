"""`photomend evaluate`: the table, the JSON, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from photomend import models
from photomend.models.weights import Checkpoint, save_checkpoint
from PIL import Image

from .helpers import Shell, picture, tree

pytestmark = pytest.mark.slow  # whole commands

#: What every row has, whatever else it has.
KEYS = {"model", "photos", "mse", "mse_ci", "mae", "mae_ci", "hole_mse", "hole_mae", "hole_psnr", "ssim"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(4):
        picture(tmp_path / "photos" / "cat" / f"{number}.png", seed=number)
    return tmp_path / "photos"


def test_table_and_json(shell: Shell, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "table.json"
    arguments = ("evaluate", "--photos", photos, "--split", "all", "--models", "random, border,harmonic")
    outcome = shell(*arguments, "--json", target)
    assert outcome.status == 0, outcome
    rows = json.loads(target.read_text())
    assert [row["model"] for row in rows] == ["random", "border", "harmonic"]
    assert all(row.keys() >= KEYS and row["photos"] == 4 for row in rows)
    random, border, harmonic = rows
    assert harmonic["mse"] < border["mse"] < random["mse"]
    assert all(row["mse_ci"] == [None, None] for row in rows)  # of four photos
    assert "fewer than 10 photos have no interval" in outcome.out
    assert f"{harmonic['mse']:.2f}" in outcome.out
    first = target.read_bytes()
    assert shell(*arguments, "--json", target).out == outcome.out  # the same seed, the same numbers
    assert target.read_bytes() == first
    shell(*arguments, "--json", target, "--seed", "1")
    assert target.read_bytes() != first


def test_from_eight_sides(shell: Shell, photos: Path, tmp_path: Path) -> None:
    """The same as weights that say so themselves; the harmonic fill has no sides."""
    torch.manual_seed(0)
    arguments = ("evaluate", "--photos", photos, "--split", "all")
    for views in (1, 8):
        network = models.build("attention", width=8, dilations=[1], window=64, views=views)
        for parameter in network.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) / 10)
        save_checkpoint(
            tmp_path / f"{views}.safetensors", Checkpoint("attention", network.state_dict(), network.config)
        )
    found = []
    for views, more in ((1, ()), (1, ("--views", "8")), (8, ()), (8, ("--views", "1"))):
        names = f"harmonic,{tmp_path / f'{views}.safetensors'}"
        outcome = shell(*arguments, "--models", names, "--json", tmp_path / "table.json", *more)
        assert outcome.status == 0, outcome
        found.append([row["mse"] for row in json.loads((tmp_path / "table.json").read_text())])
    assert found[0] == found[3]
    assert found[1] == found[2]
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


def test_csv_and_markdown(shell: Shell, photos: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", "--photos", photos, "--split", "all", "--models", "border,harmonic")
    outcome = shell(*arguments, "--csv", tmp_path / "t.csv", "--markdown", tmp_path / "t.md")
    assert outcome.status == 0, outcome
    assert (tmp_path / "t.csv").read_text().startswith("model,by,group,photos,mse,")
    assert (tmp_path / "t.md").read_text().startswith("| model | photos |")


def test_a_class_whose_name_is_not_utf8(shell: Shell, photos: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(photos) + b"/\xff"))
    picture(odd / os.fsdecode(b"\xfe.png"), seed=9)
    files = {option: tmp_path / f"t.{option}" for option in ("csv", "json", "md", "html")}
    options = ("--csv", files["csv"], "--json", files["json"], "--markdown", files["md"], "--report", files["html"])
    outcome = shell("evaluate", "--photos", photos, "--split", "all", "--models", "border", *options)
    assert outcome.status == 0, outcome
    assert "\\udcff" in outcome.out
    for file in files.values():
        assert "\\udcff" in file.read_text(encoding="utf-8")


def test_unreadable_photos_are_named_skipped_and_counted(shell: Shell, photos: Path) -> None:
    (photos / "cat" / "2.png").write_bytes((photos / "cat" / "2.png").read_bytes()[:700])
    outcome = shell("evaluate", "--photos", photos, "--split", "all", "--models", "border")
    assert outcome.status == 0, outcome
    assert outcome.err.startswith("photomend: warning: skipped ")
    assert "2.png" in outcome.err
    assert outcome.err.count("\n") == 1
    assert "1 of 4 photos could not be read" in outcome.out


@pytest.mark.filterwarnings("ignore::photomend.data.photos.SkippedPhotoWarning")
def test_nothing_readable(shell: Shell, photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_bytes(b"no photo")
    outcome = shell("evaluate", "--photos", photos, "--split", "all", "--models", "border")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("photomend: error: ")
    assert "none of the 4 photos can be read" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--photos", "photos", "--data", "x", "--models", "harmonic"], 2, "either --photos or --data"),
        (["--photos", "photos", "--models", " ,"], 2, "names no model"),
        (["--photos", "photos", "--models", "harmonic,bordr"], 1, "did you mean 'border'?"),
        (["--photos", "photos", "--models", "attention"], 1, "no weights yet"),
        (["--photos", "nowhere", "--models", "harmonic"], 1, "nowhere: no such folder"),
        (["--photos", "void", "--models", "harmonic"], 1, "void: no photos"),
        (["--photos", "photos", "--models", "harmonic", "--split", "tset"], 2, "'tset'"),
        (["--photos", "photos", "--models", "harmonic", "--split", "validation"], 1, "the validation split"),
        (["--data", "void", "--models", "harmonic"], 1, "void: not a prepared dataset"),
        (["--photos", "photos", "--models", "harmonic", "--json", "no/t.json"], 1, "no/t.json: there is no folder"),
        (
            ["--photos", "photos", "--models", "harmonic", "--csv", "t.json"],
            1,
            "t.json: the name of this file must end",
        ),
        (["--photos", "photos", "--models", "harmonic", "--markdown", "void"], 1, "must end in .md"),
    ],
)
def test_mistakes(
    shell: Shell,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("void").mkdir()
    before = tree(tmp_path)
    assert words in shell.fails(status, "evaluate", *arguments)
    assert tree(tmp_path) == before


def test_prepared_data_gives_the_same_numbers(shell: Shell, tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "photos" / f"{number}.png", 240, 230, seed=number)
    outcome = shell("prepare", "--source", f"folder:{tmp_path / 'photos'}", "--out", tmp_path / "set", "--seed", "3")
    assert outcome.status == 0, outcome
    models = ("--models", "border", "--json", tmp_path / "t.json")
    tables = []
    for where in (("--data", tmp_path / "set"), ("--photos", tmp_path / "photos", "--seed", "3")):
        outcome = shell("evaluate", *where, *models)
        assert outcome.status == 0, outcome
        tables.append((tmp_path / "t.json").read_text())
    assert tables[0] == tables[1]


def test_without_photos_the_samples_and_a_picture_of_them(shell: Shell, tmp_path: Path) -> None:
    outcome = shell("evaluate", "--models", "border,harmonic", "--figure", tmp_path / "samples.png")
    assert outcome.status == 0, outcome
    assert str(tmp_path / "samples.png") in outcome.out
    with Image.open(tmp_path / "samples.png") as image:
        assert image.width > image.height  # five columns, three rows
