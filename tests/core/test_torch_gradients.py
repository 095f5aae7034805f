"""Arrays that require torch's own gradients: refused by name, or detached where they are copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from photomend.core import Array, Buffer, Parameter, Primitive, Tensor, add, concatenate, sum
from photomend.layers import BatchNorm2d, Conv2d, Sequential, conv2d, dropout, spectral_norm
from photomend.train.ema import EMA
from photomend.train.optimizers import SGD

T = torch.nn.Parameter(torch.ones(2))
COMPUTED = T * 2
X = Tensor(torch.ones(2))


def capturing(x: Array):
    return x * T, lambda ȳ: ȳ * T


@pytest.mark.parametrize(
    ("door", "name"),
    [
        (lambda: Tensor(T), "Tensor: data"),
        (lambda: Parameter(T), "Tensor: data"),
        (lambda: Buffer(T), "Buffer: data"),
        (lambda: add(T, 1.0), "add: a"),
        (lambda: add(torch.ones(2), T), "add: b"),
        (lambda: add(X, T), "add: b"),
        (lambda: X * T, "multiply: b"),
        (lambda: T * X, "multiply: a"),
        (lambda: X + COMPUTED, "add: b"),
        (lambda: concatenate(X, T, dim=0), r"concatenate: xs\[1\]"),
        (lambda: dropout(X, keep=T, p=0.5), "dropout: keep"),
        (lambda: spectral_norm(Tensor(torch.ones(2, 1)), u=T, v=torch.ones(1)), "spectral_norm: u"),
        (lambda: Conv2d(2, 1, 1)(torch.nn.Parameter(torch.ones(1, 2, 3, 3))), "conv2d: x"),
        (lambda: conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 1, 1).requires_grad_()), "conv2d: w"),
        (lambda: (X * 2).backward(T), "backward: the cotangent"),
        (lambda: Primitive(capturing)(X), "capturing: the value"),
    ],
)
def test_refused_by_name(door: Callable[[], object], name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name} .*requires torch's gradients.*detach"):
        door()
    with torch.no_grad(), pytest.raises(TypeError, match="requires torch's gradients"):
        Tensor(T)


def test_the_advice_works() -> None:
    (X * T.detach()).backward(torch.ones(2))
    assert X.grad is not None
    assert not X.grad.requires_grad
    X.grad = None


def test_data_that_was_replaced() -> None:
    """The attribute takes whatever it is given; the next use refuses it."""
    x = Tensor(torch.ones(2))
    x.data = T
    with pytest.raises(TypeError, match=r"add: a .* requires torch's gradients"):
        x + 1


def test_a_gradient_that_torch_recorded() -> None:
    def recording(x: Array):
        return x * 1, lambda ȳ: ȳ * T

    with pytest.raises(TypeError, match=r"recording: the pullback's gradient .* requires torch's gradients"):
        Primitive(recording)(X).backward(torch.ones(2))
    assert X.grad is None


def test_a_state_dict_of_parameters_is_detached() -> None:
    """What ``dict(module.named_parameters())`` gives; nothing that is loaded into requires gradients afterwards."""
    ours, twin = Conv2d(2, 3, 3), torch.nn.Conv2d(2, 3, 3)
    ours.load_state_dict(dict(twin.named_parameters()))
    assert torch.equal(ours.weight.data, twin.weight.detach())
    assert not any(array.requires_grad for array in ours.state_dict().values())
    sum(ours(torch.ones(1, 2, 4, 4))).backward()
    assert ours.weight.grad is not None


def test_later_calls_are_not_spoilt() -> None:
    """After every refusal the same call with plain arrays gives a plain result."""
    net = Sequential(Conv2d(16, 16, 3, padding=1), BatchNorm2d(16))
    x = torch.rand(1, 16, 24, 24)
    for array in (x.clone().requires_grad_(), x):
        try:
            y: Any = net(array)
        except TypeError:
            continue
        assert not y.data.requires_grad
        sum(y).backward()
    assert not any(a.requires_grad for a in net.state_dict().values())
    assert not any(p.grad.requires_grad for p in net.parameters() if p.grad is not None)


def test_averages_and_optimizers_take_detached_arrays_over() -> None:
    ours = Conv2d(1, 1, 1)
    average, optimizer = EMA(ours, 0.9), SGD(ours.parameters(), lr=0.1, momentum=0.9)
    for part, stored in ((average, average.weights), (optimizer, optimizer.state_dict())):
        state = {key: v.clone() if isinstance(v, Array) else v for key, v in part.state_dict().items()}
        for value in state.values():
            if isinstance(value, Array) and value.is_floating_point():
                value.requires_grad_()
        part.load_state_dict(state)
        assert not any(v.requires_grad for v in stored.values() if isinstance(v, Array))
