"""A Sphinx extension: the public names of a package with their signatures and docstrings, by autodoc.

`{public} photomend.layers` lists what the package exports. Docstrings are written to be read in a terminal: indented
formulas become literal blocks, and a star, bar or underscore that marks nothing up stays what it is.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from photomend.core import Primitive
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

#: What stays as it is written: literals, emphasis, and the markup of the sections that napoleon knows.
KEPT = re.compile(r"``.+?``|`[^`]+`|(?<![\w*])\*(?=[^\s*])[^*]+(?<=[^\s*])\*(?![\w*])", re.DOTALL)
#: How autodoc writes the name of a type that stands in `autodoc_type_aliases`, where it is part of another type.
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")


class Public(SphinxDirective):
    """The names in a package's `__all__`: classes with their own methods, functions, primitives, and constants."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        package = importlib.import_module(self.arguments[0])
        source = StringList([line for name in package.__all__ for line in _directive(package, name)], "public names")
        return self.parse_text_to_nodes("\n".join(["```{eval-rst}", *source, "```"]))


def _directive(package: Any, name: str) -> Iterator[str]:
    """What documents one name, in reStructuredText."""
    thing, path = getattr(package, name), f"{package.__name__}.{name}"
    if inspect.isclass(thing):
        yield from (f".. autoclass:: {path}", "   :members:", "")
    elif isinstance(thing, Primitive) or inspect.isfunction(thing):
        yield from (f".. autofunction:: {path}", "")
    elif inspect.ismodule(thing):
        yield from (f".. automodule:: {thing.__name__}", "   :members:", "")
    else:
        yield from (f".. py:data:: {path}", f"   :value: {thing!r}", "")


def _signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Types by their short names. A rule returns a value and its pullback, but who calls it gets the value."""
    if isinstance(thing, Primitive):
        returns = "Tensor | Array"
    signature, returns = (text and ALIAS.sub(r"\1", text) for text in (signature, returns))
    return signature, returns


def _to_rest(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rest(lines)


def rest(lines: list[str]) -> list[str]:
    """A docstring's lines as reStructuredText.

    >>> rest(["The sum of *xs, or", "", "    a_ + b", "", "of two."])
    ['The sum of \\\\*xs, or', '', '::', '', '    a_ + b', '', 'of two.']
    """
    made: list[str] = []
    for paragraph in "\n".join(lines).split("\n\n"):
        first = paragraph.split("\n")[0]
        if first.startswith("    "):
            made += ["::", "", *paragraph.split("\n"), ""]
        elif first.startswith(">>>"):
            made += [*paragraph.split("\n"), ""]
        else:
            made += [*_escaped(paragraph).split("\n"), ""]
    return made[:-1]


def _escaped(paragraph: str) -> str:
    parts, end = [], 0
    for kept in KEPT.finditer(paragraph):
        parts += [_plain(paragraph[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join([*parts, _plain(paragraph[end:])])


def _plain(text: str) -> str:
    text = re.sub(r"(?<!\\)([*|])", r"\\\1", text)
    text = re.sub(r"(?<=: )([A-Z]\.)$", r"\\\1", text, flags=re.MULTILINE)  # "C." would begin a list
    return re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)


def _is_hidden(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Every layer has these two; `Module` says what they are."""
    is_inherited = getattr(thing, "__qualname__", "") not in (f"Module.{name}", name)
    return True if is_inherited and name in ("extra_repr", "forward") else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("public", Public)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _is_hidden)
    app.connect("autodoc-process-docstring", _to_rest, priority=100)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
