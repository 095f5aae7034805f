"""A copy of this checkout, for pages that change it as a reader would change a fresh clone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path

from IPython.display import Markdown

ROOT = Path(__file__).resolve().parents[2]
#: What a clone wouldn't have, or what takes long to copy and isn't needed.
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "demo", "dist", "runs", "*.safetensors")


def fresh_clone(to: str) -> None:
    """Copy the checkout into the folder `to`; programs that are started from now on use that copy."""
    shutil.copytree(ROOT, to, ignore=LEFT_OUT)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(to).resolve().parent), os.environ.get("PYTHONPATH", "")])


def edited(file: str, changes: Mapping[str, str]) -> Markdown:
    """Put new lines in the place of old ones, as one does in an editor, and show the difference.

    Raises:
        ValueError: what is to be replaced doesn't stand in the file exactly once.
    """
    path = Path(file)
    before = after = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        if after.count(old) != 1:
            raise ValueError(f"{file}: {old!r} stands there {after.count(old)} times")
        after = after.replace(old, new)
    path.write_text(after, encoding="utf-8")
    lines = unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm="")
    shown = [line for line in lines if not line.startswith(("---", "+++"))]
    return Markdown("\n".join([f"`{file}`", "", "```diff", *shown, "```"]))
