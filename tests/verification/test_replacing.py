"""Edited code runs, everywhere, and only inside the context."""

from __future__ import annotations

import inspect
import sys

import pytest
import torch
from photomend.core import Tensor
from photomend.layers import ReLU, relu
from photomend.tests.verification.replacing import code_in, find_function, replaced


def source_of(function) -> str:
    return inspect.getsource(sys.modules[function.__module__])


def gradient() -> list[float]:
    x = Tensor(torch.tensor([-1.0, 2.0]))
    ReLU()(x).backward(torch.ones(2))
    assert x.grad is not None
    return x.grad.tolist()


def test_an_edited_pullback_runs_wherever_the_primitive_is_held() -> None:
    rule = find_function("photomend.layers.activation", "relu")
    assert rule is relu.rule
    edited = source_of(rule).replace("where_not_zero(ȳ, y)", "where_not_zero(ȳ, y) * 3")
    with replaced(rule, edited):
        assert gradient() == [0, 3]
    assert gradient() == [0, 1]


def test_the_old_code_is_back_after_an_error() -> None:
    rule = find_function("photomend.layers.activation", "relu")
    before = rule.__code__
    with pytest.raises(ValueError, match="fails"), replaced(rule, source_of(rule)):
        int("the edited rule fails")
    assert rule.__code__ is before


@pytest.mark.parametrize("qualname", ["Problem.of", "Problem.plain", "Problem.seen", "rotated"])
def test_methods_properties_rules_and_helpers_are_found(qualname: str) -> None:
    assert find_function("photomend.layers.convolution.problem", qualname).__qualname__ == qualname


@pytest.mark.parametrize("qualname", ["nothing", "Problem.nothing", "Problem.images", "Pair"])
def test_what_is_no_function_is_named(qualname: str) -> None:
    with pytest.raises(LookupError, match=qualname.rpartition(".")[2]):
        find_function("photomend.layers.convolution.problem", qualname)


def test_a_source_without_the_function_is_named() -> None:
    with pytest.raises(LookupError, match=r"x\.py has no f"):
        code_in("g = 1", "f", "x.py")
