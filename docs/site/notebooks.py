"""A Sphinx extension: every page with cells is also a notebook (.ipynb) beside it, without outputs, to run in Jupyter.

Jupyter knows none of the book's directives, so each becomes plain Markdown, and links lead to notebooks and pages of
the site; those to other files of the repository are left out. What a notebook needs is said in its first cells.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import course
import mistakes
import nbformat
from docutils import nodes
from excerpt import ROOT, apart
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from photomend.app.exercises.catalogue import find
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.directives.code import LiteralIncludeReader
from sphinx.util import logging

logger = logging.getLogger(__name__)
BOOK = ROOT / "docs" / "book"
FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\} ?(?P<argument>.*)\n(?P<body>(?:.*\n)*?)(?P=fence) *$", re.M
)
OPTION = re.compile(r"^:([\w-]+): ?(.*)\n", re.M)
LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")

INTRODUCTION = """*A page of photomend's textbook, as a notebook. It runs in the environment that `make install` makes
in a clone of photomend: `. .venv/bin/activate`, `pip install jupyterlab` and `jupyter lab`, in that folder.*"""
HELPERS = """# What draws the pictures is in docs/book of that clone: {}.
import photomend, sys; sys.path.append(f"{{photomend.__path__[0]}}/docs/book")"""


def _excerpt(argument: str, body: str) -> str:
    file, *of = argument.split()
    options: dict[str, Any] = dict(OPTION.findall(body)) | ({"pyobject": of[0]} if of else {})
    source, _ = LiteralIncludeReader(str(ROOT / file), options, Config()).read()
    return f"`{' '.join([f'{file}:' if of else file, *of])}`\n\n```python\n{source.rstrip()}\n```"


def _answer(argument: str, body: str) -> str:
    return f"<details><summary>Answers</summary>\n\n{apart(body)}\n</details>"


def _verified(argument: str, body: str) -> str:
    return course.table(course.rows(argument.split()))


def _exercise(argument: str, body: str) -> str:
    exercise = find(argument)
    return f"**{course.heading(exercise)}.** {course.invitation(exercise)}"


def _mistakes(argument: str, body: str) -> str:
    return mistakes.listed(argument)


def _remark(argument: str, body: str) -> str:
    text = (f"**{argument}** " if argument else "") + OPTION.sub("", body).strip()
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _formula(argument: str, body: str) -> str:
    return f"$$\n{OPTION.sub('', body).strip()}\n$$"


DIRECTIVES: dict[str, Callable[[str, str], str]] = {
    "excerpt": _excerpt,
    "answer": _answer,
    "verified": _verified,
    "exercise": _exercise,
    "mistakes": _mistakes,
    "math": _formula,
    **dict.fromkeys(("admonition", "note", "tip", "important", "warning", "seealso"), _remark),
}


def notebook(page: Path) -> nbformat.NotebookNode:
    """A page in MyST Markdown as a notebook. Raises KeyError for a directive that has no plain Markdown."""
    made = read_myst_markdown_notebook(page.read_text(encoding="utf-8"))
    imported = {name for cell in made.cells for name in re.findall(r"^\s*(?:from|import) (\w+)", cell.source, re.M)}
    helpers = sorted(name for name in imported if (BOOK / f"{name}.py").exists())
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, page.parent)
    first = [nbformat.v4.new_markdown_cell(INTRODUCTION)]
    if helpers:
        first.append(nbformat.v4.new_code_cell(HELPERS.format(", ".join(f"{name}.py" for name in helpers))))
    made.cells[:0] = first
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"  # by chance otherwise, and another one in every build
    made.metadata = nbformat.from_dict({"kernelspec": made.metadata["kernelspec"]})
    nbformat.validate(made)
    return made


def plain(text: str, folder: Path) -> str:
    """Markdown without directives, whose links to pages of `folder` and beyond lead to what is on the site."""
    text = FENCE.sub(lambda found: DIRECTIVES[found["name"]](found["argument"], plain(found["body"], folder)), text)

    def link(found: re.Match[str]) -> str:
        words, target, place = found[1], found[2], found[3] or ""
        page = (ROOT / "docs" / target[1:] if target.startswith("/") else folder / target).resolve()
        if page.suffix != ".md" or not page.is_relative_to(ROOT / "docs") or not page.exists():
            return words if page.exists() else found[0]
        suffix = ".ipynb" if not place and is_myst_markdown_notebook(page.read_text(encoding="utf-8")) else ".html"
        return f"[{words}]({Path(os.path.relpath(page, folder)).with_suffix(suffix).as_posix()}{place})"

    return LINK.sub(link, text)


def _offer(app: Sphinx, doctree: nodes.document) -> None:
    """Under a page's title, the link to its notebook."""
    page = Path(app.env.doc2path(app.env.docname))
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is not None and is_myst_markdown_notebook(page.read_text(encoding="utf-8")):
        link = f'<p class="notebook"><a href="{page.stem}.ipynb" download>Open as a notebook</a></p>'
        title.parent.insert(title.parent.index(title) + 1, nodes.raw("", link, format="html"))


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    for name in sorted(app.env.found_docs):
        page = Path(app.env.doc2path(name))
        if is_myst_markdown_notebook(page.read_text(encoding="utf-8")):
            try:
                text = json.dumps(notebook(page), indent=1, ensure_ascii=False)
            except KeyError as error:
                logger.warning("no notebook knows the directive %s", error, location=name)
            else:
                (Path(app.outdir) / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", _offer)
    app.connect("build-finished", _write, priority=400)  # before links are checked
    return {"parallel_read_safe": True, "parallel_write_safe": True}
