"""Whole files or none, and the answer to a misspelt name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from photomend.core import did_you_mean, replacing


def test_a_new_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    with replacing(path) as draft:
        assert draft.parent == tmp_path
        assert draft.name.startswith(".")
        assert not draft.exists()
        draft.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(tmp_path) == ["new.txt"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_all_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")

    def half() -> None:
        with replacing(path) as draft:
            draft.write_text("half")
            raise error

    with pytest.raises(error):
        half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["old.txt"]


def test_a_draft_that_cannot_take_the_name_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"), replacing(folder) as draft:
        draft.write_text("new")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "never.txt"):
        pass


def test_drafts_do_not_meet(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"


@pytest.mark.parametrize(
    ("word", "known", "answer"),
    [
        ("harmonik", ["border", "harmonic"], "did you mean 'harmonic'?"),
        ("xyz", ("border", "harmonic"), "there are border, harmonic"),
        ("bordr", {"border": 1, "linear": 2}, "did you mean 'border'?"),
        ("xyz", ["border", "linear", "border"], "there are border, linear"),
        ("xyz", (), "there are none"),
    ],
)
def test_the_nearest_name(word: str, known, answer: str) -> None:
    assert did_you_mean(word, known) == answer
