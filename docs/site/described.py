"""A Sphinx extension: who can't see a cell's picture hears the sentence before it, and not the name of its file; and
pictures whose letters would be too small on a phone are called wide, for the style sheet."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

#: At half of this a picture's letters are as small as may be.
WIDE = 720


def describe(document: nodes.document) -> None:
    """Give every picture without a text of its own the last sentence before it."""
    words = ""
    for node in document.findall():
        if isinstance(node, nodes.paragraph):
            words = re.split(r"(?<=[.?!]) (?=[A-Z])", " ".join(node.astext().split()))[-1] or words
        elif isinstance(node, nodes.image) and not node.get("alt"):
            node["alt"] = words


def mark_wide(document: nodes.document, folder: Path) -> None:
    """Call PNGs of more than `WIDE` pixels so; `folder` is where the pictures' addresses begin."""
    for image in document.findall(nodes.image):
        file = folder / image["uri"]
        if file.suffix == ".png" and file.is_file():
            with Image.open(file) as picture:
                image["classes"] += ["wide"] if picture.width > WIDE else []


def _describe(app: Sphinx, document: nodes.document) -> None:
    describe(document)
    mark_wide(document, Path(app.srcdir))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
