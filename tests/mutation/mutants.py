"""A mutant: the package with one mistake in it, and the list of all of them."""

from __future__ import annotations

import ast
import importlib.util
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from photomend.tests.mutation.operators import GRADIENT_OPERATORS, OPERATORS
from photomend.tests.mutation.sites import Site, function_in, regions, sites

#: The way from a tree's root to a node: fields, and positions in lists.
Place = tuple[str | int, ...]


class Identity(NamedTuple):
    """What a mutant is called for as long as its function is written the same way, wherever in the file it stands."""

    file: str
    function: str
    operator: str
    before: str
    after: str
    occurrence: int = 1  # of this very change in the function

    def __str__(self) -> str:
        again = f" ({self.occurrence})" if self.occurrence > 1 else ""
        return f"{self.file} {self.function}: {self.operator}: `{self.before}` -> `{self.after}`{again}"


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Args:
        site: the function that is wrong.
        identity: what it is called.
        line: where it stands today.
        place: of the node that is replaced.
        replacement: what stands there instead.
    """

    site: Site
    identity: Identity
    line: int
    place: Place
    replacement: ast.AST

    def __str__(self) -> str:
        return str(self.identity._replace(file=f"{self.identity.file}:{self.line}"))

    def tree(self) -> ast.Module:
        """The syntax tree of the whole file with the mistake in it."""
        tree = ast.parse(_source(self.site.module))
        _put(tree, self.place, self.replacement)
        return ast.fix_missing_locations(tree)


@cache
def all_mutants() -> tuple[Mutant, ...]:
    """Every mutant of every site."""
    return tuple(mutant for site in sites() for mutant in mutants_of(site))


def mutants_of(site: Site) -> list[Mutant]:
    """The mutants of one site; of two mistakes with the same result, the first."""
    tree = ast.parse(_source(site.module))
    function = function_in(tree, site.function)
    found: list[Mutant] = []
    times: Counter[Identity] = Counter()
    seen = {ast.dump(function)}
    for operator, place, replacement in list(_mistakes(tree, function, site)):
        shown = _shown(tree, place)
        before = _text(_at(tree, shown))
        original = _put(tree, place, replacement)
        after, result = _text(_at(tree, shown)), ast.dump(function)
        _put(tree, place, original)
        if result in seen:
            continue
        seen.add(result)
        identity = Identity(site.file, site.function, operator, before, after)
        times[identity] += 1
        line = getattr(_at(tree, shown), "lineno", function.lineno)
        found.append(Mutant(site, identity._replace(occurrence=times[identity]), line, place, replacement))
    return found


@cache
def _source(module: str) -> str:
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).read_text(encoding="utf-8")


def _text(node: ast.AST) -> str:
    """A node's source on one line; of an `if` its condition."""
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return unicodedata.normalize("NFKC", " ".join(ast.unparse(node).split()))


def _at(tree: ast.AST, place: Place) -> Any:
    found: Any = tree
    for step in place:
        found = found[step] if isinstance(step, int) else getattr(found, step)
    return found


def _put(tree: ast.AST, place: Place, node: ast.AST) -> ast.AST:
    """Put `node` at `place`, and return what stood there."""
    parent, last, before = _at(tree, place[:-1]), place[-1], _at(tree, place)
    if isinstance(last, int):
        parent[last] = node
    else:
        setattr(parent, last, node)
    return before


def _shown(tree: ast.AST, place: Place) -> Place:
    """The place of the expression that a mistake at `place` is shown in: a number alone would say little."""
    while isinstance(_at(tree, place), ast.Constant | ast.Slice | ast.keyword | ast.Tuple | ast.UnaryOp | list):
        place = place[:-1]
    return place


def _mistakes(tree: ast.Module, function: ast.FunctionDef, site: Site) -> Iterator[tuple[str, Place, ast.AST]]:
    """(operator, place, what stands there instead)."""
    inside = regions(function, site.whole)
    gradients = _gradients(inside, site.gradient)
    wanted = {id(node) for node in inside}
    for node, place in _nodes(tree, wanted):
        operators = OPERATORS | GRADIENT_OPERATORS if id(node) in gradients else OPERATORS
        for name, operator in operators.items():
            for replacement in operator(node):
                yield name, place, replacement


def _nodes(node: ast.AST, wanted: set[int], place: Place = (), inside: bool = False) -> Iterator[tuple[ast.AST, Place]]:
    """Every node in the wanted regions, with its place: what is executed, and no checks of arguments."""
    inside = inside or id(node) in wanted
    if inside and _is_a_check(node):
        return
    if inside:
        yield node, place
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        if isinstance(value, ast.AST):
            yield from _nodes(value, wanted, (*place, field), inside)
        elif isinstance(value, list):
            for i, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield from _nodes(child, wanted, (*place, field, i), inside)


def _is_a_check(node: ast.AST) -> bool:
    """An assertion, an error raised on bad input, or a docstring."""
    match node:
        case ast.Assert() | ast.Raise() | ast.Expr(ast.Constant()):
            return True
        case ast.If(_, [ast.Raise()]) | ast.For(_, _, [ast.If(_, [ast.Raise()])]):
            return True
    return False


def _gradients(inside: list[ast.AST], whole: bool) -> set[int]:
    """The expressions among `inside` that are returned as gradients (their ids)."""
    found: set[int] = set()
    for region in inside:
        if whole or isinstance(region, ast.FunctionDef):
            functions = {n.name for n in ast.walk(region) if isinstance(n, ast.FunctionDef)}
            for node in ast.walk(region):
                if isinstance(node, ast.Return) and node.value is not None:
                    found |= {id(gradient) for gradient in _returned(node.value, functions)}
    return found


def _returned(value: ast.expr, functions: set[str]) -> Iterator[ast.expr]:
    """The gradients in what is returned: of functions that make them, their bodies."""
    match value:
        case ast.Tuple(elements):
            for element in elements:
                yield from _returned(element, functions)
        case ast.Lambda():
            yield value.body
        case ast.Constant():
            return
        case ast.Name(name) if name in functions:
            return  # its own return statements are found too
        case _:
            yield value
