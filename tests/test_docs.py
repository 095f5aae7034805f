"""The documentation is true: its tables are current, and the files, commands and options that it names exist."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import click
import pytest
from photomend.app.cli import COMMANDS
from photomend.tests.verification.breaks import BREAKS
from photomend.train.config import TrainConfig

from .scripts import script

ROOT = Path(__file__).parents[1]
#: Every page but the log, which is about the code of its day.
PAGES = [
    ROOT / "README.md",
    ROOT / "weights" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "book").glob("*.md")),
]
LOG = sorted((ROOT / "docs" / "log").glob("*.md"))
#: What a reader makes, as opposed to a file of the repository.
NOT_OURS = r"(demo|photos|masks|repaired|runs)/.*|RUN.*|.*(config|provenance)\.json|.*NAME.*"
FOLDERS = (
    "core",
    "layers",
    "models",
    "data",
    "train",
    "app",
    "tests",
    "benchmarks",
    "examples",
    "weights",
    "docs",
    "release",
)
FILES = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")}
DOCS_TABLES = script("docs/tables")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def options_of(command: str) -> set[str]:
    made = importlib.import_module(f"photomend.app.commands.{command}").command
    return {"--help", *(name for one in made.params if isinstance(one, click.Option) for name in one.opts)}


@every_page
def test_tables_are_current(page: Path) -> None:
    """If this fails, `make docs-tables` mends it."""
    text = page.read_text(encoding="utf-8")
    assert DOCS_TABLES.filled(text) == text


def test_every_table_stands_somewhere() -> None:
    named = {name for page in PAGES for name in re.findall(r"<!-- table: (.+?) -->", page.read_text(encoding="utf-8"))}
    assert named == set(DOCS_TABLES.TABLES)


def test_a_bold_number_is_the_smallest_and_keeps_its_interval() -> None:
    line = next(line for line in DOCS_TABLES.readme_results().splitlines() if "**" in line)
    assert "| **39.80** (37.52–42.25) | **0.810** (0.782–0.840) |" in line


@pytest.mark.parametrize("page", [*PAGES, *LOG], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@every_page
def test_files_that_are_named_exist(page: Path) -> None:
    for path in re.findall(r"`([\w./-]+(?:\.(?:py|toml|md|json)|/))`", page.read_text(encoding="utf-8")):
        if not re.fullmatch(NOT_OURS, path):
            assert (ROOT / path).exists() or path in FILES, path


@every_page
def test_commands_and_options_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for command, rest in re.findall(r"photomend (?!:)([a-z]+)((?:[ \n](?![ \n])[^ `#\n|]+)*)", text):
        if command in COMMANDS:
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= options_of(command), (command, rest)
    known = set().union(*map(options_of, COMMANDS)) | {"--limit", "--large", "--kind", "--check", "--out"}
    known |= {"--max-restarts", "--kill-on-bad-exit"}  # torchrun's and srun's
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= known


@every_page
def test_commands_of_code_blocks_exist(page: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for line in "\n".join(blocks).splitlines():
        if found := re.match(r"(?:\$ )?photomend (\S+)", line.strip()):
            assert found[1] in COMMANDS, line
        if found := re.match(r"python (\S+\.py)", line.strip()):
            assert (ROOT / found[1]).exists(), line


@every_page
def test_imports_of_examples_work(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in re.findall(r"^from photomend.*", block, flags=re.MULTILINE):
            exec(line, {})


@pytest.mark.parametrize("file", sorted((ROOT / "docs").rglob("*recipe*.toml")), ids=lambda file: file.stem)
def test_settings_of_recipes_are_known(file: Path) -> None:
    assert TrainConfig.from_dict(tomllib.loads(file.read_text(encoding="utf-8")), str(file)).minutes is not None


def test_the_number_of_classic_mistakes() -> None:
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "docs" / "verification.md"):
        assert f" one of {len(BREAKS)} " in page.read_text(encoding="utf-8")
