"""The examples in docstrings print what they say.

They are read off the syntax tree, so that those of primitives, which are objects and not functions, are found too.
"""

from __future__ import annotations

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_house import ROOT, python_files


def examples(source: str, file: str) -> Iterator[doctest.DocTest]:
    """One test for every docstring with examples in the source of `file`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if text := ast.get_docstring(node):
            name = f"{file}:{getattr(node, 'name', 'module')}"
            test = doctest.DocTestParser().get_doctest(text, {}, name, file, getattr(node, "lineno", 0))
            if test.examples:
                yield test


def failures(test: doctest.DocTest) -> str:
    """The report on examples that print something else; empty if there are none."""
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    return "".join(report)


FILES = {path.relative_to(ROOT).as_posix(): path for path in python_files()}
EXAMPLES = [test for file, path in FILES.items() for test in examples(path.read_text(encoding="utf-8"), file)]


@pytest.mark.parametrize("test", EXAMPLES, ids=[test.name for test in EXAMPLES])
def test_an_example_prints_what_it_says(test: doctest.DocTest) -> None:
    file = Path(test.name.partition(":")[0])
    module = importlib.import_module(".".join(["photomend", *file.with_suffix("").parts]))
    test.globs = dict(vars(module))
    assert failures(test) == ""


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


def test_a_wrong_example_is_noticed() -> None:
    source = '@primitive\ndef double(x):\n    """Twice x.\n\n    >>> 2 * 2\n    5\n    """\n'
    [test] = examples(source, "some.py")
    assert test.name == "some.py:double"
    assert "Got:\n    4\n" in failures(test)
