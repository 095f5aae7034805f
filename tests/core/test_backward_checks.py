"""What a backward pass refuses: cotangents and gradients of another kind, and leaves that were changed meanwhile."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array, Parameter, Primitive, Tensor, add, concatenate, multiply, no_grad
from photomend.layers import linear


@pytest.mark.parametrize(
    ("cotangent", "message"),
    [
        (
            torch.ones(2, dtype=torch.float64),
            "the cotangent is torch.float64 on cpu, but the Tensor is torch.float32",
        ),
        (
            torch.ones(2, device="meta"),
            "the cotangent is torch.float32 on meta, but the Tensor is torch.float32",
        ),
    ],
    ids=["dtype", "device"],
)
def test_cotangent_of_another_kind(cotangent: Array, message: str) -> None:
    x = Tensor(torch.ones(2))
    with pytest.raises(TypeError, match=message):
        (x * 2).backward(cotangent)
    assert x.grad is None


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda ȳ: ȳ.double(), "wrong: .* torch.float64 on cpu for argument x, which is torch.float32"),
        (
            lambda ȳ: (lambda: ȳ.to("meta"),),
            "wrong: .* torch.float32 on meta for argument x, which is torch.float32",
        ),
    ],
    ids=["dtype", "device"],
)
def test_gradient_of_another_kind(returned, message: str) -> None:
    def wrong(x: Array):
        return x * 1, returned

    with pytest.raises(TypeError, match=message):
        Primitive(wrong)(Tensor(torch.ones(2))).backward(torch.ones(2))


def test_a_parameter_changed_in_place_is_named() -> None:
    """And no gradient is left anywhere: the first linear's would have been right, the second's not."""
    x, w, v = Tensor(torch.ones(4, 2)), Parameter(torch.ones(2, 2)), Parameter(torch.ones(3, 2))
    y = linear(linear(x, w), v)
    v.data.mul_(2)
    with pytest.raises(RuntimeError, match=r"argument w of 'linear', of shape \(3, 2\), was changed in place"):
        y.backward(torch.ones(4, 3))
    assert (x.grad, w.grad, v.grad) == (None, None, None)


def test_a_change_before_the_forward_pass_is_none() -> None:
    w = Parameter(torch.ones(2, 2))
    w.data.mul_(2)
    linear(torch.ones(4, 2), w).backward(torch.ones(4, 2))
    w.data.mul_(2)
    linear(torch.ones(4, 2), w).backward(torch.ones(4, 2))
    assert w.grad is not None
    assert torch.equal(w.grad, torch.full((2, 2), 8.0))


def test_replaced_data_is_no_change() -> None:
    """The pullback has the old array, and the gradient at the old value is what was asked for."""
    w = Parameter(torch.full((2,), 3.0))
    y = w * w
    w.data = w.data + 1
    w.data.mul_(5)
    y.backward(torch.ones(2))
    assert w.grad is not None
    assert torch.equal(w.grad, torch.full((2,), 6.0))


def test_replaced_data_changed_in_place_is_a_change() -> None:
    w = Parameter(torch.full((2,), 3.0))
    y, old = w * w, w.data
    w.data = torch.ones(2)
    old.zero_()
    with pytest.raises(RuntimeError, match="argument a of 'multiply'"):
        y.backward(torch.ones(2))


@pytest.mark.parametrize("operation", [add, multiply, concatenate])
def test_the_argument_is_counted(operation: Primitive) -> None:
    a, b = torch.ones(2, 2), Parameter(torch.ones(2, 2))
    y = operation(a, b)
    b.data[0] = 7
    with pytest.raises(RuntimeError, match=rf"argument (b|xs\[1\]) of '{operation.name}'"):
        y.backward(torch.ones(y.shape))


def test_frozen_leaves_and_no_grad_are_not_watched() -> None:
    frozen, x = Parameter(torch.ones(2), tracked=False), Parameter(torch.ones(2))
    y = frozen + x
    with no_grad():
        x + 1
    frozen.data.zero_()
    y.backward(torch.ones(2))
    assert x.grad is not None


def test_truth_is_the_elements() -> None:
    assert Tensor(torch.tensor(2.0))
    assert not Tensor(torch.tensor([[0.0]]))
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
        bool(Tensor(torch.ones(2)))
