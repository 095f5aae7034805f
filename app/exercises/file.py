"""A learner's file: what it is called, which exercise it is of, and where in it a function stands."""

from __future__ import annotations

import ast
import codecs
import re
from pathlib import Path

from .catalogue import Exercise, find
from .text import HEADER, plain, start_text

_LARGEST = 1_000_000  # bytes
_NAMED = re.compile(r"#\s*photomend exercise:(.*)")


class AnswerFileError(Exception):
    """A file that can't be checked, or can't be written; the message names it."""


def write_start(exercise: Exercise, out: Path | None) -> Path:
    """Write the file to start with, and give its name: `out`, or in that folder, or else by the exercise's own name.

    Raises:
        AnswerFileError: there is a file of that name, which is left as it is; or it can't be written.
    """
    target = out or Path(f"{exercise.module}.py")
    if target.is_dir():
        target /= f"{exercise.module}.py"
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(start_text(exercise))
    except FileExistsError:
        raise AnswerFileError(
            f"{target}: is there already, and stays as it is; --out FILE gives another name"
        ) from None
    except OSError as error:
        raise AnswerFileError(f"{target}: can't be written ({error.strerror})") from error
    return target


def read(path: Path) -> tuple[str, Exercise]:
    """The text of a learner's file, and its exercise, which the file's first lines name.

    Raises:
        AnswerFileError: it can't be read, isn't text in UTF-8, or names no exercise.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise AnswerFileError(f"{path}: {path.stat().st_size:,} bytes; an answer has a few thousand at most")
        data = path.read_bytes()
    except OSError as error:
        raise AnswerFileError(f"{path}: can't be read ({error.strerror})") from error
    text = _decoded(path, data)
    for line in text.splitlines()[:20]:
        if named := _NAMED.match(line.strip()):
            try:
                return text, find(named[1])
            except ValueError as error:
                raise AnswerFileError(f"{path}: {error}") from None
    raise AnswerFileError(
        f"{path}: doesn't say which exercise it is of; its first line must be `{HEADER}NAME`, as `photomend exercise "
        "start NAME` writes it"
    )


def _decoded(path: Path, data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise AnswerFileError(f"{path}: is in UTF-16; save it as UTF-8")
    if b"\0" in data:
        raise AnswerFileError(f"{path}: is no text; it holds a byte 0")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise AnswerFileError(
            f"{path}:{line}: isn't in UTF-8 (byte {data[error.start]:#04x}); save it as UTF-8"
        ) from None


def lines_of(text: str, function: str, inner: bool = False) -> tuple[int, int] | None:
    """The first and last line of a function or class, or of the function inside it; None if there is none.

    >>> lines_of("def f(x):\\n    def g(y):\\n        return y\\n    return x, g\\n", "f", inner=True)
    (2, 3)
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and plain(node.name) == function:
            inside = [n for n in node.body if isinstance(n, ast.FunctionDef)] if inner else []
            last = inside[-1] if inside else node
            return last.lineno, last.end_lineno or last.lineno
    return None
