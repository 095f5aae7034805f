"""A Sphinx extension: who can't see a cell's picture hears the sentence before it, and not the name of its file."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx


def describe(document: nodes.document) -> None:
    """Give every picture without a text of its own the last sentence before it."""
    words = ""
    for node in document.findall():
        if isinstance(node, nodes.paragraph):
            words = re.split(r"(?<=[.?!]) (?=[A-Z])", " ".join(node.astext().split()))[-1] or words
        elif isinstance(node, nodes.image) and not node.get("alt"):
            node["alt"] = words


def _describe(app: Sphinx, document: nodes.document) -> None:
    describe(document)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
