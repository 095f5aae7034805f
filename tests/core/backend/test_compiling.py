from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
import torch._dynamo
from photomend.core import Array
from photomend.core.backend import compiling
from photomend.core.backend.compiling import Compilable, compile_functions, compiled_functions, compiles_functions


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    compile_functions(False)


@pytest.fixture
def compiler() -> None:
    if not compile_functions():
        pytest.skip("no C++ compiler that torch can use")


@Compilable
def plus_and_minus(x: Array, y: Array) -> tuple[Array, Array]:
    return x + y, x - y


def test_a_function_runs_as_it_was_written_unless_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", None)  # it would fail
    assert not compiles_functions()
    plus, minus = plus_and_minus(torch.tensor([1.0]), torch.tensor([2.0]))
    assert (plus.item(), minus.item()) == (3, -1)


@pytest.mark.usefixtures("compiler")
def test_compiled_once_for_all_sizes() -> None:
    @Compilable
    def scaled(x: Array) -> Array:
        return 3 * x + 1

    scaled(torch.randn(4, 5))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for size in ((7, 3), (12, 40)):
            x = torch.randn(size)
            torch.testing.assert_close(scaled(x), 3 * x + 1)
    assert compiles_functions()  # or the failure would have turned it off


@pytest.mark.usefixtures("compiler")
def test_compiled_for_more_kinds_of_arrays_than_torch_allows_by_itself() -> None:
    """An axis of a single element makes another kind, in the array and in what it is a view of."""

    @Compilable
    def scaled(x: Array) -> Array:
        return 3 * x + 1

    for sizes in itertools.product((1, 2), repeat=4):
        scaled(torch.randn(sizes))
        scaled(torch.randn(4, *sizes[1:])[: sizes[0]])
    assert compiles_functions()


def test_a_context_ends_as_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_works", lambda: True)
    with compiled_functions() as outer, compiled_functions() as inner:
        assert (outer, inner, compiles_functions()) == (True, True, True)
    assert not compiles_functions()


def test_what_cannot_be_compiled_runs_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(function: object) -> object:
        def fails(*arguments: object) -> object:
            raise RuntimeError("out of memory\nand more")

        return fails

    monkeypatch.setattr(compiling, "_works", lambda: True)
    monkeypatch.setattr(compiling, "_compiled", refuses)
    assert compile_functions()
    with pytest.warns(
        UserWarning, match="plus_and_minus can't be compiled, and nothing is from here on: out of memory$"
    ):
        assert plus_and_minus(torch.ones(1), torch.ones(1))[0].item() == 2
    assert not compiles_functions()


def test_without_a_compiler_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(function: object) -> object:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(compiling, "_compiled", fails)
    compiling._works.cache_clear()
    try:
        assert not compile_functions()
        assert not compiles_functions()
    finally:
        compiling._works.cache_clear()
