"""A release is made only of a commit that says everywhere which release it is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from photomend.release.error import ReleaseError
from photomend.release.state import checked, newest_in_changelog

FILES = {
    "pyproject.toml": '[project]\nversion = "1.2.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-31\n\n- new\n\n## [1.1.0] - 2025-01-31\n",
    "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.0\ndate-released: 2026-01-31\n",
}


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path, **changed: str) -> None:
    for name, text in (FILES | changed).items():
        (root / name).write_text(text, encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    return tmp_path


def test_a_tagged_commit_of_one_version_is_a_release(repository: Path) -> None:
    commit(repository)
    git(repository, "tag", "v1.2.0")
    release = checked(repository)
    assert release.version == "1.2.0"
    assert release.epoch > 1_700_000_000


def test_a_commit_without_its_tag_is_none(repository: Path) -> None:
    commit(repository)
    git(repository, "tag", "v1.2.1")
    with pytest.raises(ReleaseError, match=r"no tag v1\.2\.0"):
        checked(repository)


def test_what_is_not_committed_is_none(repository: Path) -> None:
    commit(repository)
    git(repository, "tag", "v1.2.0")
    (repository / "stray.py").touch()
    with pytest.raises(ReleaseError, match=r"1 files aren't committed, stray\.py among them"):
        checked(repository)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("pyproject.toml", '[project]\nversion = "1.3.0"\n', "CHANGELOG.md says 1.2.0, pyproject.toml 1.3.0"),
        (
            "CITATION.cff",
            "version: 1.1.0\ndate-released: 2026-01-31\n",
            "CITATION.cff says 1.1.0, pyproject.toml 1.2.0",
        ),
        ("CITATION.cff", "version: 1.2.0\ndate-released: 2026-02-01\n", "CITATION.cff says 2026-02-01, CHANGELOG.md"),
        ("CITATION.cff", "version: 1.2.0\n", "CITATION.cff says None, CHANGELOG.md 2026-01-31"),
    ],
)
def test_files_that_disagree_are_named(repository: Path, file: str, text: str, message: str) -> None:
    commit(repository, **{file: text})
    git(repository, "tag", "v1.2.0")
    with pytest.raises(ReleaseError, match=re.escape(message)):
        checked(repository)


def test_a_changelog_says_what_is_released_and_nothing_waits() -> None:
    with pytest.raises(ReleaseError, match=r"changes under \[Unreleased\]"):
        newest_in_changelog("## [Unreleased]\n\n### Added\n\n- x\n\n## [1.0.0] - 2026-01-01\n")
    with pytest.raises(ReleaseError, match="no release with a date"):
        newest_in_changelog("## [Unreleased]\n\n## [1.0.0]\n\n- x\n")
    with pytest.raises(ReleaseError, match="no release with a date"):
        newest_in_changelog("# Changelog\n")
