"""Small helpers to write edited syntax trees with."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Any


def built(template: str, **parts: ast.expr) -> ast.expr:
    """The expression `template` with `parts` in the places of the names."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return parts.get(node.id, node)

    return Fill().visit(ast.parse(template, mode="eval").body)


def altered(node: ast.AST, **fields: Any) -> ast.AST:
    """A copy of `node` with other `fields`."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def without(items: list[Any]) -> Iterator[list[Any]]:
    """`items` with one of them left out, each in turn."""
    for i in range(len(items)):
        yield items[:i] + items[i + 1 :]


def called(node: ast.AST) -> str:
    """The name of the function or method that `node` calls; empty if it is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
