"""What the gradient checker refuses, with the reason, and what it leaves as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from photomend.core import Array, GradientError, Primitive, Tensor, exp, getitem, gradcheck, no_grad
from photomend.layers import BatchNorm1d, Dropout, Linear
from photomend.tests.core.test_gradcheck import normal


def test_what_is_the_callers_must_not_be_changed() -> None:
    def in_cotangent(x: Array):
        return x * 3, lambda ȳ: ȳ.mul_(3)

    def in_input(x: Array):
        return x.mul_(2), lambda ȳ: ȳ * 2

    with pytest.raises(RuntimeError, match="the pullback of 'in_cotangent' changed its cotangent in place"):
        gradcheck(Primitive(in_cotangent), normal(3))
    with pytest.raises(GradientError, match="x was changed in place"):
        gradcheck(Primitive(in_input), normal(3))


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
        (exp, ([1.0],), TypeError, "x is a list; give an array"),
        (exp, (torch.tensor([1, 2]),), ValueError, "exp has no inputs .*; arrays of integers are constants"),
        (exp, (torch.tensor([1j]),), TypeError, "only real gradients are checked"),
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
        gradcheck(exp, normal(3), **{name: 0})  # type: ignore[arg-type]


def test_a_value_of_another_type_is_named() -> None:
    def rounded(x: Array):
        return x.float(), lambda ȳ: ȳ.double()

    with pytest.raises(TypeError, match=r"the value of rounded is torch\.float32"):
        gradcheck(Primitive(rounded), normal(3))


def test_float32_is_converted_for_the_while() -> None:
    assert gradcheck(lambda a, b: a * b, normal(2), torch.ones(2)) < 1e-8
    layer = BatchNorm1d(3)
    before = {name: (array, array.clone()) for name, array in layer.state_dict().items()}
    assert gradcheck(layer, torch.randn(5, 3)) < 1e-8
    for name, array in layer.state_dict().items():
        assert array is before[name][0]
        assert torch.equal(array, before[name][1])

    def wrong(x: Array, w: Array):
        return x * w, lambda ȳ: (ȳ * w, 2 * ȳ * x)

    with pytest.raises(GradientError, match=r"worst at  w.*\n(.*\n)+  note:     w converted to float64$"):
        gradcheck(Primitive(wrong), normal(2), torch.ones(2))


def test_arrays_without_axes_and_without_elements() -> None:
    assert gradcheck(exp, torch.tensor(0.3)) < 1e-8
    assert gradcheck(exp, torch.zeros(0, 3)) == 0
    assert gradcheck(lambda x: getitem(x, index=slice(0, 0)), normal(3)) == 0


def test_integers_are_constants() -> None:
    index = torch.tensor([2, 0, 2])
    assert gradcheck(lambda x, index: x[index], normal(3), index) < 1e-8


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
