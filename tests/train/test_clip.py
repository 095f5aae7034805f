"""Clipping against torch.nn.utils.clip_grad_norm_."""

from __future__ import annotations

import math

import pytest
import torch
from photomend.core import Parameter
from photomend.train.optimizers import clip_grad_norm, grad_norm


def with_gradients(scale: float) -> list[Parameter]:
    generator = torch.Generator().manual_seed(1)
    parameters = [Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in [(4, 3), (7,), (2,)]]
    for parameter in parameters[:2]:  # the third has none
        parameter.grad = scale * torch.randn(parameter.data.shape, generator=generator, dtype=torch.float64)
    return parameters


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_matches_torch(scale: float) -> None:
    mine = with_gradients(scale)
    twins = [torch.nn.Parameter(p.data.clone()) for p in mine]
    for twin, parameter in zip(twins, mine, strict=True):
        twin.grad = None if parameter.grad is None else parameter.grad.clone()
    expected = torch.nn.utils.clip_grad_norm_(twins, 1.5)
    assert clip_grad_norm(mine, 1.5) == pytest.approx(expected.item(), rel=1e-12)
    for twin, parameter in zip(twins, mine, strict=True):
        if parameter.grad is not None:  # torch divides by ‖g‖ + 1e-6
            torch.testing.assert_close(parameter.grad, twin.grad, rtol=2e-6, atol=0)


def test_the_norm_is_the_limit_afterwards() -> None:
    parameters = with_gradients(100.0)
    clip_grad_norm(parameters, 0.5)
    assert clip_grad_norm(parameters, 1.0) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_changes_nothing(value: float) -> None:
    parameter = Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, value])
    assert not math.isfinite(clip_grad_norm([parameter], 1.0))
    assert parameter.grad[0] == 3.0


def test_no_gradients() -> None:
    assert clip_grad_norm([Parameter(torch.zeros(2))], 1.0) == 0.0


def test_a_generator_and_a_single_parameter() -> None:
    parameters = with_gradients(100.0)
    before = clip_grad_norm((parameter for parameter in parameters), 0.5)
    assert before > 0.5
    assert grad_norm(parameters) == pytest.approx(0.5, rel=1e-12)
    clip_grad_norm(parameters[0], 0.1)
    assert grad_norm(parameters[:1]) == pytest.approx(0.1, rel=1e-12)


def test_bad_limit() -> None:
    with pytest.raises(ValueError, match=r"max_norm \(=0\)"):
        clip_grad_norm([], 0)


def test_many_numbers_are_added_exactly_enough() -> None:
    parameter = Parameter(torch.zeros(2**22))
    parameter.grad = torch.randn(2**22, generator=torch.Generator().manual_seed(1))
    exact = parameter.grad.double().norm().item()
    assert grad_norm([parameter]) == pytest.approx(exact, rel=1e-6)
