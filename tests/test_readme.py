"""The examples of README and docs print what is said there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a process each

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("page", "count"), [("README.md", 2), ("docs/classic-mistakes.md", 1), ("docs/verification.md", 1)]
)
def test_the_examples_print_what_they_say(page: str, count: int, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, flags=re.DOTALL)
    assert len(examples) == count
    for code, printed in examples:
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert run.stdout == printed
