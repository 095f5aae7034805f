"""Is the commit that is checked out the release that it says it is?"""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .error import ReleaseError


@dataclass(frozen=True)
class Release:
    """A version, and the time of its commit in seconds since 1970, which is the time of every file in what is built."""

    version: str
    epoch: int


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


def newest_in_changelog(text: str) -> tuple[str, str]:
    """Version and date of the latest release; nothing may wait for the next one."""
    sections = re.findall(r"^## \[(.+?)\](?: - (\S+))?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    waiting = [body for name, _, body in sections if name == "Unreleased" and body.strip()]
    if waiting:
        raise ReleaseError("CHANGELOG.md: there are changes under [Unreleased]: give them a version and a date")
    released = [(name, date) for name, date, _ in sections if name != "Unreleased"]
    if not released or not released[0][1]:
        raise ReleaseError("CHANGELOG.md: no release with a date (## [1.2.3] - 2026-01-31)")
    return released[0]


def checked(root: Path) -> Release:
    """The release at `root`.

    Raises:
        ReleaseError: something isn't committed, files disagree about version or date, or the tag is missing.
    """
    if changed := git(root, "status", "--porcelain").splitlines():
        raise ReleaseError(f"{len(changed)} files aren't committed, {changed[0][3:]} among them")
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    newest, date = newest_in_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    cited = dict(
        re.findall(r"^(version|date-released): (\S+)$", (root / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    )
    for file, said, expected in (
        ("CHANGELOG.md", newest, version),
        ("CITATION.cff", cited.get("version"), version),
        ("CITATION.cff", cited.get("date-released"), date),
    ):
        if said != expected:
            other = "pyproject.toml" if expected == version else "CHANGELOG.md"
            raise ReleaseError(f"{file} says {said}, {other} {expected}")
    if f"v{version}" not in git(root, "tag", "--points-at", "HEAD").split():
        raise ReleaseError(f"this commit has no tag v{version}: git tag -a v{version}")
    return Release(version, int(git(root, "log", "-1", "--format=%ct")))
