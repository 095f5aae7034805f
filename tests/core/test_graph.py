"""Graphs that go wrong easily: cotangents of odd layouts, weights used several times, very deep tapes, threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from photomend.core import Array, Parameter, Primitive, Tensor, is_recording, no_grad, permute, reshape, sum
from photomend.core.tape import topological_order
from photomend.layers import Conv2d, Linear, tanh


def normal(*shape: int, seed: int = 0) -> Array:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


COTANGENTS: dict[str, Array] = {
    "one number": normal(1, 1, seed=1).expand(3, 4),
    "one row": normal(4, seed=1).expand(3, 4),
    "one column": normal(3, 1, seed=1).expand(3, 4),
    "transposed": normal(4, 3, seed=1).mT,
    "sliced": normal(6, 9, seed=1)[::2, 1::2],
    "column by column": normal(3, 4, seed=1).mT.contiguous().mT,
}

GRAPHS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "sum of views": lambda x: reshape(permute(x, dims=(1, 0)), shape=(3, 4)) + x,
    "diamond": lambda x: (x + 1) * (x * x),
    "three ways": lambda x: (x + x) + x,
    "diamond under views": lambda x: permute((y := permute(x * 2, dims=(1, 0))) + y * y, dims=(1, 0)),
}


@pytest.mark.parametrize("cotangent", COTANGENTS.values(), ids=list(COTANGENTS))
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=list(GRAPHS))
def test_cotangents_of_any_layout(graph: Callable[[Tensor], Tensor], cotangent: Array) -> None:
    """The same gradient as from a dense cotangent; it has memory of its own, in which an optimizer may write."""
    found = []
    for v in (cotangent, cotangent.contiguous().clone()):
        x, before = Tensor(normal(3, 4)), v.clone()
        graph(x).backward(v)
        assert x.grad is not None
        gradient = x.grad.clone()
        x.grad.mul_(2)
        assert torch.equal(x.grad, 2 * gradient)
        assert torch.equal(v, before)
        found.append(gradient)
    torch.testing.assert_close(found[0], found[1], rtol=1e-14, atol=1e-14)


def test_a_layer_used_three_times_sums_its_gradients() -> None:
    ours, twin = Linear(4, 4).to(dtype=torch.float64), torch.nn.Linear(4, 4, dtype=torch.float64)
    twin.load_state_dict(ours.state_dict())
    x, v = normal(5, 4), normal(5, 4, seed=1)
    tanh(ours(tanh(ours(tanh(ours(x)))))).backward(v)
    torch.tanh(twin(torch.tanh(twin(torch.tanh(twin(x)))))).backward(v)
    for parameter, other in zip(ours.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-12, atol=1e-14)


def test_one_parameter_in_two_layers_sums_its_gradients() -> None:
    one, two = (Conv2d(2, 2, 3, padding=1).to(dtype=torch.float64) for _ in range(2))
    two.weight = one.weight
    x, v = normal(1, 2, 4, 5), normal(1, 2, 4, 5, seed=1)
    two(one(x)).backward(v)
    w = one.weight.data.clone().requires_grad_()
    convolve = torch.nn.functional.conv2d
    convolve(convolve(x, w, padding=1), w, padding=1).backward(v)
    torch.testing.assert_close(one.weight.grad, w.grad, rtol=1e-12, atol=1e-14)


def test_a_chain_of_5000_diamonds() -> None:
    """y ← y · w + y · (1 − w): 2⁵⁰⁰⁰ paths, and the derivative along all of them together is 1."""
    x, w = Tensor(normal(2)), Parameter(torch.tensor([0.25, 0.5], dtype=torch.float64))
    y: Tensor = x
    for _ in range(5000):
        y = y * w + y * (1 - w)
    assert len(topological_order(y.node)) == 2 + 4 * 5000
    y.backward(torch.ones(2, dtype=torch.float64))
    assert x.grad is not None
    assert w.grad is not None
    torch.testing.assert_close(x.grad, torch.ones(2, dtype=torch.float64), rtol=1e-10, atol=0)
    torch.testing.assert_close(w.grad, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-10)


@pytest.mark.parametrize("walked", [False, True])
def test_a_tape_of_any_depth_is_freed(walked: bool) -> None:
    """Fifty times Python's recursion limit; freeing one node must not free the next from within."""
    x = Tensor(torch.ones(1))
    y = x
    for _ in range(50_000):
        y = -y
    if walked:
        y.backward()
        assert x.grad is not None
        assert x.grad.item() == 1
    del y


def test_no_grad_is_of_its_own_thread() -> None:
    """A thread that evaluates must not switch off the recording of one that trains."""
    inside, done = threading.Event(), threading.Event()
    recording: list[bool] = []

    def evaluate() -> None:
        with no_grad():
            inside.set()
            done.wait(10)
            recording.append(is_recording())

    thread = threading.Thread(target=evaluate)
    thread.start()
    inside.wait(10)
    x = Tensor(torch.ones(2))
    y = sum(x * 3)
    done.set()
    thread.join()
    y.backward()
    assert recording == [False]
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full((2,), 3.0))


@Primitive
def through_an_alias(x: Array):
    """x; its pullback passes ȳ on by another name, which torch doesn't call a view."""

    def through_an_alias_pullback(ȳ: Array):
        return ȳ.detach()

    return x.clone(), through_an_alias_pullback


def test_a_cotangent_by_another_name_is_nobodys_to_change() -> None:
    leaf, cotangent = Tensor(torch.zeros(3)), torch.ones(3)
    through_an_alias(leaf).backward(cotangent)
    assert leaf.grad is not None
    leaf.grad.mul_(0)
    assert cotangent.tolist() == [1, 1, 1]
