"""Every command and every example of every page is executed, or the page's source says why not.

Cells are run by `make docs`, and other blocks of code here, as they stand. A comment before a block says otherwise:

    <!-- tested by: tests/app/test_cli.py::test_name -->
    <!-- not run: hours of training -->
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
#: Every page but the log, which is about the code of its day.
PAGES = ["README.md", "CONTRIBUTING.md", "weights/README.md"]
PAGES += [
    str(path.relative_to(ROOT)) for folder in ("docs", "docs/book") for path in sorted((ROOT / folder).glob("*.md"))
]
BLOCK = re.compile(
    r"(?:^ *<!-- (?P<note>(?:tested by|not run): [^>]*) -->\n\s*?)?"
    r"^(?P<indent> *)```(?P<language>sh|bash|shell|console|python|py|text)\n(?P<code>.*?)^(?P=indent)```\n"
    r"(?:\n(?P=indent)```text\n(?P<printed>(?!\$ ).*?)^(?P=indent)```\n)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of commands or of Python on a page: where, what, what it is said to print, and the comment before it."""

    place: str
    language: str
    code: str
    printed: str | None
    note: str | None


def blocks(page: str) -> Iterator[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        code = dedent(found["code"])
        if found["language"] != "text" or code.startswith("$ "):  # a text is what a program prints, but for its prompt
            place = f"{page}:{text.count(chr(10), 0, found.start('code'))}"
            yield Block(place, found["language"], code, found["printed"], found["note"])


def run_here(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.note is None]


@pytest.mark.parametrize("page", PAGES)
def test_a_block_that_is_not_run_here_says_why(page: str) -> None:
    for block in blocks(page):
        if block.note is None:
            assert block.language in ("sh", "python"), f"{block.place}: a {block.language} block needs a comment"
            continue
        kind, _, said = " ".join(block.note.split()).partition(": ")
        if kind == "tested by":
            file, _, name = said.partition("::")
            assert (ROOT / file).is_file(), f"{block.place}: {said}"
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{block.place}: {said}"
        else:
            assert len(said) > 10, f"{block.place}: no reason"


def test_blocks_are_found() -> None:
    """As many as there are fences: none is overlooked for its spelling, and those with a note have one."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        fences = re.findall(
            r"^ *(?:`{3,}|~{3,}|:{3,}) ?(?:\{(?:code|code-block|sourcecode)\} ?)?(?:sh|bash|shell|console|python|py)\b",
            text,
            re.M,
        )
        found = list(blocks(page))
        assert len(fences) == sum(block.language != "text" for block in found), page
        notes = [block.note for block in found if block.note is not None]
        assert len(re.findall("<!-- (?:tested by|not run):", text)) == len(notes), page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the pages' commands are about: a photo with a mask, and a folder of each."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((160, 200), dtype=np.uint8)
    mask[80:140, 120:180] = 255
    for name, photo in {"photo": data.coffee(), "photos/a": data.chelsea(), "photos/b": data.astronaut()}.items():
        Image.fromarray(photo).resize((200, 160)).save(tmp_path / f"{name}.jpg")
    for name in ("mask", "masks/a", "masks/b"):
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    return tmp_path


def run(language: str, code: str, folder: Path) -> str:
    """What a block prints, with the programs of this environment."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-e", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, "PATH": programs})
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if run_here(page)])
def test_the_blocks_of_a_page_run_and_print_what_they_say(page: str, folder: Path) -> None:
    for block in run_here(page):
        printed = run(block.language, block.code, folder)
        if block.printed is not None:
            assert printed == block.printed, block.place


@pytest.mark.slow
def test_ridge_regression_on_fewer_crops(folder: Path) -> None:
    """200 batches take a minute, one is the same code."""
    [code] = [block.code for block in blocks("docs/training.md") if "fit_ridge" in block.code]
    assert ", 200))" in code
    run("python", code.replace(", 200))", ", 1))"), folder)
    assert (folder / "ridge.safetensors").exists()
