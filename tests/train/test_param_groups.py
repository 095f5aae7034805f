"""Groups of parameters with options of their own, against torch.optim; one learning rate for all; saved states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from photomend.core import Parameter
from photomend.layers import Linear
from photomend.train.checkpoint import load_state, restore, save_state, state_of
from photomend.train.optimizers import SGD, Adagrad, Adam, AdamW, Muon, Optimizer, RMSprop
from photomend.train.trainer import Trainer

from .quadratics import drawn
from .runs import config
from .test_optimizers import Made, Reference, assert_equal, parameters, train, train_torch, twins_of

#: An optimizer, its twin, the options of all groups, and the second group's own.
GROUPS: dict[str, tuple[Made, Reference, dict[str, Any], dict[str, Any]]] = {
    "sgd": (SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}, {"lr": 0.01, "momentum": 0.0, "weight_decay": 0.1}),
    "sgd later": (SGD, torch.optim.SGD, {"lr": 0.05}, {"momentum": 0.8, "nesterov": True, "maximize": True}),
    "adam": (Adam, torch.optim.Adam, {"lr": 0.02, "amsgrad": True}, {"betas": (0.5, 0.9), "amsgrad": False}),
    "adamw": (AdamW, torch.optim.AdamW, {"lr": 0.02}, {"lr": 0.1, "weight_decay": 0.0, "eps": 1e-4, "amsgrad": True}),
    "rmsprop": (RMSprop, torch.optim.RMSprop, {"lr": 0.02, "momentum": 0.9}, {"momentum": 0.0, "centered": True}),
    "adagrad": (Adagrad, torch.optim.Adagrad, {"lr": 0.1}, {"lr_decay": 0.1, "maximize": True}),
}


def grouped(of: list[Any], own: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"params": of[:1]}, {"params": of[1:], **own}]


@pytest.mark.parametrize("name", GROUPS)
def test_matches_torch(name: str) -> None:
    ours, theirs, options, own = GROUPS[name]
    mine = parameters()
    twins = twins_of(mine)
    train(ours(grouped(mine, own), **options), range(25))
    train_torch(theirs(grouped(twins, own), **options), range(25))
    assert_equal(mine, twins)


@pytest.mark.parametrize("name", GROUPS)
def test_a_schedule_and_options_set_on_the_way_match_torch(name: str) -> None:
    """Rates set through `lr` keep the groups' ratio; options are set in the groups, as torch spells it."""
    ours, theirs, options, own = GROUPS[name]
    mine = parameters()
    twins = twins_of(mine)
    optimizer, reference = ours(grouped(mine, own), **options), theirs(grouped(twins, own), **options)
    ratio = own.get("lr", options["lr"]) / options["lr"]
    for step in range(25):
        optimizer.lr = rate = options["lr"] * (25 - step) / 25
        reference.param_groups[0]["lr"], reference.param_groups[1]["lr"] = rate, rate * ratio
        if step == 10:
            optimizer.param_groups[0]["weight_decay"] = reference.param_groups[0]["weight_decay"] = 0.3
        train(optimizer, [step])
        train_torch(reference, [step])
    assert_equal(mine, twins)


@pytest.mark.parametrize("name", [*GROUPS, "muon"])
def test_a_saved_state_brings_the_groups_options_and_continues_identically(name: str, tmp_path: Path) -> None:
    ours, _, options, own = GROUPS.get(name, (Muon, None, {"lr": 0.02}, {"lr": 0.01}))
    whole, half = (drawn([(33, 40), (5,), ()]) for _ in range(2))
    first, stopped = ours(grouped(whole, own), **options), ours(grouped(half, own), **options)
    for optimizer in (first, stopped):
        train(optimizer, range(6))
        optimizer.lr = 0.03
        optimizer.param_groups[1]["weight_decay"] = 0.2
    save_state(tmp_path / "state", stopped.state_dict())
    kept = {name: own[name] for name in ("momentum", "amsgrad", "centered") if name in own}  # these decide what is kept
    second = ours(grouped(half, kept), **options | {"lr": 1.0})
    second.load_state_dict(load_state(tmp_path / "state"))
    assert without_parameters(second) == without_parameters(first)
    assert second.lr == first.lr == 0.03
    for optimizer in (first, second):
        train(optimizer, range(6, 10))
        optimizer.lr = 0.01
        train(optimizer, range(10, 13))
    for a, b in zip(whole, half, strict=True):
        assert torch.equal(a.data, b.data)


def without_parameters(optimizer: Optimizer) -> list[dict[str, Any]]:
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]


def test_one_learning_rate_for_all_groups() -> None:
    first, second, third = parameters()
    optimizer = SGD([{"params": first_} for first_ in ([first], [second])], lr=1e-3)
    optimizer.add_param_group({"params": [third], "lr": 1e-4})
    assert optimizer.parameters == [first, second, third]
    assert optimizer.lr == 1e-3
    for rate in (0.5, 0.0, 0.25):
        optimizer.lr = rate
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate, rate, rate / 10])
        assert optimizer.lr == rate
    for group in optimizer.param_groups:
        group["lr"] = 0.125
    assert optimizer.lr == 0.125


def test_groups_that_all_have_their_own_rate() -> None:
    first, second, third = parameters()
    groups = [{"params": [first], "lr": 0.0}, {"params": [second], "lr": 0.5}, {"params": [third], "lr": 2.0}]
    optimizer = SGD(groups, lr=4.0)
    assert optimizer.lr == 4.0
    optimizer.lr = 1.0
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.125, 0.5]
    assert optimizer.lr == 1.0


def test_a_state_without_groups_leaves_the_options() -> None:
    """Such states were saved once; and a run's options are its settings."""
    first, second = Adam(parameters(), lr=0.1), Adam(parameters(), lr=0.2, weight_decay=0.3)
    train(first, range(3))
    old = first.state_dict()
    del old["param_groups"]
    second.load_state_dict(old | {"largest.0": torch.empty(0)})  # Muon used to keep such for matrices
    assert second.lr == 0.1
    assert second.param_groups[0]["weight_decay"] == 0.3
    assert second.steps == first.steps == [3, 3, 0]
    assert torch.equal(second.slots[0]["mean"], first.slots[0]["mean"])


def test_a_resumed_run_has_the_options_of_its_settings_now(tmp_path: Path) -> None:
    """The state's would be those that the run began with."""
    path = tmp_path / "state.safetensors"
    save_state(path, state_of(Trainer(config())))
    resumed = Trainer(config(weight_decay=0.25))
    restore(resumed, path)
    assert [group["weight_decay"] for group in resumed.optimizer.param_groups] == [0.25]


def test_named_parameters() -> None:
    layer = Linear(3, 2)
    assert SGD(layer.named_parameters(), lr=0.1).names == ["weight", "bias"]
    weight, bias = layer.named_parameters()
    optimizer = SGD([{"params": [weight]}, {"params": [bias], "lr": 0.2}], lr=0.1)
    assert optimizer.names == ["weight", "bias"]
    assert optimizer.parameters == layer.parameters()
    assert SGD(layer.parameters(), lr=0.1).names == ["parameters[0]", "parameters[1]"]


def test_any_iterable_and_an_empty_group() -> None:
    layer = Linear(3, 2)
    for given in (tuple(layer.parameters()), iter(layer.parameters()), dict(layer.named_parameters()).values()):
        assert SGD(given, lr=0.1).parameters == layer.parameters()
    assert SGD([{"params": layer.parameters()}, {"params": []}], lr=0.1).parameters == layer.parameters()


def test_a_leaf_that_is_no_parameter_of_a_module() -> None:
    leaf = Parameter(torch.ones(2))
    leaf.grad = torch.ones(2)
    SGD([leaf], lr=0.5).step()
    assert leaf.data.tolist() == [0.5, 0.5]
