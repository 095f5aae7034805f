"""A Sphinx extension: what a cell prints is shown as it was printed, and a printed table keeps its lines whole.

A kernel hands output over in pieces; those of a `%%bash` cell have 100 characters at most. MyST-NB ends each piece with
a new line, within words too, and leaves out empty lines between them. So they are put together before it sees them.
"""

from __future__ import annotations

import re
from copy import copy
from typing import Any

from docutils import nodes
from myst_nb.core import render
from sphinx.application import Sphinx

#: What stands between two columns.
GAP = re.compile(r"(?<=\S)  +(?=\S)")
#: How many characters a line of the page holds.
PAGE = 88
by_library = render.coalesce_streams


def joined(outputs: list[Any]) -> list[Any]:
    """A cell's outputs with the pieces of stdout put together, and those of stderr, each where its first one was."""
    kept: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        name = output["name"] if output["output_type"] == "stream" else ""
        if name in streams:
            streams[name]["text"] += output["text"]
            continue
        if name:
            output = streams[name] = copy(output)
        kept.append(output)
    return kept


def mark_tables(document: nodes.document) -> None:
    """Call what was printed in four columns or more so, for the style sheet, and wide what needs smaller letters.

    Other long lines may be broken.
    """
    for block in document.findall(nodes.literal_block):
        rows = [line for line in block.astext().splitlines() if len(GAP.findall(line)) >= 3]
        if rows:
            block["classes"] += ["columns", "wide"] if max(map(len, rows)) > PAGE else ["columns"]


def _mark_tables(app: Sphinx, document: nodes.document) -> None:
    mark_tables(document)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", _mark_tables)
    render.coalesce_streams = lambda outputs: by_library(joined(outputs))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
