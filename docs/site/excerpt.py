"""A Sphinx extension with the book's own directives: code of the package as it is now, and answers to unfold.

    ```{excerpt} layers/norm.py batch_norm
    ```

stands for `literalinclude` with `:pyobject:`, the file's name as caption, and paths from the repository's root.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralInclude
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]


class Excerpt(LiteralInclude):
    """`{excerpt} FILE OBJECT`, or `{excerpt} FILE` with literalinclude's options (:start-at:, :end-before:, …)."""

    arguments: list[str]
    required_arguments, optional_arguments, final_argument_whitespace = 1, 1, False

    def run(self) -> list[nodes.Node]:
        file, *of = self.arguments
        if of:
            self.options["pyobject"] = of[0]
        self.options.setdefault("language", "python")
        self.options.setdefault("caption", f"{file}{': ' + of[0] if of else ''}")
        folder = Path(self.env.doc2path(self.env.docname)).parent
        self.arguments = [os.path.relpath(ROOT / file, folder)]
        return super().run()


def apart(answers: str) -> str:
    """Answers in Markdown, a paragraph for each line that begins with its question's number.

    >>> apart("1: yes,\\nsometimes.\\n2: no.")
    '1: yes,\\nsometimes.\\n\\n2: no.'
    """
    return re.sub(r"(?<!\n)\n(?=\d+: )", "\n\n", answers)


class Answer(SphinxDirective):
    """`{answer}`: text that a reader unfolds after having thought about the question."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        opened = nodes.raw("", "<details><summary>Answers</summary>", format="html")
        answers = self.parse_text_to_nodes(apart("\n".join(self.content)))
        return [opened, *answers, nodes.raw("", "</details>", format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("excerpt", Excerpt)
    app.add_directive("answer", Answer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
