"""A Sphinx extension: each line of code is an element, so that the style sheet can break a long one and indent the rest
of it below its beginning. Without that, the end of a long line is out of sight, or stands at the margin."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

#: Code in a language, in Sphinx's HTML; what a program prints has none.
BLOCK = re.compile(
    r'(<div class="highlight-(?!none|text|myst-ansi)[^"]*"><div class="highlight"><pre>)(.*?)\n?(</pre>)', re.DOTALL
)
TAG = re.compile(r"<[^>]+>")


def in_lines(body: str) -> str:
    """A page's HTML with every line of code in a `span.line`, which says how far the rest of it is to be indented: four
    columns more than its beginning, and a sentence in a comment or docstring not at all."""
    return BLOCK.sub(lambda found: found[1] + "".join(map(_line, found[2].split("\n"))) + found[3], body)


def _line(text: str) -> str:
    plain = unescape(TAG.sub("", text))
    code = plain.lstrip(" ")
    words = code.startswith("#") or '<span class="sd">' in text
    return f'<span class="line" style="--hang: {len(plain) - len(code) + (0 if words else 4)}ch">{text}\n</span>'


def _in_lines(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if "body" in context:
        context["body"] = in_lines(context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _in_lines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
