"""Arrays that a pullback reads and that were changed in place before the backward pass: an error that names each.

The expectations are those of torch, whose saved tensors have the same check.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from photomend.core import Array, Parameter, Primitive, Tensor, add, exp, gradcheck, multiply, recompute, sum
from photomend.layers import BatchNorm2d, Conv2d, Linear, ReLU, Sequential, batch_norm, conv2d, linear, sigmoid
from photomend.train.ema import EMA
from photomend.train.optimizers import SGD

CHANGED = "was changed in place since the forward pass, whose derivative is lost"


def ones(*shape: int) -> Array:
    return torch.ones(shape)


def refused(y: Tensor, message: str) -> None:
    with pytest.raises(RuntimeError, match=rf"{message}.*{CHANGED}"):
        y.backward(torch.ones(y.shape))


def test_a_constant() -> None:
    x, c = Tensor(ones(3)), ones(3)
    y = x * c
    c.mul_(2)
    refused(y, r"argument b of 'multiply', of shape \(3,\)")
    assert x.grad is None


def test_an_intermediate_result() -> None:
    x = Tensor(ones(3))
    hidden = x * 2
    y = hidden * hidden
    hidden.data.zero_()
    refused(y, r"argument a of 'multiply', of shape \(3,\)")


def test_a_frozen_parameter() -> None:
    x, w = Tensor(ones(4, 2)), Parameter(ones(3, 2), tracked=False)
    y = linear(x, w)
    w.data.add_(1)
    refused(y, r"argument w of 'linear', of shape \(3, 2\)")


def test_the_batch() -> None:
    """A loader that fills the same array again; it is known through the view that the convolution keeps."""
    batch, layer = ones(1, 2, 4, 4), Conv2d(2, 3, 3)
    y = layer(batch)
    batch.copy_(torch.rand(1, 2, 4, 4))
    refused(y, "argument x of 'conv2d'")


def test_the_batch_of_which_only_a_part_was_passed() -> None:
    """The part itself is gone, what the pullback made of it isn't."""
    batch, w = ones(4, 2, 4, 4), Parameter(ones(3, 2, 1, 1))
    y = conv2d(batch[1:3], w)
    batch[0] = 7
    refused(y, "argument x of 'conv2d'")


@pytest.mark.parametrize("operation", [exp, sigmoid])
def test_its_own_value(operation: Primitive) -> None:
    y = operation(Tensor(ones(2)))
    y.data.add_(1)
    refused(y, rf"the value of '{operation.name}', of shape \(2,\)")


def test_an_option() -> None:
    """Running statistics in evaluation, and a training step before the backward pass."""
    x, mean, var = Tensor(ones(3, 2, 4, 4)), torch.zeros(2), ones(2)
    y = batch_norm(x, running_mean=mean, running_var=var, training=False)
    batch_norm(x.data, running_mean=mean, running_var=var, training=True)
    with pytest.raises(RuntimeError, match=rf"in the pullback of 'batch_norm'.*{CHANGED}"):
        y.backward(torch.ones(y.shape))


def test_an_index() -> None:
    x, index = Tensor(ones(3)), torch.tensor([0, 1])
    y = x[index]
    index[0] = 2
    refused(y, r"index of 'getitem'")


def test_through_numpy_there_is_no_count() -> None:
    """torch doesn't see such a change either: a limit, not a promise."""
    x, c = Tensor(ones(2)), ones(2)
    y = x * c
    c.numpy()[:] = 2
    y.backward(ones(2))


@pytest.mark.parametrize(
    "change",
    [
        lambda x, c, y: x.detach() + 1,
        lambda x, c, y: c.mul_(2),
        lambda x, c, y: y.data.mul_(2),
    ],
    ids=["nothing", "an argument", "the value"],
)
def test_what_no_pullback_reads_may_change(change: Callable[..., object]) -> None:
    x, c = Tensor(ones(2)), ones(2)
    y = add(x, c)
    change(x, c, y)
    y.backward(ones(2))
    assert torch.equal(x.grad, ones(2))  # type: ignore[arg-type]


def test_a_change_before_the_next_use_is_none() -> None:
    x = Tensor(ones(2))
    hidden = x + 1
    hidden.data.mul_(3)
    (hidden * hidden).backward(ones(2))
    assert torch.equal(x.grad, torch.full((2,), 12.0))  # type: ignore[arg-type]


# --- where a pullback may keep an array ------------------------------------------------------------------------------


@dataclass
class Record:
    kept: Array


class Slots:
    __slots__ = ("kept",)

    def __init__(self, kept: Array) -> None:
        self.kept = kept


class Holder:
    def __init__(self, kept: Array) -> None:
        self.kept = kept

    def __call__(self, ȳ: Array) -> Array:
        return ȳ * self.kept

    def method(self, ȳ: Array) -> Array:
        return ȳ * self.kept


def held(kept: Any) -> Array:
    return kept


def in_nested_function(c: Array):
    def inner() -> Array:
        return c

    return lambda ȳ: ȳ * inner()


def in_default(c: Array):
    return lambda ȳ, c=c: ȳ * c


def in_keyword_default(c: Array):
    def pullback(ȳ: Array, *, c: Array = c) -> Array:
        return ȳ * c

    return pullback


KEEPING: dict[str, Callable[[Array], Any]] = {
    "a tuple": lambda c: (lambda kept: lambda ȳ: ȳ * kept[1][0])((1, [c])),
    "a dict": lambda c: (lambda kept: lambda ȳ: ȳ * kept["c"])({"c": c}),
    "a nested function": in_nested_function,
    "a default": in_default,
    "a keyword default": in_keyword_default,
    "a partial": lambda c: functools.partial(torch.mul, c),
    "an object": lambda c: (lambda kept: lambda ȳ: ȳ * kept.kept)(Record(c)),
    "a namespace": lambda c: (lambda kept: lambda ȳ: ȳ * kept.c)(SimpleNamespace(c=c)),
    "slots": lambda c: (lambda kept: lambda ȳ: ȳ * kept.kept)(Slots(c)),
    "a Tensor": lambda c: (lambda kept: lambda ȳ: ȳ * kept.data)(Tensor(c)),
    "a callable object": Holder,
    "a method": lambda c: Holder(c).method,
    "a view": lambda c: (lambda kept: lambda ȳ: ȳ * kept)(c.view(2, 1).mT[0]),
}


@pytest.mark.parametrize("keep", KEEPING.values(), ids=list(KEEPING))
def test_wherever_a_pullback_keeps_it(keep: Callable[[Array], Any]) -> None:
    def keeping(x: Array, c: Array):
        pullback = keep(c)
        return x * c, lambda ȳ: (pullback(ȳ), None)

    for changed in (False, True):
        x, c = Tensor(ones(2)), torch.full((2,), 3.0)
        y = Primitive(keeping)(x, c)
        if changed:
            c.zero_()
            refused(y, "of 'keeping'")
        else:
            y.backward(ones(2))
            assert torch.equal(x.grad, torch.full((2,), 3.0))  # type: ignore[arg-type]


def test_a_closure_that_holds_itself() -> None:
    """And a variable without a value yet."""

    def knotted(x: Array, unset: bool = True):
        knot: list[Any] = [x]
        knot.append(knot)

        def knotted_pullback(ȳ: Array):
            return ȳ * (later if len(knot) == 1 else knot[0]), None

        if not unset:
            later = x
        return x * x, knotted_pullback

    x = Tensor(ones(2))
    y = Primitive(knotted)(x)
    x.data.mul_(2)
    refused(y, "argument x of 'knotted'")


def test_a_pullback_that_changes_what_an_earlier_one_reads() -> None:
    """The change comes during the backward pass, between two pullbacks."""
    shared = ones(2)

    def spoiling(x: Array):
        def spoiling_pullback(ȳ: Array):
            shared.zero_()
            return ȳ

        return x * 1, spoiling_pullback

    x = Tensor(ones(2))
    y = Primitive(spoiling)(x * shared)
    shared_was = shared.clone()
    with pytest.raises(RuntimeError, match=rf"argument b of 'multiply'.*{CHANGED}"):
        y.backward(shared_was)


# --- no false alarms -------------------------------------------------------------------------------------------------


def test_training_as_usual_raises_no_alarm() -> None:
    """Batch norm's buffers, two forward passes before one backward pass, an optimizer and averaged weights."""
    model = Sequential(Conv2d(2, 3, 3), BatchNorm2d(3), ReLU())
    optimizer, ema = SGD(model.parameters(), lr=0.1, momentum=0.9), EMA(model, 0.9)
    for _ in range(3):
        x = torch.rand(2, 2, 5, 5)
        (sum(model(x)) + sum(model(x * 2))).backward()
        optimizer.step()
        optimizer.zero_grad()
        ema.update()
        with ema.averaged():
            model.eval()(x)
        model.train()


def test_a_check_of_gradients_in_evaluation_mode() -> None:
    """It calls a module several times, each time with the same running statistics, which the pullback reads."""
    norm = BatchNorm2d(2).to(dtype=torch.float64).eval()
    statistics = [buffer.data for _, buffer in norm.named_buffers()]
    earlier = norm(torch.ones(1, 2, 3, 3, dtype=torch.float64))
    gradcheck(norm, torch.rand(2, 2, 3, 3, dtype=torch.float64))
    assert all(b.data is array for (_, b), array in zip(norm.named_buffers(), statistics, strict=True))
    earlier.backward(torch.ones(earlier.shape, dtype=torch.float64))


def test_inference_mode_has_no_counts() -> None:
    with torch.inference_mode():
        x = Tensor(ones(2))
        y = sum(exp(x * ones(2)))
        y.backward()
    assert x.grad is not None


def test_recomputation_of_a_frozen_layer() -> None:
    layer, x = Linear(2, 2).freeze(), Tensor(ones(1, 2))
    y = recompute(layer, x)
    layer.weight.data.add_(1)
    refused(y, "of 'recomputed Linear', of shape")


def test_recomputation_with_what_the_first_run_had() -> None:
    """A weight that was replaced, and a layer that was frozen, in between."""
    layer, x = Linear(2, 2, bias=False), Tensor(ones(1, 2))
    w = layer.weight.data
    y = recompute(layer, x)
    layer.weight.data = w * 5
    layer.freeze()
    y.backward(ones(1, 2))
    assert torch.equal(x.grad, w.sum(dim=0, keepdim=True))  # type: ignore[arg-type]
    assert torch.equal(layer.weight.grad, ones(2, 2))  # type: ignore[arg-type]
    assert torch.equal(layer.weight.data, w * 5)
    assert not layer.weight.tracked


def test_recomputation_of_a_changed_batch() -> None:
    layer, batch = Linear(2, 2), ones(1, 2)
    y = recompute(layer, batch)
    batch.zero_()
    refused(y, "of 'recomputed Linear'")


def test_two_uses_name_the_right_one() -> None:
    x, a, b = Tensor(ones(2)), ones(2), ones(2)
    y = multiply(multiply(x, a), b)
    a.zero_()
    refused(y, "argument b of 'multiply'")
