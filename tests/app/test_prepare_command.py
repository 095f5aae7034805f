"""`photomend prepare`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import Shell, picture, tree


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
