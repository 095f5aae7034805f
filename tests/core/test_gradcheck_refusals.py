"""What the gradient checker refuses, with the reason, and what it leaves as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from photomend.core import Array, GradientError, Primitive, Tensor, exp, getitem, gradcheck, no_grad
from photomend.layers import BatchNorm1d, Conv2d, Dropout, Linear
from photomend.tests.core.test_gradcheck import normal


def test_what_is_the_callers_must_not_be_changed() -> None:
    def in_cotangent(x: Array):
        return x * 3, lambda ȳ: ȳ.mul_(3)

    def in_input(x: Array):
        return x.mul_(2), lambda ȳ: ȳ * 2

    for rule, what in ((in_cotangent, "the cotangent"), (in_input, "input 0")):
        with pytest.raises(GradientError, match=f"{what} was changed in place"):
            gradcheck(Primitive(rule), normal(3))


def test_a_random_function_is_refused() -> None:
    with pytest.raises(ValueError, match="Dropout is random"):
        gradcheck(Dropout(0.5), normal(20))


def test_running_statistics_are_left_as_they_were_and_start_every_call() -> None:
    norm = BatchNorm1d(3).to(dtype=torch.float64)
    before = {name: (buffer.data, buffer.data.clone()) for name, buffer in norm.named_buffers()}
    assert gradcheck(norm, normal(5, 3, seed=2)) < 1e-8
    for name, buffer in norm.named_buffers():
        assert buffer.data is before[name][0]
        assert torch.equal(buffer.data, before[name][1])


@pytest.mark.parametrize(
    ("fn", "inputs", "error", "message"),
    [
        (exp, (torch.zeros(0, 3).double(),), ValueError, "or only empty ones"),
        (lambda x: getitem(x, index=slice(0, 0)), (normal(3),), ValueError, "no elements"),
        (exp, ([1.0],), TypeError, "input 0 is a list; give a float64 array"),
        (exp, (torch.tensor([1, 2]),), TypeError, r"input 0 is torch\.int64, but differences need torch\.float64$"),
        (lambda x: (exp(x), exp(x)), (normal(3),), TypeError, "returned a tuple; it must return one Tensor"),
        (lambda x: x.data * 2, (normal(3),), TypeError, "returned a raw array; it must return one Tensor"),
        (lambda x: None, (normal(3),), TypeError, "returned a NoneType"),
    ],
)
def test_what_cannot_be_checked_is_refused(fn: Any, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gradcheck(fn, *inputs)


@pytest.mark.parametrize("name", ["step", "rtol", "directions"])
def test_settings_must_be_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} \(=0\) must be above 0"):
        gradcheck(exp, normal(3), **{name: 0})


def test_a_value_of_another_type_is_named() -> None:
    def rounded(x: Array):
        return x.float(), lambda ȳ: ȳ.double()

    with pytest.raises(TypeError, match=r"the value of rounded is torch\.float32"):
        gradcheck(Primitive(rounded), normal(3))


def test_float32_is_refused_with_the_reason() -> None:
    with pytest.raises(
        TypeError, match=r"input 1 is torch\.float32, but differences .* about 3 digits of a difference over 0\.001"
    ):
        gradcheck(lambda a, b: a * b, normal(2), torch.ones(2))
    with pytest.raises(TypeError, match=r"weight is torch\.float32"):
        gradcheck(Conv2d(1, 1, 1), normal(1, 1, 2, 2))


def test_frozen_parameters_are_left_out() -> None:
    layer = Linear(3, 2).to(dtype=torch.float64)
    layer.weight.tracked = False
    assert gradcheck(layer, normal(4, 3)) < 1e-8
    assert layer.weight.grad is None


def test_inputs_and_parameters_are_as_before() -> None:
    layer, x = Linear(3, 2).to(dtype=torch.float64), normal(4, 3)
    before = [a.clone() for a in (x, *layer.state_dict().values())]
    gradcheck(layer, x)
    assert all(torch.equal(a, b) for a, b in zip((x, *layer.state_dict().values()), before, strict=True))


def test_nothing_to_check_is_an_error() -> None:
    with pytest.raises(ValueError, match="gradcheck: <lambda> has no inputs and no parameters to check"):
        gradcheck(lambda: Tensor(normal(2)))
    with pytest.raises(ValueError, match="gradcheck: Linear has no inputs"):
        gradcheck(Linear(3, 2).freeze())


def test_gradients_that_stood_on_parameters_stay() -> None:
    layer = Linear(3, 2).to(dtype=torch.float64)
    layer.weight.grad = kept = normal(2, 3)
    gradcheck(layer, normal(4, 3))
    assert layer.weight.grad is kept
    assert layer.bias is not None
    assert layer.bias.grad is None
    with pytest.raises(RuntimeError, match="nothing was recorded"), no_grad():
        gradcheck(layer, normal(4, 3))
    assert layer.weight.grad is kept
