"""Every optimizer against torch.optim: 20 steps on a badly scaled quadratic, float64, 1e-10 apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from photomend.core import Parameter
from photomend.train.optimizers import SGD, Adam, AdamW, Optimizer

from .quadratics import drawn, gradient

SHAPES = [(3, 4), (5,), ()]

PAIRS: dict[str, tuple[Callable[..., Optimizer], Callable[..., torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (SGD, torch.optim.SGD, {"lr": 0.05}),
    "sgd decay": (SGD, torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    "momentum": (SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "momentum decay": (SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    "adam": (Adam, torch.optim.Adam, {"lr": 0.02}),
    "adam betas": (Adam, torch.optim.Adam, {"lr": 0.02, "betas": (0.5, 0.99), "eps": 1e-3}),
    "adam decay": (Adam, torch.optim.Adam, {"lr": 0.02, "weight_decay": 0.1}),
    "adamw": (AdamW, torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.1}),
    "adamw default": (AdamW, torch.optim.AdamW, {}),
}


def parameters() -> list[Parameter]:
    return drawn(SHAPES)


def train(optimizer: Optimizer, steps: range) -> None:
    for step in steps:
        for index, parameter in enumerate(optimizer.parameters):
            # The last parameter is frozen for the first five steps.
            frozen = index == len(SHAPES) - 1 and step < 5
            parameter.grad = None if frozen else gradient(parameter.data, step)
        optimizer.step()


@pytest.mark.parametrize("name", PAIRS)
def test_matches_torch(name: str) -> None:
    ours, theirs, options = PAIRS[name]
    mine = parameters()
    twins = [torch.nn.Parameter(p.data.clone()) for p in mine]
    reference = theirs(twins, **options)
    train(ours(mine, **options), range(20))
    for step in range(20):
        for index, twin in enumerate(twins):
            frozen = index == len(SHAPES) - 1 and step < 5
            twin.grad = None if frozen else gradient(twin.detach(), step)
        reference.step()
    for parameter, twin in zip(mine, twins, strict=True):
        torch.testing.assert_close(parameter.data, twin.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", PAIRS)
def test_state_continues_identically(name: str) -> None:
    ours, _, options = PAIRS[name]
    whole, half, rest = parameters(), parameters(), parameters()
    train(ours(whole, **options), range(12))
    first = ours(half, **options)
    train(first, range(7))
    for parameter, stopped in zip(rest, half, strict=True):
        parameter.data.copy_(stopped.data)
    second = ours(rest, **options)
    second.load_state_dict(first.state_dict())
    train(second, range(7, 12))
    for a, b in zip(whole, rest, strict=True):
        assert torch.equal(a.data, b.data)


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_belong_to_the_caller(name: str) -> None:
    ours, _, options = PAIRS[name]
    optimizer = ours(parameters(), **options)
    grads = [torch.full_like(p.data, 0.7) for p in optimizer.parameters]
    for parameter, grad in zip(optimizer.parameters, grads, strict=True):
        parameter.grad = grad
    optimizer.step()
    assert all(bool((grad == 0.7).all()) for grad in grads)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in optimizer.parameters)


def test_updates_in_place() -> None:
    parameter = Parameter(torch.ones(3))
    address = parameter.data.data_ptr()
    parameter.grad = torch.ones(3)
    AdamW([parameter], lr=0.1).step()
    assert parameter.data.data_ptr() == address


def test_foreign_states_are_refused() -> None:
    adam = Adam(parameters())
    with pytest.raises(ValueError, match=r"'mean\.0' is unknown"):
        SGD(parameters(), lr=0.1).load_state_dict(adam.state_dict())
    with pytest.raises(ValueError, match="is missing"):
        adam.load_state_dict(SGD(parameters(), lr=0.1).state_dict())
    other = Adam([Parameter(torch.zeros(2, 2)) for _ in SHAPES])
    with pytest.raises(ValueError, match=r"'mean.0' has shape \(2, 2\)"):
        adam.load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD([], lr=0.1), "at least one"),
        (lambda: SGD(parameters(), lr=-1), r"lr \(=-1\)"),
        (lambda: SGD(parameters(), lr=float("nan")), "lr"),
        (lambda: SGD(parameters(), lr=1, momentum=-0.1), "momentum"),
        (lambda: Adam(parameters(), betas=(0.9, 1.0)), "betas"),
        (lambda: Adam(parameters(), eps=-1e-8), "eps"),
        (lambda: AdamW(parameters(), weight_decay=-1), "weight_decay"),
    ],
)
def test_bad_options(make: Callable[[], Optimizer], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
