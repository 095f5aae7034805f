from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
import torch
from photomend.core import Array, compiling
from photomend.core.compiling import Compilable, compile_functions, compiled_functions, is_compiling


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    compile_functions(False)


@pytest.fixture
def compiler() -> None:
    if not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("no C++ compiler here")
    assert compile_functions()


@Compilable
def plus_and_minus(x: Array, y: Array) -> tuple[Array, Array]:
    return x + y, x - y


def test_a_function_runs_as_it_was_written_unless_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", None)  # it would fail
    assert not is_compiling()
    plus, minus = plus_and_minus(torch.tensor([1.0]), torch.tensor([2.0]))
    assert (plus.item(), minus.item()) == (3, -1)


@pytest.mark.usefixtures("compiler")
def test_compiled_once_for_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    once = compiling._compiled
    made: list[object] = []

    def counted(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        made.append(function)
        return once(function)

    monkeypatch.setattr(compiling, "_compiled", counted)

    @Compilable
    def scaled(x: Array) -> Array:
        return 3 * x + 1

    for size in ((4, 5), (7, 3), (12, 40)):
        x = torch.randn(size)
        torch.testing.assert_close(scaled(x), 3 * x + 1)
    assert is_compiling()
    assert made == [scaled.function]


def test_a_context_ends_as_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_works", lambda: True)
    with compiled_functions() as outer, compiled_functions() as inner:
        assert (outer, inner, is_compiling()) == (True, True, True)
    assert not is_compiling()


def test_without_a_compiler_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(function: object) -> object:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(compiling, "_compiled", fails)
    assert not compile_functions()
    assert not is_compiling()
