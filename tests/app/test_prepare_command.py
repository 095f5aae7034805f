"""`photomend prepare`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from photomend.data.photos import decode_photo
from photomend.data.preparation.hub import HubDataset
from photomend.data.prepared import PreparedSource, read_provenance
from photomend.data.sources import SPLITS, FolderSource
from PIL import Image

from .helpers import Shell, picture, tree

pytestmark = pytest.mark.slow  # whole commands


def test_folder(shell: Shell, tmp_path: Path) -> None:
    for number in range(5):
        picture(tmp_path / "photos" / f"{number}.png", seed=number)
    (tmp_path / "photos" / "bad.png").write_bytes(b"no photo")
    outcome = shell("prepare", "--source", f"folder:{tmp_path / 'photos'}", "--out", tmp_path / "set", "--side", "64")
    assert outcome.status == 0, outcome
    assert "bad.png" in outcome.err
    assert "1 of 6 photos could not be read" in outcome.out
    assert (tmp_path / "set" / "provenance.json").is_file()


@pytest.mark.parametrize(
    ("source", "out", "status", "words"),
    [
        ("photos", "set", 2, "neither samples nor folder:DIR"),
        ("folder:", "set", 2, "neither samples nor folder:DIR"),
        ("folder:nowhere", "set", 1, "nowhere: no such folder"),
        ("folder:photos", "photos", 1, "photos: already exists"),
        ("pairs:photos", "set", 1, "photos/a.png: its other half, a_masked.png, is missing"),
        ("hub:nowhere", "set", 1, "neither OWNER/NAME on the hub, nor a folder, nor a preset"),
        ("hub:", "set", 2, "hub:NAME"),
    ],
)
def test_mistakes(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, out: str, status: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path("photos/a.png"))
    before = tree(tmp_path)
    assert words in shell.fails(status, "prepare", "--source", source, "--out", out)
    assert tree(tmp_path) == before


def test_pairs(shell: Shell, tmp_path: Path) -> None:
    for number in range(3):
        photo = picture(tmp_path / "pairs" / f"{number}.png", seed=number).copy()
        photo[10:50, 20:60] = 0
        Image.fromarray(photo).save(tmp_path / "pairs" / f"{number}_masked.png")
    outcome = shell("prepare", "--source", f"pairs:{tmp_path / 'pairs'}", "--out", tmp_path / "set", "--side", "100")
    assert outcome.status == 0, outcome
    assert read_provenance(tmp_path / "set")["source"] == "pairs:pairs"
    stored = [PreparedSource(tmp_path / "set", split) for split in SPLITS]
    holes = [part.box(index) for part in stored for index in range(len(part))]
    assert holes == [(20, 12, 40, 51)] * 3  # the rows 10…49 of 80 as those of 100


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A folder as the hub keeps datasets."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    for number in range(8):
        picture(tmp_path / f"{number}.png", seed=number)
    images = [{"bytes": (tmp_path / f"{number}.png").read_bytes(), "path": f"{number}.png"} for number in range(8)]
    table = datasets.Dataset.from_dict({"image": images, "label": [0, 1] * 4}, features)
    (tmp_path / "parquet").mkdir()
    table.to_parquet(tmp_path / "parquet" / "train.parquet")
    return tmp_path / "parquet"


def test_hub_in_a_folder(shell: Shell, tmp_path: Path, parquet: Path) -> None:
    arguments = ("prepare", "--source", f"hub:{parquet}", "--side", "64", "--out")
    outcome = shell(*arguments, tmp_path / "dogs", "--classes", "Dog", "--limit", "3")
    assert outcome.status == 0, outcome
    provenance = read_provenance(tmp_path / "dogs")
    assert (provenance["source"], provenance["classes"], provenance["limit"]) == ("hub:parquet", ["dog"], 3)
    assert sum(classes.get("dog", 0) for classes in provenance["counts"].values()) == 3
    assert "no photos of a class 'dgo'; the nearest is 'dog'" in shell.fails(
        1, *arguments, tmp_path / "set", "--classes", "cat,dgo"
    )
    (parquet / "train.parquet").write_bytes(b"PAR1" * 99)
    assert "parquet: can't be read" in shell.fails(1, *arguments, tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("option", ["--classes", "--limit"])
def test_options_of_hubs(shell: Shell, tmp_path: Path, option: str) -> None:
    arguments = ("prepare", "--source", "samples", "--out", tmp_path / "set", option, "1")
    assert f"{option} is for --source hub:NAME" in shell.fails(2, *arguments)


@pytest.mark.parametrize("classes", ["", " , "])
def test_no_class_is_not_all_classes(shell: Shell, tmp_path: Path, parquet: Path, classes: str) -> None:
    arguments = ("prepare", "--source", f"hub:{parquet}", "--out", tmp_path / "set", "--classes", classes)
    assert f"--classes {classes!r} names no class" in shell.fails(2, *arguments)


def test_goes_on_with_the_revision_it_was_begun_with(
    shell: Shell, tmp_path: Path, parquet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", 2)
    monkeypatch.setattr("photomend.app.commands.prepare.HubDataset", OneThatMoves)
    monkeypatch.setattr(OneThatMoves, "folder", parquet)
    command = ("prepare", "--source", "hub:owner/name", "--out", tmp_path / "set", "--side", "64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("photomend.data.preparation.hub_stream.decode_photo", raising_after(5))
        assert shell(*command).status == 130
    monkeypatch.setattr(OneThatMoves, "newest", "newer")
    outcome = shell(*command)
    assert outcome.status == 0, outcome
    assert outcome.out.startswith("went on after 4 photos\n")
    assert read_provenance(tmp_path / "set")["revision"] == "older"
    outcome = shell(*command[:-3], tmp_path / "other", "--side", "64")
    assert read_provenance(tmp_path / "other")["revision"] == "newer"


class OneThatMoves(HubDataset):
    """A dataset whose newest revision becomes another."""

    folder = Path()
    newest = "older"

    def __init__(self, name: str, token_env: str, revision: str | None = None) -> None:
        super().__init__(str(self.folder), token_env)
        self.label = f"hub:{name}"
        self.revision = self.digest = revision or self.newest


def raising_after(photos: int) -> Callable[..., np.ndarray]:
    """decode_photo, with Ctrl-C after so many photos."""
    left = iter(range(photos))

    def decode(data: bytes, name: str) -> np.ndarray:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return decode_photo(data, name)

    return decode


def test_goes_on_and_starts_over(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", 2)
    for number in range(7):
        picture(tmp_path / "photos" / f"{number}.png", seed=number)
    out = tmp_path / "set"
    command = ("prepare", "--source", f"folder:{tmp_path / 'photos'}", "--out", out, "--side", "64")
    read, left = FolderSource.read, iter(range(5))

    def interrupted(source: FolderSource, index: int, least: int | None = None) -> np.ndarray:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return read(source, index, least)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FolderSource, "read", interrupted)
        assert shell(*command).status == 130
    before = tree(tmp_path)
    line = shell.fails(1, *command, "--seed", "4")
    assert ".set.partial: an unfinished data set was begun with seed 0, now 4; ask for the same to go on" in line
    assert tree(tmp_path) == before
    outcome = shell(*command)
    assert outcome.status == 0, outcome
    assert outcome.out.startswith("went on after 4 photos\n")
    rows = tree(out)
    shutil.rmtree(out)
    left = iter(range(5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FolderSource, "read", interrupted)
        assert shell(*command, "--seed", "4").status == 130
    outcome = shell(*command, "--restart")
    assert "went on" not in outcome.out
    assert tree(out) == rows
