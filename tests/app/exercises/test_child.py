"""What is said of a file that can't even be asked, without a process for each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from photomend.app.exercises.catalogue import EXERCISES, find
from photomend.app.exercises.checks import checker
from photomend.app.exercises.child import examine
from photomend.app.exercises.text import HEADER, derivation, start_text

MULTIPLY = find("multiply-divide")


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """What is wrong with a source."""
    monkeypatch.setitem(sys.modules, "answer", sys)

    def examined(source: str | bytes, exercise=MULTIPLY) -> dict[str, Any]:
        path = tmp_path / "answer.py"
        data = source.encode() if isinstance(source, str) else source
        path.write_bytes(data if b"exercise:" in data else f"{HEADER}{exercise.name}\n".encode() + data)
        return examine(path, exercise, checker(exercise), lambda line: None)

    return examined


@pytest.mark.parametrize(
    ("source", "line", "phrase"),
    [
        ("def multiply(a, b:\n", 2, "SyntaxError"),
        ("def multiply(a, b):\nreturn a\n", 3, "IndentationError"),
        ("import nowhere\n", 2, "No module named 'nowhere'"),
        ("from torch import nowhere\n", 2, "ImportError"),
        ("import sys\nsys.exit(0)\n", 3, "it exits"),
        ("raise KeyboardInterrupt\n", 2, "KeyboardInterrupt"),
        ("input()\n", 2, "Error"),
        ("1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def f():\n    return f()\nf()\n", 3, "RecursionError"),
        ("def multiply(a, b):\n    return a.nowhere\ndivide = multiply\n", 3, "has no attribute 'nowhere'"),
        ("def multiply(a):\n    return a\ndivide = multiply\n", 0, "takes 1 positional argument"),
        ("def multiply(a, b):\n    return a * b, lambda y: (y @ y @ b, a)\ndivide = multiply\n", 3, "RuntimeError"),
        ("def mulitply(a, b):\n    pass\n", 0, "no function multiply"),
        ("", 0, "no function multiply"),
        ("multiply = 3\n", 0, "no function multiply"),
    ],
)
def test_what_cannot_be_run_is_explained_with_its_line(wrong, source: str, line: int, phrase: str) -> None:
    found = wrong(source)
    assert phrase in found["what"]
    assert found.get("line", 0) == line


_DIVIDE = "def divide(a, b):\n    return a / b, lambda y: (y / b, -y * a / b**2)\n"


@pytest.mark.parametrize(
    ("body", "what", "mistake"),
    [
        ("return a.mul_(b), lambda y: (y * b, y * a)", "it changes a in place", "make new ones"),
        ("return a * b, lambda y: (y.mul_(b), y * a)", "the pullback changes ȳ in place", "make a new one"),
        ("return (a * b).float(), lambda y: (y * b, y * a)", "the value is torch.float32", "float64"),
        ("return (a * b), lambda y: ((y * b).float(), y * a)", "gradient of a is torch.float32", ""),
        ("return (a * b).numpy(), lambda y: (y * b, y * a)", "the value is a ndarray", "must be an array"),
        ("return a * b, lambda: (b, a)", "can't be called with ȳ alone", "it takes one argument"),
        ("return a * b, lambda y: None", "the pullback returns nothing", "return is missing"),
        ("return a * b, lambda y: (y * b, None)", "the gradient of b is None", "as labels do"),
        ("return (a * b).sum(0), lambda y: (y * b, y * a)", "the value isn't", "an axis is missing"),
        ("return a * b + torch.rand_like(a), lambda y: (y * b, y * a)", "another value", "something random"),
        ("yield a * b, lambda y: (y * b, y * a)", "one thing, a generator", "return y, pullback"),
        ("return a * b, lambda y: (y * b, y * a), 3", "it returns (Tensor, function, int)", "return y, pullback"),
    ],
)
def test_a_broken_contract_is_told(wrong, body: str, what: str, mistake: str) -> None:
    found = wrong(f"import torch\ndef multiply(a, b):\n    {body}\n{_DIVIDE}")
    assert found["function"] == "multiply"
    assert what in found["what"]
    assert mistake in found["mistake"]
    reason, line = derivation(MULTIPLY, "multiply", found["target"])
    assert reason
    assert line


def test_a_misspelt_function_is_named(wrong) -> None:
    assert wrong("def mulitply(a, b):\n    pass\n")["mistake"] == "there is mulitply; rename it"
    assert wrong("def times(a, b):\n    pass\ndef over(a, b):\n    pass\n")["mistake"] == "there are times, over"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_a_file_as_it_was_started_says_where_to_begin(wrong, exercise) -> None:
    text = start_text(exercise)
    found = wrong(text, exercise)
    assert "isn't written yet" in found["what"]
    assert found["function"] == exercise.functions[0]
    assert "raise NotImplementedError" in text.splitlines()[found["line"] - 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"#!/usr/bin/env python\n" + text.encode(),
    ],
    ids=["BOM", "CRLF", "shebang"],
)
def test_how_a_file_was_saved_does_not_matter(wrong, change: Callable[[str], bytes]) -> None:
    assert wrong(change(f"{HEADER}{MULTIPLY.name}\n{MULTIPLY.solution}")) == {}


def test_lines_below_main_are_left_out(wrong) -> None:
    assert wrong(f"{MULTIPLY.solution}\nif __name__ == '__main__':\n    raise SystemExit\n") == {}
