"""What the gradient checker refuses, with the reason, and what it leaves as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from photomend.core import Array, GradientError, Primitive, exp, getitem, gradcheck
from photomend.layers import BatchNorm1d, Dropout
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
