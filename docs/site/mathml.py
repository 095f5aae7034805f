"""A Sphinx extension: formulas become MathML while the site is built, which browsers show without scripts or fonts
from the network. The converter is docutils' own."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


#: A letter with a mark above it, or with two: \bar x, \bar{x}, \bar{\hat x}.
ONE = r"\\(?:bar|hat) ?(?:\{ ?[A-Za-z] ?\}|[A-Za-z])"
MARKED = re.compile(rf"{ONE}|\\(?:bar|hat)\{{{ONE}\}}")
ABOVE = {"bar": "\N{COMBINING MACRON}", "hat": "\N{COMBINING CIRCUMFLEX ACCENT}"}
#: Letters of a script that no formula has stand for them on their way through the converter, so that an index to x̄ is
#: set as one to x.
FIRST = 0x10D0
#: A function before its argument, between which the converter leaves no space.
FUNCTION = re.compile(r"\\(ln|log|exp|sin|cos) (?=[\w\\])")
#: A factor before a function, which the converter doesn't keep apart either.
FACTOR = re.compile(r"(?<=[\w})\]]) *(?=\\(?:ln|log|exp|sin|cos|operatorname)(?![A-Za-z]))")


def mathml(text: str, block: bool) -> str:
    """A formula in LaTeX as MathML.

    Letters keep their bar or hat in one character, as in running text; of two marks the upper one is a line of its own,
    clear of the lower.
    """
    marked: list[str] = []

    def held(found: re.Match[str]) -> str:
        *outer, inner = re.findall(r"\\(bar|hat)", found[0])
        letter = re.sub(r"\\(bar|hat)|[{} ]", "", found[0])
        marked.append(unicodedata.normalize("NFC", letter + ABOVE[inner]))
        one = f"{{{chr(FIRST + len(marked) - 1)}}}"
        return f"\\{outer[0]}{one}" if outer else one

    spaced = FUNCTION.sub(r"\\\1\\,", FACTOR.sub(r"\\;", MARKED.sub(held, text)))
    made: str = tex2mathml(spaced, as_block=block)
    for i, letter in enumerate(marked):
        made = made.replace(f"<mi>{chr(FIRST + i)}</mi>", f'<mi class="marked">{letter}</mi>')
    return made


def _mathml(node: nodes.Element, block: bool) -> str:
    text = node.astext()
    if block and "\\\\" in text and "\\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    try:
        return mathml(text, block)
    except MathError as error:
        logger.warning("formula %r: %s", text, error, location=node)
        return ""


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node, block=False))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_mathml(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
