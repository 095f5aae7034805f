"""The layer that CONTRIBUTING.md adds in five steps: a copy of the repository gets it as it is written there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_layer_in_five_steps(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    loops, rule, module, case = map(dedent, re.findall(r"^   ```python\n(.*?)^   ```", text, re.DOTALL | re.MULTILINE))
    sizes = re.findall(r"`(_(?:op|layer)\([^`]*\))`", text)
    assert len(sizes) == 2
    copy = tmp_path / "photomend"
    for folder in ("core", "layers", "models", "data", "train", "app", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / file, copy)

    def write(file: str, more: str, before: str = "") -> None:
        """Put `more` before the first place of `before`, or at the file's end."""
        old = (copy / file).read_text(encoding="utf-8")
        assert before in old, file
        new = old.replace(before, more + before, 1) if before else f"{old}\n\n{more}"
        (copy / file).write_text(new, encoding="utf-8")

    write("tests/reference/loops/activation.py", loops)
    write("layers/activation.py", f"{rule}\n\n{module}")
    write("layers/__init__.py", "    Softplus,\n    softplus,\n", before="    GELU,\n    GLU,\n")
    write("layers/__init__.py", '    "Softplus",\n    "softplus",\n', before='    "Softsign",\n')
    write("tests/verification/cases_layers.py", f"        *{case.strip()},\n", before='        ("relu", "ReLU"')
    write("tests/verification/sizes.py", f"    {sizes[0]},\n", before='    _op("softsign"')
    write("tests/verification/sizes.py", f"    {sizes[1]},\n", before='    _layer("ReLU"')
    command = [sys.executable, "-m", "photomend", "verify", "softplus", "Softplus"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 primitive, 1 layer, " in run.stdout
    assert "all green" in run.stdout
