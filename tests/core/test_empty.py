"""Arrays with an axis of length 0, and single numbers: torch's value and gradient, or an error that names the axis."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from photomend.core import Tensor, amax, mean, sum, variance
from photomend.layers import BatchNorm2d, GroupNorm, batch_norm


def biased(x: torch.Tensor, dim: Any) -> torch.Tensor:
    return torch.var(x, dim=dim, correction=0)


REDUCTIONS: list[tuple[Any, Callable[..., torch.Tensor]]] = [(sum, torch.sum), (mean, torch.mean), (variance, biased)]


@pytest.mark.parametrize("dim", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize(("ours", "theirs"), REDUCTIONS, ids=lambda f: getattr(f, "__name__", ""))
def test_reductions_over_nothing(ours: Any, theirs: Any, shape: tuple[int, ...], dim: Any) -> None:
    x, twin = Tensor(torch.ones(shape)), torch.ones(shape).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of degrees of freedom
        y, expected = ours(x, dim=dim), theirs(twin, dim=dim)
    torch.testing.assert_close(y.data, expected.detach(), equal_nan=True)
    y.backward(torch.ones(y.shape))
    assert x.grad is not None
    assert x.grad.shape == shape


@pytest.mark.parametrize(("ours", "theirs"), REDUCTIONS, ids=lambda f: getattr(f, "__name__", ""))
def test_reductions_of_a_single_number(ours: Any, theirs: Any) -> None:
    for dim in (None, 0, -1):
        x, twin = Tensor(torch.tensor(3.0)), torch.tensor(3.0).requires_grad_()
        y, expected = ours(x, dim=dim), theirs(twin, dim=dim)
        assert torch.equal(y.data, expected.detach())
        y.backward()
        expected.backward()
        assert torch.equal(x.grad, twin.grad)  # type: ignore[arg-type]
    for dim in (1, -2):
        with pytest.raises(ValueError, match=rf"dim \(={dim}\) is out of range for an array with 0 axes"):
            ours(torch.tensor(3.0), dim=dim)


def test_the_largest_of_nothing() -> None:
    with pytest.raises(ValueError, match=r"amax: input of shape \(0, 3\) has no elements along dim \(=0\)"):
        amax(Tensor(torch.ones(0, 3)), dim=0)
    x = Tensor(torch.ones(0, 3))
    y = amax(x, dim=1)
    y.backward(torch.ones(0))
    assert x.grad is not None
    assert x.grad.shape == (0, 3)
    one = Tensor(torch.tensor(2.0))
    amax(one).backward()
    assert one.grad == 1


@pytest.mark.parametrize("shape", [(0, 4, 3, 3), (2, 4, 0, 3)])
def test_norms_of_nothing(shape: tuple[int, ...]) -> None:
    """Nothing goes in and nothing comes out, and batch norm's statistics stay as they are, as in torch."""
    training = BatchNorm2d(4)
    for norm in (GroupNorm(2, 4), BatchNorm2d(4).eval(), training):
        x = Tensor(torch.ones(shape))
        y = norm(x)
        assert y.shape == shape
        y.backward(torch.ones(shape))
        assert x.grad is not None
        assert x.grad.shape == shape
        assert all(torch.equal(p.grad, torch.zeros(4)) for p in norm.parameters())  # type: ignore[arg-type]
    state = training.state_dict()
    assert torch.equal(state["running_mean"], torch.zeros(4))
    assert torch.equal(state["running_var"], torch.ones(4))


def test_a_norm_of_no_channels() -> None:
    x = torch.ones(2, 0, 3)
    y = batch_norm(x, running_mean=torch.ones(0), running_var=torch.ones(0), training=True)
    assert y.shape == x.shape
