"""Tensor: its operators with Tensors, arrays and numbers on either side, and what it refuses."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import Array, Parameter, Tensor

A = torch.tensor([[1.5, 2.0], [0.5, 3.0]], dtype=torch.float64)
B = torch.tensor([[0.7, 1.1], [2.0, 0.4]], dtype=torch.float64)
V = torch.tensor([[0.3, -1.2], [2.0, 0.6]], dtype=torch.float64)

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul]
NUMBERS: list[Any] = [3, 2.5, np.float64(2.5), np.float32(2.5), np.int64(3)]


def check(f: Callable[..., Any], *args: Any) -> None:
    """f on these arguments against torch, Tensors among them differentiated."""
    twins = [a.data.clone().requires_grad_() if isinstance(a, Tensor) else a for a in args]
    y, expected = f(*args), f(*twins)
    assert isinstance(y, Tensor)
    torch.testing.assert_close(y.data, expected.detach(), rtol=1e-14, atol=0)
    y.backward(V)
    expected.backward(V)
    for ours, twin in zip(args, twins, strict=True):
        if isinstance(ours, Tensor):
            torch.testing.assert_close(ours.grad, twin.grad, rtol=1e-13, atol=0)


@pytest.mark.parametrize("f", OPERATORS, ids=lambda f: f.__name__)
def test_operator_between_tensors_and_arrays(f: Callable[..., Any]) -> None:
    check(f, Tensor(A), Tensor(B))
    check(f, Tensor(A), B)
    check(f, A, Tensor(B))
    check(f, Parameter(A), Tensor(B))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("f", OPERATORS[:-1], ids=lambda f: f.__name__)
def test_operator_with_numbers(f: Callable[..., Any], number: Any) -> None:
    check(lambda t: f(t, float(number)) if isinstance(t, Array) else f(t, number), Tensor(A))
    check(lambda t: f(float(number), t) if isinstance(t, Array) else f(number, t), Tensor(A))


def test_other_operators() -> None:
    check(operator.neg, Tensor(A))
    check(lambda t: t**2, Tensor(A))
    check(lambda t: t**-0.5, Tensor(A))
    check(lambda t: t[[1, 0]], Tensor(A))
    check(lambda t: t[:, [0, 0]], Tensor(A))
    check(lambda t: t[torch.tensor([True, True])], Tensor(A))
    check(lambda t: t[None, :, :][0], Tensor(A))


def test_in_place_operators_make_a_new_tensor() -> None:
    x = Tensor(A.clone())
    y = x
    y += 1
    y *= B
    assert torch.equal(x.data, A)
    assert torch.equal(y.data, (A + 1) * B)


def test_exponent_must_be_a_number() -> None:
    with pytest.raises(TypeError, match="power: exponent is an option and can't be a Tensor"):
        Tensor(A) ** Tensor(B)  # type: ignore[operator]


def test_attributes() -> None:
    x = Tensor(A)
    y = x * 2
    assert (x.shape, x.ndim, x.dtype, x.device, len(x)) == ((2, 2), 2, torch.float64, torch.device("cpu"), 2)
    assert x.is_leaf
    assert not y.is_leaf
    assert y.detach() is y.data
    assert Tensor(torch.tensor(2.5)).item() == 2.5
    assert repr(y) == f"Tensor({y.data}, made by multiply)"
    assert repr(Parameter(A)) == f"Parameter({A})"


@pytest.mark.parametrize(
    ("data", "message"),
    [([1.0], "must be a torch.Tensor, not list"), (torch.tensor([1]), "must be floating point, not torch.int64")],
)
def test_data_must_be_a_floating_point_array(data: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Tensor(data)


def test_iterates_over_rows() -> None:
    rows = list(Tensor(A))  # type: ignore[call-overload]
    assert [r.data.tolist() for r in rows] == A.tolist()
