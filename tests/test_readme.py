"""The examples of README and docs print what is said there, and the commands that the README shows exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "docs/verification.md"])
def test_the_example_prints_what_it_says(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    [(code, printed)] = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, flags=re.DOTALL)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == printed


@pytest.mark.parametrize("line", sorted(set(re.findall(r"photomend ([a-z]+ .*?--[^#\n]*)", README))))
def test_options_that_the_readme_shows_exist(line: str) -> None:
    command, *rest = line.split()
    options = {word for word in rest if re.fullmatch(r"--[a-z-]+", word)}
    shown = subprocess.run([sys.executable, "-m", "photomend", command, "--help"], capture_output=True, text=True)
    assert shown.returncode == 0
    assert options <= set(re.findall(r"--[a-z-]+", shown.stdout))


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
