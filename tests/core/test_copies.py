"""Copies of what was used already: they train themselves, and not what they were copied from."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from photomend import models
from photomend.core import Array, Buffer, Module, Parameter, Tensor, no_grad, sum
from photomend.layers import BatchNorm2d, Conv2d, Linear, ReLU, Sequential

X = torch.rand(2, 2, 5, 5, generator=torch.Generator().manual_seed(0))


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


COPIES: list[Callable[[Any], Any]] = [copy.deepcopy, pickled]


def used_net() -> Sequential:
    """A network after a forward and a backward pass, with a gradient in each parameter and one frozen."""
    net = Sequential(Conv2d(2, 3, 3), BatchNorm2d(3), ReLU(), Conv2d(3, 1, 3))
    net[0].bias.tracked = False  # type: ignore[attr-defined]
    sum(net(X)).backward()
    return net


def gradients(net: Module) -> list[Array | None]:
    return [p.grad for p in net.parameters()]


@pytest.mark.parametrize("copied", COPIES)
def test_a_used_module(copied: Callable[[Any], Any]) -> None:
    net = used_net()
    before = [None if g is None else g.clone() for g in gradients(net)]
    twin = copied(net)
    for mine, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        assert type(theirs) is Parameter
        assert mine.tracked == theirs.tracked
        assert torch.equal(mine.data, theirs.data)
        assert mine.data.data_ptr() != theirs.data.data_ptr()
        assert (mine.grad is None) == (theirs.grad is None)
    twin.zero_grad()
    sum(twin(X)).backward()
    for first, second, was in zip(gradients(net), gradients(twin), before, strict=True):
        assert (first is None) == (second is None) == (was is None)
        if first is not None and second is not None and was is not None:
            assert torch.equal(first, was)
            torch.testing.assert_close(second, was)
    assert twin.state_dict()["1.num_batches_tracked"] == net.state_dict()["1.num_batches_tracked"] + 1


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_made_between_forward_and_backward(copied: Callable[[Any], Any]) -> None:
    layer = Linear(2, 1)
    y = sum(layer(torch.ones(1, 2)))
    twin = copied(layer)
    y.backward()
    assert layer.weight.grad is not None
    assert twin.weight.grad is None
    sum(twin(torch.ones(1, 2))).backward()
    assert torch.equal(twin.weight.grad, torch.ones(1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize("copied", COPIES)
def test_what_was_shared_is_shared_in_the_copy(copied: Callable[[Any], Any]) -> None:
    one, two = Linear(2, 2), Linear(2, 2)
    two.weight = one.weight
    net = Sequential(one, two)
    sum(net(torch.ones(1, 2))).backward()
    twin = copied(net)
    assert twin[0].weight is twin[1].weight
    assert twin[0].weight is not one.weight
    assert twin.parameter_count() == net.parameter_count()


@pytest.mark.parametrize("copied", [copy.copy, *COPIES])
@pytest.mark.parametrize("kind", [Tensor, Parameter])
def test_a_used_leaf(kind: type[Tensor], copied: Callable[[Any], Any]) -> None:
    x = kind(torch.tensor([2.0, 3.0]))
    (x * x).backward(torch.ones(2))
    twin = copied(x)
    assert type(twin) is kind
    twin.grad = None
    (twin * 5).backward(torch.ones(2))
    assert torch.equal(x.grad, 2 * x.data)  # type: ignore[arg-type]
    assert torch.equal(twin.grad, torch.full((2,), 5.0))  # type: ignore[arg-type]


def test_a_shallow_copy_shares_the_array_and_has_no_gradient() -> None:
    """As torch's."""
    x = Parameter(torch.ones(2), tracked=False)
    x.grad = torch.ones(2)
    twin = copy.copy(x)
    assert twin.data is x.data
    assert twin.grad is None
    assert not twin.tracked
    assert copy.deepcopy(x).grad is not x.grad


class Named(Parameter):
    """A subclass with attributes of its own."""

    def __init__(self, data: Array, name: str) -> None:
        super().__init__(data)
        self.name = name


@pytest.mark.parametrize("copied", [copy.copy, *COPIES])
def test_a_subclass_keeps_its_attributes(copied: Callable[[Any], Any]) -> None:
    assert copied(Named(torch.ones(1), "w")).name == "w"


@pytest.mark.parametrize("copied", [copy.copy, *COPIES])
def test_a_buffer(copied: Callable[[Any], Any]) -> None:
    buffer = Buffer(torch.ones(2))
    twin = copied(buffer)
    assert type(twin) is Buffer
    assert torch.equal(twin.data, buffer.data)
    assert (twin.data is buffer.data) == (copied is copy.copy)


@pytest.mark.parametrize("copied", [copy.copy, *COPIES])
def test_what_a_primitive_made_is_one_of_a_kind(copied: Callable[[Any], Any]) -> None:
    """A copy without its way back would end the gradient silently; torch refuses a deep copy, too."""
    y = Tensor(torch.ones(2)) * 2
    with pytest.raises(
        TypeError, match=r"a Tensor made by 'multiply' can't be copied or pickled; take its array, \.da"
    ):
        copied(y)
    with no_grad():
        constant = Tensor(torch.ones(2)) * 2
    assert torch.equal(copied(constant).data, constant.data)


def test_a_shallow_copy_of_a_module_shares_its_parameters() -> None:
    """Python's meaning, and torch's: a new object with the same attributes."""
    layer = Linear(2, 2)
    twin = copy.copy(layer)
    assert twin.weight is layer.weight


@pytest.mark.parametrize("name", ["cnn", "attention", "gan"])
def test_a_model(name: str) -> None:
    network = models.build(name)
    photo, mask = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 20:40] = 1
    network.eval()
    sum(network(photo * (1 - mask), mask)).backward()
    for copied in COPIES:
        twin = copied(network)
        twin.zero_grad()
        y = twin(photo * (1 - mask), mask)
        assert torch.equal(y.data, network(photo * (1 - mask), mask).data)
        sum(y).backward()
        for mine, theirs in zip(gradients(network), gradients(twin), strict=True):
            assert mine is not None
            assert theirs is not None
            assert mine.data_ptr() != theirs.data_ptr()


def _train(net: Module, answers: Any) -> None:
    net.zero_grad()
    sum(net(X)).backward()
    answers.put([None if g is None else g.tolist() for g in gradients(net)])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_trains_its_own_copy(method: str) -> None:
    net = used_net()
    context: Any = multiprocessing.get_context(method)
    answers = context.Queue()
    process = context.Process(target=_train, args=(net, answers))
    process.start()
    found = answers.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0
    for gradient, theirs in zip(gradients(net), found, strict=True):
        assert (gradient is None) == (theirs is None)
        if gradient is not None:
            torch.testing.assert_close(torch.tensor(theirs), gradient)
