"""A copy of this checkout, for pages that change it as a reader would change a fresh clone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What a clone wouldn't have, or what takes long to copy and isn't needed.
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "demo", "dist", "runs", "*.safetensors")


def fresh_clone(to: str) -> None:
    """Copy the checkout into the folder `to`; programs that are started from now on use that copy."""
    shutil.copytree(ROOT, to, ignore=LEFT_OUT)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(to).resolve().parent), os.environ.get("PYTHONPATH", "")])
