"""Functions of arrays that torch compiles to C++, if that was asked for and a compiler is at hand.

A chain of additions on large arrays goes through memory once for each of them. Compiled into one loop (torch's
Inductor), each number is loaded once and stays in a register. The compiler takes its time, so nothing is compiled
unless a program asks for it: a training of an hour gains by it, the repair of one photo doesn't. What was compiled
once is kept on disk by torch, for the next process.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, ParamSpec, TypeVar

import torch

from ..tape import Array

P = ParamSpec("P")
R = TypeVar("R")

_on = False


def compile_functions(on: bool = True) -> bool:
    """Have compilable functions compiled from now on, or not any more; says whether they are.

    The first time, a small function is tried; where that fails, there is no compiler, or one that torch can't use.
    """
    global _on
    _on = on and _works()
    return _on


@contextmanager
def compiled_functions() -> Iterator[bool]:
    """Inside this context compilable functions are compiled, if that is possible; gives whether it is."""
    global _on
    before = _on
    try:
        yield compile_functions()
    finally:
        _on = before


def compiles_functions() -> bool:
    """Whether compilable functions are compiled."""
    return _on


@functools.cache
def _works() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(_compiled(_twice)(torch.ones(8)).sum() == 16)
        except Exception:  # of the compiler, of its absence, of headers that are missing: there are many
            return False


def _twice(x: Array) -> Array:
    return x + x


#: From how many readers, reads or operations on Inductor puts an intermediate result into memory: by itself from a few
#: or a few dozen. Here they are to stay in registers, however often they are needed.
_REALIZE = (
    *("realize_reads_threshold", "realize_opcount_threshold", "realize_acc_reads_threshold"),
    *("realize_cpu_opcount_threshold", "realize_cpu_acc_reads_threshold"),
)


#: How often one function may be compiled. One of them serves arrays of all sizes; but an axis of a single element, in
#: the array or in what it is a view of, asks for another one, and torch gives up after eight.
_VARIANTS = 64


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compiled once for arrays of all sizes (and once more where an axis has a single element)."""
    # They take a second, and only what is compiled needs them.
    from torch._dynamo import config as dynamo
    from torch._inductor import config

    dynamo.cache_size_limit = max(dynamo.cache_size_limit, _VARIANTS)  # in this thread; so it is called since torch 2.0
    options: Any = {name: 2**16 for name in _REALIZE if hasattr(config, name)}  # not all releases have all of them
    made: Any = torch.compile(function, dynamic=True, fullgraph=True, options=options)
    return made


class Compilable(Generic[P, R]):
    """A function of arrays, compiled when it is called while `compiles_functions`."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self._fast: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if not _on:
            return self.function(*args, **kwargs)
        if self._fast is None:
            self._fast = _compiled(self.function)
        try:
            with torch.no_grad():  # torch compiles once more for the other mode
                return self._fast(*args, **kwargs)
        except Exception as error:  # of the compiler: a training that has run for hours goes on without it
            compile_functions(False)
            said = (str(error).splitlines() or [""])[0]
            warnings.warn(
                f"{self.function.__name__} can't be compiled, and nothing is from here on: {said}", stacklevel=2
            )
            return self.function(*args, **kwargs)
