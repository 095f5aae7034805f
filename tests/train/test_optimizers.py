"""Every optimizer against torch.optim: 25 steps on a badly scaled quadratic, float64, 1e-10 apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from photomend.core import Parameter
from photomend.train.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from .quadratics import drawn, gradient

SHAPES = [(3, 4), (5,), ()]
Made = Callable[..., Optimizer]
Reference = Callable[..., torch.optim.Optimizer]

PAIRS: dict[str, tuple[Made, Reference, dict[str, Any]]] = {
    "sgd default": (SGD, torch.optim.SGD, {}),
    "adam default": (Adam, torch.optim.Adam, {}),
    "adamw default": (AdamW, torch.optim.AdamW, {}),
    "adagrad default": (Adagrad, torch.optim.Adagrad, {}),
    "rmsprop default": (RMSprop, torch.optim.RMSprop, {}),
    "adam betas": (Adam, torch.optim.Adam, {"lr": 0.02, "betas": (0.5, 0.99), "eps": 1e-3}),
    "adam no mean": (Adam, torch.optim.Adam, {"lr": 0.02, "betas": (0.0, 0.9), "amsgrad": True}),
}
ADAM: dict[str, list[Any]] = {
    "lr": [0.02],
    "weight_decay": [0.0, 0.1],
    "amsgrad": [False, True],
    "maximize": [False, True],
}
#: Every combination of these values; SGD's include some that are refused.
GRIDS: list[tuple[Made, Reference, dict[str, list[Any]]]] = [
    (
        SGD,
        torch.optim.SGD,
        {
            "lr": [0.05],
            "momentum": [0.0, 0.9],
            "dampening": [0.0, 0.3],
            "weight_decay": [0.0, 0.1],
            "nesterov": [False, True],
            "maximize": [False, True],
        },
    ),
    (Adam, torch.optim.Adam, ADAM),
    (AdamW, torch.optim.AdamW, ADAM),
    (
        Adagrad,
        torch.optim.Adagrad,
        {
            "lr": [0.1],
            "lr_decay": [0.0, 0.2],
            "weight_decay": [0.0, 0.1],
            "initial_accumulator_value": [0.0, 0.5],
            "maximize": [False, True],
        },
    ),
    (
        RMSprop,
        torch.optim.RMSprop,
        {
            "lr": [0.02],
            "alpha": [0.9],
            "weight_decay": [0.0, 0.1],
            "momentum": [0.0, 0.9],
            "centered": [False, True],
            "maximize": [False, True],
        },
    ),
]


def refused(options: dict[str, Any]) -> bool:
    return options.get("nesterov", False) and (options["momentum"] == 0 or options["dampening"] != 0)


REFUSED = []
for ours, theirs, grid in GRIDS:
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        told = [f"{name}={value}" for name, value in chosen.items() if value and name != "lr"]
        if refused(chosen):
            REFUSED.append(chosen)
        else:
            PAIRS[" ".join([theirs.__name__.lower(), *told])] = ours, theirs, chosen


def parameters() -> list[Parameter]:
    return drawn(SHAPES)


def gradient_of(weight: torch.Tensor, index: int, step: int, maximize: bool) -> torch.Tensor | None:
    """The last parameter is frozen for the first five steps."""
    if index == len(SHAPES) - 1 and step < 5:
        return None
    return -gradient(weight, step) if maximize else gradient(weight, step)


def train(optimizer: Optimizer, steps: Iterable[int]) -> None:
    for step in steps:
        for index, group, parameter in optimizer.indexed():
            parameter.grad = gradient_of(parameter.data, index, step, group.get("maximize", False))
        optimizer.step()


def train_torch(optimizer: torch.optim.Optimizer, steps: Iterable[int]) -> None:
    for step in steps:
        index = 0
        for group in optimizer.param_groups:
            for twin in group["params"]:
                twin.grad = gradient_of(twin.detach(), index, step, group["maximize"])
                index += 1
        optimizer.step()


def twins_of(mine: Iterable[Parameter]) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(p.data.clone()) for p in mine]


def assert_equal(mine: Iterable[Parameter], twins: Iterable[torch.Tensor]) -> None:
    for parameter, twin in zip(mine, twins, strict=True):
        torch.testing.assert_close(parameter.data, twin.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", PAIRS)
def test_matches_torch(name: str) -> None:
    ours, theirs, options = PAIRS[name]
    mine = parameters()
    twins = twins_of(mine)
    train(ours(mine, **options), range(25))
    train_torch(theirs(twins, **options), range(25))
    assert_equal(mine, twins)


def test_the_grid_is_whole() -> None:
    assert len(REFUSED) == 12
    assert len(PAIRS) == 7 + 20 + 8 + 8 + 16 + 16


@pytest.mark.parametrize("options", REFUSED, ids=str)
def test_what_torch_refuses(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Nesterov"):
        torch.optim.SGD(twins_of(parameters()), **options)
    with pytest.raises(ValueError, match=r"nesterov \(=True\) needs a momentum"):
        SGD(parameters(), **options)


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
