"""Recomputation: the same values and gradients as without it, and nothing kept in between."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from photomend.core import Array, Module, Tensor, multiply, no_grad, recompute, sum
from photomend.layers import BatchNorm2d, Conv2d, Dropout, ReLU, Sequential, SpectralConv2d


def block() -> Sequential:
    return Sequential(Conv2d(3, 4, 3, padding=1), BatchNorm2d(4), ReLU(), Dropout(0.5), Conv2d(4, 2, 1))


def step(model: Module, x: Tensor, again: bool) -> tuple[Array, list[Array | None]]:
    """The value of one step with fixed random numbers, and the gradients of x and of the parameters."""
    torch.manual_seed(7)
    y = recompute(model, x) if again else model(x)
    after = torch.rand(1)  # what draws random numbers later must not notice
    y.backward(torch.linspace(-1, 1, y.data.numel()).reshape(y.shape))
    return torch.cat((y.data.reshape(-1), after, torch.rand(1))), [x.grad, *(p.grad for p in model.parameters())]


def test_everything_is_as_without_it() -> None:
    """Value, gradients, running statistics and the random numbers afterwards."""
    plain, again = block(), block()
    again.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(1))
    for tracked in (True, False):
        expected, gradients = step(plain, Tensor(x, tracked=tracked), again=False)
        value, found = step(again, Tensor(x, tracked=tracked), again=True)
        assert torch.equal(value, expected)
        for a, b in zip(found, gradients, strict=True):
            assert (a is None) == (b is None)
            assert a is None or b is None or torch.equal(a, b)
    for name, array in plain.state_dict().items():
        assert torch.equal(again.state_dict()[name], array), name


def test_a_parameter_that_is_used_outside_too() -> None:
    layer, x = Conv2d(2, 2, 1, bias=False), torch.ones(1, 2, 3, 3)
    sum(recompute(layer, layer(x))).backward()
    found, layer.weight.grad = layer.weight.grad, None
    sum(layer(layer(x))).backward()
    assert found is not None
    torch.testing.assert_close(found, layer.weight.grad)


def test_frozen_parameters_and_constants_receive_nothing() -> None:
    layer, x = Conv2d(2, 2, 1), Tensor(torch.ones(1, 2, 3, 3))
    layer.bias.tracked = False  # type: ignore[union-attr]
    sum(recompute(layer, x)).backward()
    assert x.grad is not None
    assert layer.weight.grad is not None
    assert layer.bias is not None
    assert layer.bias.grad is None
    assert not recompute(layer.freeze(), x.data).tracked


def test_inner_results_are_not_kept() -> None:
    """And a function of several inputs may be recomputed as well as a module."""
    inner: list[Any] = []

    def product(a: Tensor, b: Tensor) -> Tensor:
        ab = multiply(a, b)
        inner.append(weakref.ref(ab if isinstance(ab, Array) else ab.data))
        return multiply(ab, ab)

    a, b = Tensor(torch.tensor([2.0])), torch.tensor([3.0])
    y = recompute(product, a, b)
    assert inner[0]() is None
    y.backward()
    assert a.grad is not None
    assert a.grad.item() == 2 * 2 * 9
    assert len(inner) == 2


def test_backward_inside_no_grad() -> None:
    x = Tensor(torch.tensor([2.0]))
    y = recompute(lambda x: multiply(x, x), x)
    with no_grad():
        y.backward()
    assert x.grad is not None
    assert x.grad.item() == 4.0


def test_a_weight_that_was_changed_since_is_an_error() -> None:
    layer = Conv2d(2, 2, 1)
    y = sum(recompute(layer, torch.ones(1, 2, 3, 3)))
    layer.weight.data += 1
    with pytest.raises(RuntimeError, match=r"of 'recomputed Conv2d', .* was changed in place"):
        y.backward()


def test_the_second_run_begins_with_the_first_ones_buffers() -> None:
    """Spectral normalisation goes on from the vector that it found; a second run must find the same."""
    plain, again = SpectralConv2d(2, 3, 3), SpectralConv2d(2, 3, 3)
    again.load_state_dict(plain.state_dict())
    x = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(1))
    expected, gradients = step(plain, Tensor(x), again=False)  # type: ignore[arg-type]
    value, found = step(again, Tensor(x), again=True)  # type: ignore[arg-type]
    assert torch.equal(value, expected)
    for a, b in zip(found, gradients, strict=True):
        torch.testing.assert_close(a, b)
    for name, array in plain.state_dict().items():
        assert torch.equal(again.state_dict()[name], array), name


def test_the_second_run_is_in_the_first_ones_mode() -> None:
    norm, x = BatchNorm2d(2), Tensor(torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(1)))
    weights = torch.linspace(-1, 1, x.data.numel()).reshape(x.shape)
    y = recompute(norm, x)
    norm.eval()
    y.backward(weights)
    assert not norm.training
    found, x.grad = x.grad, None
    norm.train()(x).backward(weights)
    torch.testing.assert_close(found, x.grad)
