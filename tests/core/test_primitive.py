"""What `@primitive` promises: registration, raw calls, arguments by name, and errors that name the argument."""

from __future__ import annotations

import inspect
from typing import Any, cast

import pytest
import torch
from photomend.core import Array, Tensor, add, all_primitives, concatenate, multiply, primitive, sum
from photomend.core.primitive import sum_to_shape
from photomend.layers import conv2d, linear


def test_raw_arrays_give_raw_values() -> None:
    y = multiply(torch.ones(2), torch.full((2,), 3.0))
    assert type(y) is torch.Tensor
    assert torch.equal(y, torch.full((2,), 3.0))


def test_the_rule_returns_value_and_named_pullback() -> None:
    y, pullback = multiply.rule(torch.tensor(2.0), torch.tensor(3.0))
    ā, b̄ = (gradient() for gradient in cast(Any, pullback(torch.tensor(1.0))))
    assert (y.item(), ā.item(), b̄.item()) == (6.0, 3.0, 2.0)
    assert pullback.__name__ == "multiply_pullback"
    assert repr(multiply) == "<primitive multiply(a, b)>"
    assert repr(conv2d) == "<primitive conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1)>"
    assert inspect.signature(conv2d).return_annotation is Tensor
    assert list(inspect.signature(conv2d).parameters)[:4] == ["x", "w", "b", "stride"]


@pytest.mark.parametrize("name", [n for n, p in all_primitives().items() if p.rule.__module__.startswith("photomend")])
def test_every_primitive_is_documented(name: str) -> None:
    assert (all_primitives()[name].__doc__ or "").strip()


def test_names_are_unique() -> None:
    def add(a: Array):
        return a, lambda ȳ: ȳ

    with pytest.raises(ValueError, match="'add' is defined twice"):
        primitive(add)
    assert all_primitives()["add"].rule is not add


def test_dtype_mismatch_names_the_arguments() -> None:
    with pytest.raises(TypeError, match=r"add: b is torch.float64 on cpu, but a is torch.float32 on cpu"):
        add(Tensor(torch.ones(2)), torch.ones(2, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"linear: w is torch.float64 .* but x is torch.float32"):
        linear(torch.ones(1, 2), Tensor(torch.ones(3, 2, dtype=torch.float64)))
    with pytest.raises(TypeError, match=r"concatenate: xs\[1\] is torch.float64 .* but xs\[0\] is torch.float32"):
        concatenate(Tensor(torch.ones(1, 2)), torch.ones(1, 2, dtype=torch.float64))


def test_device_mismatch_names_the_arguments() -> None:
    with pytest.raises(TypeError, match=r"multiply: b is torch\.float32 on meta, but a is torch\.float32 on cpu"):
        multiply(Tensor(torch.ones(2)), torch.ones(2, device="meta"))


def test_an_option_cannot_be_a_tensor() -> None:
    with pytest.raises(TypeError, match="sum: dim is an option and can't be a Tensor"):
        sum(Tensor(torch.ones(2)), dim=Tensor(torch.ones(1)))


def test_arguments_by_name_and_left_out() -> None:
    """A bias given by name gets its gradient, and one left out is not missed."""
    x, w, b = torch.ones(1, 2, 3, 3), Tensor(torch.ones(4, 2, 1, 1)), Tensor(torch.ones(4))
    conv2d(x, b=b, w=w).backward(torch.ones(1, 4, 3, 3))
    assert b.grad is not None
    assert torch.equal(b.grad, torch.full((4,), 9.0))
    without_bias = Tensor(w.data)
    conv2d(x, without_bias).backward(torch.ones(1, 4, 3, 3))
    assert without_bias.grad is not None
    assert torch.equal(without_bias.grad, torch.full((4, 2, 1, 1), 9.0))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'w'"):
        conv2d(Tensor(x))
    with pytest.raises(TypeError, match="unexpected keyword argument 'strid'"):
        conv2d(Tensor(x), w, strid=2)


def test_options_by_position() -> None:
    """As torch has them; and a list of arrays in the place of any number of them."""
    x = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(sum(x, 1), torch.tensor([3.0, 12.0]))
    assert sum(x, 1, True).shape == (2, 1)
    assert sum(Tensor(x), (0, 1), keepdim=True).shape == (1, 1)
    for joined in (concatenate([x, x], 1), concatenate((Tensor(x), x), dim=1).data, concatenate(x, x, dim=1)):
        assert torch.equal(joined, torch.cat((x, x), 1))
    with pytest.raises(TypeError, match="sum: dim is given twice, by position and by name"):
        sum(x, 1, dim=1)
    with pytest.raises(TypeError, match="concatenate: dim is given twice"):
        concatenate([x, x], 1, dim=0)
    with pytest.raises(TypeError, match="sum: 1 arguments too many are given"):
        sum(x, 1, True, 3)
    with pytest.raises(TypeError, match="add: 1 arguments too many are given"):
        add(x, x, x)


@pytest.mark.parametrize(
    ("shape", "target"), [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 3), (2, 1)), ((4, 2, 3), (1, 3)), ((2, 3), ())]
)
def test_sum_to_shape_is_the_adjoint_of_broadcasting(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    v = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a = torch.randn(target, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    summed = sum_to_shape(v, torch.Size(target))
    assert summed.shape == target
    torch.testing.assert_close((a.expand(shape) * v).sum(), (a * summed).sum(), rtol=1e-12, atol=1e-12)
