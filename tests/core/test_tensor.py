"""Tensor: its operators with Tensors, arrays and numbers on either side, and what it refuses."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import photomend.layers  # noqa: F401 (it brings relu)
import pytest
import torch
from photomend.core import Array, Parameter, Tensor, cat, split, squeeze, stack, unsqueeze

A = torch.tensor([[1.5, 2.0], [0.5, 3.0]], dtype=torch.float64)
B = torch.tensor([[0.7, 1.1], [2.0, 0.4]], dtype=torch.float64)
V = torch.tensor([[0.3, -1.2], [2.0, 0.6]], dtype=torch.float64)

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
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
    check(abs, Tensor(A - 1))
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
    rows = list(Tensor(A))
    assert [r.data.tolist() for r in rows] == A.tolist()
    check(lambda t: torch.stack(list(t)) if isinstance(t, Array) else stack(list(t)), Tensor(A))
    with pytest.raises(TypeError, match="0-d"):
        list(Tensor(A).sum())


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
def test_comparisons_give_arrays_of_booleans(compare: Callable[..., Any]) -> None:
    for other in (B, A, 1.5, 2, np.float32(2)):
        expected = compare(A, other if isinstance(other, Array) else float(other))
        assert torch.equal(compare(Tensor(A), other), expected)
        if isinstance(other, Array):
            assert torch.equal(compare(Tensor(A), Tensor(other)), expected)
            assert torch.equal(compare(A, Tensor(other)), expected)
    assert torch.equal(Tensor(A) > 1.5, A > 1.5)


def test_what_is_no_number_is_not_equal() -> None:
    x = Tensor(A)
    assert operator.eq(x, None) is False
    assert operator.ne(x, "x") is True
    with pytest.raises(TypeError, match="not supported between instances of 'Tensor' and 'str'"):
        x < "x"  # noqa: B015


def test_tensors_are_keys_by_which_they_are() -> None:
    x, alike = Tensor(A), Tensor(A)
    names = {x: "x", alike: "alike"}
    assert (names[x], names[alike], len({x, alike, x})) == ("x", "alike", 2)
    p, q = Parameter(A), Parameter(A)
    assert p in {p}
    assert q not in {p}


#: Each on Tensors as on torch's, value and gradient. The gradient of what is linear has the shape of V.
METHODS: list[Callable[[Any], Any]] = [
    lambda t: t.sum(),
    lambda t: t.sum(1),
    lambda t: t.sum(dim=-1, keepdim=True),
    lambda t: t.sum((0, 1)),
    lambda t: t.sum([0, 1]),
    lambda t: t.mean(),
    lambda t: t.mean(0, True),
    lambda t: t.var(),
    lambda t: t.var(0),
    lambda t: t.var(dim=1, correction=0, keepdim=True),
    lambda t: t.amax(1),
    lambda t: t.amin(dim=0),
    lambda t: t.max(),
    lambda t: t.min(),
    lambda t: t.abs(),
    lambda t: t.exp(),
    lambda t: t.log(),
    lambda t: t.sqrt(),
    lambda t: t.pow(3),
    lambda t: t.pow(t),
    lambda t: 2**t,
    lambda t: t.clamp(1, 2.5),
    lambda t: t.clamp(min=1),
    lambda t: t.clamp(max=1),
    lambda t: t.reshape(4),
    lambda t: t.reshape(-1, 1),
    lambda t: t.reshape((1, 4)),
    lambda t: t.view([4, 1]),
    lambda t: t.sum().reshape(()),
    lambda t: t.flatten(),
    lambda t: t.sum().flatten(),
    lambda t: t[:, :, None].flatten(1),
    lambda t: t[:, None].flatten(0, 1),
    lambda t: t[:, None].flatten(-2, -2),
    lambda t: t.squeeze(),
    lambda t: t[None, :, :1].squeeze(),
    lambda t: t[None, :, :1].squeeze(0),
    lambda t: t[None, :, :1].squeeze((0, -1)),
    lambda t: t.squeeze(0),
    lambda t: t.sum().squeeze(-1),
    lambda t: t.unsqueeze(0),
    lambda t: t.unsqueeze(-1),
    lambda t: t.unsqueeze(1),
    lambda t: t.T,
    lambda t: t[None].mT,
    lambda t: t.transpose(0, 1),
    lambda t: t[None].transpose(0, -1),
    lambda t: t.permute(1, 0),
    lambda t: t[None].permute((2, 0, -2)),
    lambda t: t.split(1)[1],
    lambda t: t.split([0, 2], dim=1)[1],
    lambda t: t.split((1, 1), -1)[0],
    lambda t: t.split(3)[0],
]


@pytest.mark.parametrize("method", METHODS)
def test_method_is_torchs(method: Callable[[Any], Any]) -> None:
    x, twin = Tensor(A), A.clone().requires_grad_()
    y, expected = method(x), method(twin)
    assert isinstance(y, Tensor)
    torch.testing.assert_close(y.data, expected.detach(), rtol=1e-14, atol=0)
    v = torch.linspace(-1, 2, expected.numel(), dtype=A.dtype).reshape(expected.shape)
    y.backward(v)
    expected.backward(v)
    torch.testing.assert_close(x.grad, twin.grad, rtol=1e-13, atol=1e-15)


#: What has no derivative, on Tensors as on torch's.
FACTS: list[Callable[[Any], Any]] = [
    lambda t: t.shape,
    lambda t: t.size(),
    lambda t: t.size(-1),
    lambda t: (t.ndim, t.dim(), t.numel(), len(t)),
    lambda t: t.tolist(),
    lambda t: t.detach().numpy().tolist(),
    lambda t: t.argmax().item(),
    lambda t: t.argmax(1).tolist(),
    lambda t: t.argmax(dim=0, keepdim=True).tolist(),
    lambda t: (float(t[0, 1]), int(t[0, 1]), t[0, 1].item(), bool(t[0, 1])),
    lambda t: len(t.split(1, 1)),
]


@pytest.mark.parametrize("fact", FACTS)
def test_fact_is_torchs(fact: Callable[[Any], Any]) -> None:
    assert fact(Tensor(A)) == fact(A)


@pytest.mark.parametrize(
    ("mistake", "kind", "message"),
    [
        (lambda x: x.relu(), AttributeError, r"Tensor has no attribute 'relu'; call the function: relu\(x\)"),
        (lambda x: x.resape(4), AttributeError, "Tensor has no attribute 'resape'; did you mean 'reshape'"),
        (lambda x: x.zzzz, AttributeError, "Tensor has no attribute 'zzzz'$"),
        (lambda x: x[None].T, ValueError, r"3 axes isn't a matrix; write x.mT"),
        (lambda x: x.flatten(1, 0), ValueError, r"start_dim \(=1\) must not come after end_dim \(=0\)"),
        (lambda x: x.flatten(2), IndexError, r"dim \(=2\) is out of range for an array with 2 axes"),
        (lambda x: x.unsqueeze(-4), IndexError, r"dim \(=-4\) is out of range for an array with 3 axes"),
        (lambda x: x.split([1, 2]), ValueError, r"sections \(=\[1, 2\]\) must add up to 2, the length of axis 0"),
        (lambda x: x.split(0), ValueError, r"split_size \(=0\) must be at least 1"),
        (lambda x: x.clamp(), ValueError, "at least one of min and max must be given"),
        (
            lambda x: x.float(),
            AttributeError,
            r"no attribute 'float'; make it of another dtype, Tensor\(x",
        ),
        (lambda x: x.to("cpu"), AttributeError, "no attribute 'to'; make it anew"),
        (lambda x: x.loat, AttributeError, "no attribute 'loat'$"),
        (lambda x: x.max(0), TypeError, r"max: along an axis write x.amax\(dim\)"),
        (lambda x: x.sum().backward(retain_graph=True), ValueError, r"retain_graph \(=True\) isn't supported"),
        (lambda x: f"{x:.3f}", TypeError, r"format: '.3f' is of a single number"),
        (float, ValueError, "only one element tensors can be converted"),
    ],
)
def test_mistakes_are_named(mistake: Callable[[Tensor], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        mistake(Tensor(A))


def test_functions_take_raw_arrays_and_tensors() -> None:
    for kind in (Tensor, lambda a: a):
        x: Any = kind(A)
        assert squeeze(unsqueeze(x, 1), 1).shape == squeeze(unsqueeze(x, 0)).shape == (2, 2)
        assert [part.shape for part in split(x, [2, 0], dim=1)] == [(2, 2), (2, 0)]
        assert torch.equal(cat([x, x]).data, torch.cat([A, A]))


def test_formats() -> None:
    one = Tensor(torch.tensor(1.5))
    assert (f"{one:.3f}", f"{one}", f"{one[None]:.1f}") == ("1.500", "1.5", "1.5")
    assert f"{Tensor(A)}" == repr(Tensor(A))
