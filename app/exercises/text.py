"""What is read off a textbook answer: the file to start with, and the hints.

The answer is the only source: the file to start with is the answer without its bodies, and a hint is the line that
assigns to a name, with the comment above it. Neither can become stale.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator

from .catalogue import Exercise

#: Why a rule and a pullback return what they do.
RETURNS = (
    "A rule returns its value and its pullback, a function of ȳ alone. The pullback returns one gradient for each "
    "argument of the rule, in their order and of their shapes, and None for what can't have one. Neither changes what "
    "it is given."
)
HEADER = "# photomend exercise: "
_Function = ast.FunctionDef | ast.ClassDef


def start_text(exercise: Exercise) -> str:
    """The file to start with: the header, and the answer with signatures and docstrings but no bodies."""
    source = exercise.solution
    lines = source.splitlines()
    tree = ast.parse(source)
    for node in reversed(tree.body):
        if not isinstance(node, _Function):
            continue
        if node.name.startswith("_"):
            del lines[node.lineno - 1 : node.end_lineno]
        elif node.name in exercise.functions:
            _blank(lines, node)
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).rstrip() + "\n"
    return f"{HEADER}{exercise.name}\n{text}"


def _blank(lines: list[str], node: _Function) -> None:
    """Put a line that raises in the place of a function's body, or of the bodies of a class's methods."""
    if isinstance(node, ast.ClassDef):
        for method in reversed([n for n in node.body if isinstance(n, ast.FunctionDef)]):
            _blank(lines, method)
        return
    documented = ast.get_docstring(node) is not None
    first = node.body[0].end_lineno + 1 if documented else node.body[0].lineno  # type: ignore[operator]
    while not documented and lines[first - 2].strip().startswith("#"):
        first -= 1
    indent = " " * (node.col_offset + 4)
    lines[first - 1 : node.end_lineno] = [f'{indent}raise NotImplementedError("{node.name}: yours to write")']


def plain(name: str) -> str:
    """A name as Python has it: x̄ typed in two ways is one name."""
    return unicodedata.normalize("NFKC", name)


def barred(name: str) -> str:
    """The name of the gradient of `name` in the textbook answers.

    >>> barred("x"), barred("w1")
    ('x̄', 'w̄1')
    """
    return plain(f"{name[0]}\u0304{name[1:]}")


def derivation(exercise: Exercise, function: str, target: str) -> tuple[str, str]:
    """Why a line of the textbook answer is as it is, and the line: the last that assigns to `target` in `function`.

    Without a target it is the first line that a comment stands above. Both are empty if there is no such line.
    """
    source = exercise.solution
    lines = source.splitlines()
    found = ("", "")
    if target == "return":
        return RETURNS, "\n".join(_returns(source, function))
    for node in ast.parse(source).body:
        if isinstance(node, _Function) and node.name == function:
            for statement, targets in _assignments(node):
                if not target and lines[statement.lineno - 2].strip().startswith("#"):
                    return _comment_above(lines, statement.lineno), ast.get_source_segment(source, statement) or ""
                if target and plain(target) in targets:
                    found = _comment_above(lines, statement.lineno), ast.get_source_segment(source, statement) or ""
    return found


def _returns(source: str, function: str) -> list[str]:
    """What a rule and its pullback return in the textbook answer."""
    rule = next(n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == function)
    own = [n for n in rule.body if isinstance(n, ast.FunctionDef | ast.Return)]
    inner = [(f, n) for f in own if isinstance(f, ast.FunctionDef) for n in f.body if isinstance(n, ast.Return)]
    told = [f"{ast.unparse(n)}  # in {f.name}" for f, n in inner[-1:]]
    return [*told, *(f"{ast.unparse(n)}  # in {function}" for n in own if isinstance(n, ast.Return))]


def _assignments(node: ast.AST) -> Iterator[tuple[ast.stmt, set[str]]]:
    """Statements that assign, and the names and attributes that they assign to; calls count as themselves."""
    for child in ast.walk(node):
        if isinstance(child, ast.Assign):
            names: set[str] = set()
            for target in child.targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                names |= {plain(ast.unparse(part)) for part in parts}
            yield child, names
        elif isinstance(child, ast.AugAssign):
            yield child, {plain(ast.unparse(child.target))}
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield child, {plain(ast.unparse(child.value))}


def _comment_above(lines: list[str], lineno: int) -> str:
    """The comment that ends nearest above a line, in one paragraph; up to 8 lines farther up."""
    end = lineno - 1
    while end > max(0, lineno - 8) and not lines[end - 1].strip().startswith("#"):
        end -= 1
    first = end
    while first > 0 and lines[first - 1].strip().startswith("#"):
        first -= 1
    return " ".join(" ".join(line.strip().lstrip("#") for line in lines[first:end]).split())
