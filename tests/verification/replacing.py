"""Run with another rule: a function's code is replaced for a while by what an edited source of its file makes of it.

Replacing the code object, and not the name, reaches every place that holds the function already: the table of
primitives, `from … import`s, bound methods. A pullback is part of its rule's code, so it is replaced along with it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from photomend.core import Primitive


def find_function(module: str, qualname: str) -> FunctionType:
    """The plain function behind `module`'s ``name`` or ``Class.name``.

    Of a primitive that is its rule, of a property its getter.

    Raises:
        LookupError: there is none.
    """
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        try:
            found = inspect.getattr_static(found, name)
        except AttributeError:
            raise LookupError(f"{module} has no {qualname}") from None
    if isinstance(found, Primitive):
        found = found.rule
    elif isinstance(found, property):
        found = found.fget
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = inspect.unwrap(found)
    if not isinstance(found, FunctionType):
        raise LookupError(f"{module}.{qualname} is no function")
    return found


def code_in(tree: ast.Module | str, qualname: str, filename: str) -> CodeType:
    """The code object of the function `qualname` (``name`` or ``Class.name``) in a module's source.

    Raises:
        LookupError: the source has none.
        SyntaxError: it can't be compiled.
    """
    left = [compile(tree, filename, "exec", dont_inherit=True)]
    while left:
        code = left.pop()
        if code.co_qualname == qualname:
            return code
        left += [const for const in code.co_consts if isinstance(const, CodeType)]
    raise LookupError(f"{filename} has no {qualname}")


@contextmanager
def replaced(function: FunctionType, tree: ast.Module | str) -> Iterator[None]:
    """Inside this context `function` does what `tree`, an edited version of its whole file, says.

    Default values, and what stands at the top level of the file, stay as they are.
    """
    before = function.__code__
    function.__code__ = code_in(tree, function.__qualname__, before.co_filename)
    try:
        yield
    finally:
        function.__code__ = before
