"""Rules and calls that can't work say in one sentence what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import (
    Array,
    Module,
    Parameter,
    Primitive,
    Tensor,
    absolute,
    add,
    all_primitives,
    concatenate,
    exp,
    matmul,
    multiply,
    primitive,
    sum,
)
from photomend.core.operators import PRIMITIVES
from photomend.layers import (
    Embedding,
    ReLU,
    SkipConnection,
    batch_norm,
    binary_cross_entropy,
    conv2d,
    cross_entropy,
    layer_norm,
    linear,
    nll_loss,
    relu,
)

X: Any = Tensor(torch.ones(2))
ONE: Any = [1.0]
P: Any = Parameter(torch.ones(1))
ASKED = "a rule returns its value, an array, and its pullback: return y, pullback"


def pullback(ȳ: Array) -> Array:
    return ȳ


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda x: x * 2, "this one returned a Tensor"),
        (lambda x: torch.stack((x, x)), "this one returned a Tensor"),
        (lambda x: None, "this one returned a NoneType"),
        (lambda x: (x * 2,), "this one returned a tuple of 1"),
        (lambda x: (x * 2, pullback, x), "this one returned a tuple of 3"),
        (lambda x: (2.0, pullback), "the value is a float"),
        (lambda x: (pullback, x * 2), "the value is a function"),
        (lambda x: (Tensor(x), pullback), "the value is a Tensor; rules compute with arrays"),
        (lambda x: (x * 2, x), "the pullback is a Tensor, which can't be called"),
        (lambda x: (x * 2, None), "the pullback is a NoneType, which can't be called"),
    ],
)
@pytest.mark.parametrize("x", [X, X.data], ids=["Tensor", "array"])
def test_what_a_rule_must_return(returned: Callable[[Array], Any], message: str, x: Any) -> None:
    def mine(x: Array):
        return returned(x)

    with pytest.raises(TypeError) as caught:
        Primitive(mine)(x)
    assert str(caught.value).startswith(f"mine: {ASKED}; {message}")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exp([1.0, 2.0]), r"exp: x must be an array, not list; pass torch.as_tensor\(…, dtype=torch.float32\)"),
        (lambda: exp(np.ones(2)), "exp: x must be an array, not ndarray; pass torch.as_tensor"),
        (lambda: exp(2), "exp: x must be an array, not int; pass torch.as_tensor"),
        (lambda: exp(None), "exp: x must be an array, not NoneType"),
        (lambda: add(X, np.ones(2)), "add: b must be an array, not ndarray"),
        (lambda: X * [1.0, 2.0], "multiply: b must be an array, not list"),
        (lambda: add(X, [X, X]), r"add: b is a list; make one array of it: stack\(\[…\]\)"),
        (lambda: sum([X, X]), r"sum: x is a list; make one array of it: sum\(stack\(\[…\]\)\)"),
        (lambda: sum(X, axis=0), "sum: there is no option 'axis'; write dim=0"),
        (lambda: X.sum(axis=0), "sum: there is no option 'axis'; write dim=0"),
        (lambda: Embedding(3, 2)([0, 1]), r"indices must be an array, not list; pass torch.as_tensor\(…\)$"),
        (lambda: cross_entropy(torch.ones(2, 2), np.array([0, 1])), r"not ndarray; pass torch.as_tensor\(…\)$"),
        (lambda: layer_norm(X, (1,)), "weight must be an array, not tuple; .*by name: <primitive layer_norm.x, weight"),
        (
            lambda: layer_norm(X, (1,), torch.ones(1), torch.ones(1)),
            "give it by name: normalized_shape=…; weight is no array: first come x, weight, bias",
        ),
        (lambda: matmul(X, 2.0), "matmul: b must be an array, not float"),
        (lambda: conv2d(torch.ones(1, 1, 2, 2), None), "conv2d: w must be an array, not NoneType"),
        (lambda: linear(torch.ones(1, 2), 3), "linear: w must be an array, not int"),
        (
            lambda: linear(torch.ones(1, 2, dtype=torch.int64), Tensor(torch.ones(3, 2))),
            r"linear: x is torch.int64, not floating point; pass x.to\(torch.float32\)",
        ),
        (
            lambda: conv2d(torch.ones(1, 3, 4, 4, dtype=torch.uint8), Tensor(torch.ones(2, 3, 1, 1))),
            "conv2d: x is torch.uint8, not floating point",
        ),
        (
            # In the order of torch.nn.functional: the statistics would be taken for the weights.
            lambda: batch_norm(torch.ones(2, 1), *[torch.ones(1)] * 4, True),
            "batch_norm: running_mean is an array beside others; give it by name: running_mean=…",
        ),
        (
            lambda: cross_entropy(torch.ones(1, 2) * X, torch.tensor([0]), X),
            r"cross_entropy: weight is a constant and has no gradient; pass weight.detach\(\)",
        ),
        (
            lambda: nll_loss(torch.ones(1, 2) * X, torch.tensor([0]), X),
            r"nll_loss: weight is a constant and has no gradient; pass weight.detach\(\)",
        ),
        (
            lambda: binary_cross_entropy(torch.full((2,), 0.5), torch.ones(2), X),
            r"binary_cross_entropy: weight is a constant and has no gradient; pass weight.detach\(\)",
        ),
        (lambda: Tensor(ONE), "Tensor: data must be a torch.Tensor, not list; pass torch.as_tensor"),
        (lambda: Tensor(X), "Tensor: data must be a torch.Tensor, not a Tensor of photomend; pass its .data"),
        (lambda: (X * 2).backward(1.0), "backward: the cotangent must be an array, not float"),
        (lambda: (X * 2).backward(np.ones(2)), "backward: the cotangent must be an array, not ndarray"),
        (lambda: torch.tanh(X), "torch's tanh takes arrays, and this is a Tensor of photomend; call photomend's own"),
        (lambda: torch.stack([X, X]), "torch's stack takes arrays"),
        (lambda: torch.nn.functional.relu(X), "torch's relu takes arrays"),
        (lambda: torch.nn.Linear(2, 2)(X), "torch's linear takes arrays"),
        (lambda: torch.exp(P), "and this is a Parameter of photomend"),
        (lambda: np.asarray(X), r"NumPy can't read a Tensor of photomend; pass .data.numpy\(\), a constant"),
        (lambda: np.exp(X), "operand 'Tensor' does not support ufuncs"),
    ],
)
def test_what_stands_where_an_array_is_due(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_other_mistakes_keep_their_own_message() -> None:
    """An array of integers is no mistake where a rule can use it."""
    assert torch.equal(multiply(X, torch.tensor([2, 3])).data, torch.tensor([2.0, 3.0]))
    with pytest.raises(RuntimeError, match="must match the size"):
        multiply(X, torch.tensor([2, 3, 4]))


def test_operators_of_arrays_still_ask_the_tensor() -> None:
    for y in (torch.ones(2) * X, np.float64(2) * X, torch.ones(2) - X, torch.ones(2, 2) @ X.data):
        assert y.shape == (2,)
    array: Any = torch.ones(2)
    array += X
    assert isinstance(array, Tensor)


def test_a_cell_that_is_run_again() -> None:
    """The later definition counts, as Python's own does; another module's name is taken."""

    def define(factor: float) -> Primitive:
        def defined_in_a_cell(x: Array):
            return x * factor, lambda ȳ: ȳ * factor

        return primitive(defined_in_a_cell)

    try:
        define(2)
        later = define(3)
        assert all_primitives()["defined_in_a_cell"] is later
        assert torch.equal(later(X).data, torch.full((2,), 3.0))
    finally:
        PRIMITIVES.pop("defined_in_a_cell")

    def relu_(x: Array):
        return x, pullback

    relu_.__name__ = "relu"
    with pytest.raises(ValueError, match=r"'relu' is defined twice, in photomend\.layers\.activation\.relu and in .*"):
        primitive(relu_)
    assert all_primitives()["relu"] is relu


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (
            lambda ȳ: (ȳ[:1], ȳ),
            ValueError,
            r"wrong: the pullback returned .* shape \(1,\) for argument a of shape \(2,\)",
        ),
        (
            lambda ȳ: (ȳ, None),
            TypeError,
            "wrong: the pullback returned NoneType for argument b, where an array was due",
        ),
        (lambda ȳ: (ȳ, ȳ.double()), TypeError, "torch.float64 on cpu for argument b, which is torch.float32 on cpu"),
        (lambda ȳ: ȳ, ValueError, "wrong: the pullback returned 1 gradients for 2 arguments"),
        (lambda ȳ: {"a": ȳ}, ValueError, "wrong: the pullback returned 1 gradients for 2 arguments"),
        (lambda ȳ: (1.0, ȳ), TypeError, "wrong: the pullback returned float for argument a"),
    ],
)
def test_a_wrong_gradient_is_named(returned: Any, error: type[Exception], message: str) -> None:
    def wrong(a: Array, b: Array):
        return a * 1, returned

    with pytest.raises(error, match=message):
        Primitive(wrong)(Tensor(torch.ones(2)), Tensor(torch.ones(2))).backward(torch.ones(2))


def test_a_parameter_is_not_changed_by_an_operator() -> None:
    """``w -= lr * w.grad`` would train a new Tensor and leave the model as it is."""
    layer = Module()
    layer.weight = Parameter(torch.ones(2))  # type: ignore[attr-defined]
    w = layer.weight  # type: ignore[attr-defined]
    for change in ("w += 1", "w -= 1", "w *= 2", "w /= 2", "w @= w", "w **= 2", "layer.weight += 1"):
        with pytest.raises(TypeError, match=r"a Parameter is not changed by an operator .* p\.data \+= …"):
            exec(change)
    w.data -= 1
    assert layer.parameters() == [w]
    assert torch.equal(w.data, torch.zeros(2))


def test_retain_grad() -> None:
    """On what a primitive made, as in torch: the whole gradient that arrived there."""
    x = Tensor(torch.tensor([1.0, 2.0]))
    hidden = x * 3
    hidden.retain_grad()
    x.retain_grad()
    y = hidden * hidden + hidden
    y.retain_grad()
    y.backward(torch.tensor([1.0, -1.0]))
    assert torch.equal(hidden.grad, torch.tensor([7.0, -13.0]))  # type: ignore[arg-type]
    assert torch.equal(y.grad, torch.tensor([1.0, -1.0]))  # type: ignore[arg-type]
    assert torch.equal(x.grad, torch.tensor([21.0, -39.0]))  # type: ignore[arg-type]
    hidden.grad.zero_()  # type: ignore[union-attr]
    assert torch.equal(x.grad, torch.tensor([21.0, -39.0]))  # type: ignore[arg-type]


def test_retained_gradients_add_up_and_belong_to_whoever_asked() -> None:
    x = Tensor(torch.ones(2))
    middle = absolute(x)
    middle.retain_grad()
    middle.grad = torch.ones(2)
    other = middle * 2
    other.backward(torch.ones(2))
    assert torch.equal(middle.grad, torch.full((2,), 3.0))
    assert other.grad is None
    with pytest.raises(RuntimeError, match="retain_grad: nothing was recorded"):
        Tensor(torch.ones(1), tracked=False).retain_grad()


def test_lists_of_numbers_are_no_arrays_for_concatenation() -> None:
    with pytest.raises(TypeError, match=r"concatenate: xs\[1\] must be an array, not list"):
        concatenate(X, [1.0], dim=0)


def test_an_axis_that_a_single_number_lacks() -> None:
    with pytest.raises(IndexError, match=r"concatenate: dim \(=1\) is out of range for xs\[0\] of shape \(\)"):
        SkipConnection(ReLU())(Tensor(torch.tensor(1.0)))


def test_python_asks_quickly_for_names_with_underscores() -> None:
    """Each parameter of a deep copy is asked for `__deepcopy__`: no search for a similar name then."""
    with pytest.raises(AttributeError, match=r"Tensor has no attribute '__deepcopy__'$"):
        X.__deepcopy__  # noqa: B018
