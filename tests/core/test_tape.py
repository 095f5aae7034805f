"""The tape: shared nodes, shared arrays, long chains, what is freed, what is never computed."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import pytest
import torch
from photomend.core import Array, Parameter, Primitive, Tensor, multiply, no_grad, permute, reshape, sum
from photomend.core.tape import topological_order
from torch.utils._python_dispatch import TorchDispatchMode


def doubles(*values: float) -> Array:
    return torch.tensor(values, dtype=torch.float64)


def test_diamond() -> None:
    """y = (x + 1)(x² ) over two paths that meet again: dy/dx = x² + 2x (x + 1)."""
    x = Tensor(doubles(2.0, -3.0))
    y = (x + 1) * (x * x)
    v = doubles(0.5, 2.0)
    y.backward(v)
    assert x.grad is not None
    torch.testing.assert_close(x.grad, v * (x.data**2 + 2 * x.data * (x.data + 1)), rtol=1e-14, atol=0)


def test_a_node_is_visited_once() -> None:
    """b = a + a; c = b + b; …: 60 doublings are 60 visits and not 2⁶⁰."""
    a = Tensor(doubles(1.0))
    b = a
    for _ in range(60):
        b = b + b
    assert len(topological_order(b.node)) == 61
    b.backward()
    assert a.grad is not None
    assert a.grad.item() == 2.0**60


def test_topological_order_puts_users_first() -> None:
    a = Tensor(doubles(1.0))
    b = a + a
    c = b + a
    d = c * b
    assert topological_order(d.node) == [d.node, c.node, b.node, a.node]


def test_reused_parameter_sums_its_gradients() -> None:
    w = Parameter(doubles(3.0))
    x = doubles(2.0)
    (w * x + w * (w * x)).backward()
    assert w.grad is not None
    assert w.grad.item() == pytest.approx(2.0 + 2 * 3.0 * 2.0, rel=1e-14)


def test_second_backward_over_a_new_tape_adds() -> None:
    x = Tensor(doubles(1.0, 2.0))
    for count in (1, 2, 3):
        sum(x * x).backward()
        assert x.grad is not None
        assert torch.equal(x.grad, count * 2 * x.data)


def test_leaves_never_share_gradient_memory() -> None:
    """An addition hands the same cotangent to both sides; the optimizer will change each gradient in place."""
    a, b = Tensor(torch.ones(3)), Tensor(torch.ones(3))
    v = torch.ones(3)
    (a + b).backward(v)
    assert a.grad is not None
    assert b.grad is not None
    a.grad.mul_(7)
    assert torch.equal(b.grad, torch.ones(3))
    assert torch.equal(v, torch.ones(3))


def test_views_of_a_cotangent_are_not_shared_either() -> None:
    a, b = Tensor(torch.ones(2, 3)), Tensor(torch.ones(3, 2))
    y = reshape(a, shape=(3, 2)) + permute(b, dims=(0, 1)) + b
    v = torch.ones(3, 2)
    y.backward(v)
    assert a.grad is not None
    assert b.grad is not None
    a.grad.zero_()
    assert torch.equal(b.grad, 2 * torch.ones(3, 2))
    assert torch.equal(v, torch.ones(3, 2))


def returning(*gradients: Array) -> Primitive:
    """Of as many arguments as there are gradients: the first, with a pullback that returns what it is given here."""
    waiting = [list(gradients)]
    del gradients

    def given(*arguments: Array):
        return arguments[0] * 1, lambda ȳ: waiting.pop()

    return Primitive(given)


class Counting(TorchDispatchMode):
    """Counts torch's operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.calls[operation.__name__] += 1
        return operation(*args, **(kwargs or {}))


def test_one_array_is_made_for_the_sum_of_many_gradients() -> None:
    """At the first addition; the others are made in place, and the leaf takes the sum over without a copy."""
    x = Tensor(torch.ones(2, 3))
    first, *others = (returning(torch.full((2, 3), n))(x) for n in (1.0, 2.0, 3.0, 4.0))
    y, v = first, torch.ones(2, 3)
    for other in others:
        y = y + other
    with Counting() as counting:
        y.backward(v)
    assert counting.calls == {"add.Tensor": 1, "add_.Tensor": 2}
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full((2, 3), 10.0))


def test_a_gradient_that_somebody_sees_is_copied() -> None:
    """By its name, as a view, as the whole of which it is a part, or as its own neighbour (an expanded array)."""
    seen, whole, one = torch.ones(2), torch.ones(4), torch.ones(1)
    viewed = torch.ones(2)
    view = viewed.view(2)
    gradients = [seen, whole[:2], one.expand(2), viewed]
    leaves = [Tensor(torch.ones(2)) for _ in gradients]
    y = returning(*gradients)(*leaves)
    del gradients, viewed
    y.backward(torch.ones(2))
    for leaf in leaves:
        assert leaf.grad is not None
        leaf.grad.mul_(torch.tensor([3.0, 5.0]))
        assert torch.equal(leaf.grad, torch.tensor([3.0, 5.0]))
    assert all(torch.equal(array, torch.ones_like(array)) for array in (seen, whole, one, view))


def test_a_sum_of_gradients_changes_none_of_them() -> None:
    """Two gradients of one leaf: neither the array that is seen nor the view of a neighbour's gradient changes."""
    x, neighbour = Tensor(torch.ones(3)), Tensor(torch.ones(1, 3))
    seen, shared = torch.ones(3), torch.ones(3)
    first = returning(seen)(x)
    second = returning(shared, shared.view(1, 3))(x, neighbour)
    del shared
    (second + first).backward(torch.ones(3))
    assert x.grad is not None
    assert neighbour.grad is not None
    assert torch.equal(seen, torch.ones(3))
    assert torch.equal(neighbour.grad, torch.ones(1, 3))
    assert torch.equal(x.grad, torch.full((3,), 2.0))


def test_a_later_sum_does_not_change_an_earlier_gradient() -> None:
    """One array arrives at three nodes; adding to one of them must not add to the others."""
    a, b = Tensor(doubles(1.0)), Tensor(doubles(1.0))
    s = a + b
    ((s + a) + a).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.item(), b.grad.item()) == (3.0, 1.0)


def test_a_gradient_kept_from_before_is_not_changed() -> None:
    x = Tensor(doubles(1.0))
    (x * 2).backward()
    kept = x.grad
    (x * 2).backward()
    assert kept is not None
    assert kept.item() == 2.0


def test_chain_of_5000() -> None:
    """Five times Python's recursion limit."""
    x = Tensor(doubles(1.0))
    y = x
    for _ in range(5000):
        y = y * 1.0001
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(1.0001**5000, rel=1e-12)


def test_used_tape_is_freed() -> None:
    x = Tensor(doubles(1.0, 2.0))
    y = sum(x * x)
    y.backward()
    with pytest.raises(RuntimeError, match=r"'sum' was already used and freed; run the forward pass again"):
        y.backward()


def test_partly_used_tape_names_the_freed_node() -> None:
    """And nothing is added to any gradient before the error is found."""
    x = Tensor(doubles(1.0))
    middle = x * 2
    one, other = middle + 1, middle + x
    one.backward()
    assert x.grad is not None
    before = x.grad.clone()
    with pytest.raises(RuntimeError, match="'multiply' was already used"):
        other.backward()
    assert torch.equal(x.grad, before)


def test_double_backward_is_refused() -> None:
    x = Tensor(doubles(1.0))
    with pytest.raises(RuntimeError, match="double backward is not supported"):
        (x * x).backward(Tensor(doubles(1.0)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cotangent", "message"),
    [(None, r"shape \(2,\) needs a cotangent"), (torch.ones(3), r"shape \(3,\) for a Tensor of shape \(2,\)")],
)
def test_cotangent_must_fit(cotangent: Array | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        (Tensor(torch.ones(2)) * 2).backward(cotangent)


def test_single_element_needs_no_cotangent() -> None:
    x = Tensor(torch.ones(1, 1))
    (x * 3).backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full((1, 1), 3.0))


def test_backward_on_a_leaf() -> None:
    """The identity, which an idle dropout is: its gradient is the cotangent, copied."""
    x, v = Tensor(torch.ones(2)), torch.tensor([1.0, 2.0])
    x.backward(v)
    v.zero_()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.tensor([1.0, 2.0]))


def test_nothing_recorded() -> None:
    x = Tensor(torch.ones(1))
    with no_grad():
        y = x * 2
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        y.backward()
    frozen = Tensor(torch.ones(1), tracked=False)
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        (frozen * 2).backward()


def test_no_grad_keeps_nothing_and_ends_with_its_context() -> None:
    x = Tensor(torch.ones(3))
    with no_grad():
        with no_grad():
            pass
        hidden = x * 2
        y = hidden + 1
    middle = weakref.ref(hidden)
    del hidden
    assert middle() is None
    assert not y.tracked
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * 2).tracked


def counting(name: str, calls: list[str]) -> Primitive:
    """a · b, whose pullback notes which of its gradients were asked for."""

    def rule(a: Array, b: Array):
        def ā(ȳ: Array) -> Array:
            calls.append("a")
            return ȳ * b

        def b̄(ȳ: Array) -> Array:
            calls.append("b")
            return ȳ * a

        def pullback(ȳ: Array):
            return lambda: ā(ȳ), lambda: b̄(ȳ)

        return a * b, pullback

    rule.__name__ = name
    return Primitive(rule)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (Tensor(torch.ones(2)), Tensor(torch.ones(2)), ["a", "b"]),
        (Tensor(torch.ones(2)), torch.ones(2), ["a"]),
        (torch.ones(2), Tensor(torch.ones(2)), ["b"]),
        (Tensor(torch.ones(2), tracked=False), Tensor(torch.ones(2)), ["b"]),
    ],
    ids=["both", "b constant", "a constant", "a frozen"],
)
def test_only_what_was_asked_for_is_computed(a: Tensor | Array, b: Tensor | Array, expected: list[str]) -> None:
    calls: list[str] = []
    counting("counted", calls)(a, b).backward(torch.ones(2))
    assert calls == expected
    for argument, letter in ((a, "a"), (b, "b")):
        if isinstance(argument, Tensor):
            assert (argument.grad is not None) == (letter in expected)


def test_frozen_branches_are_not_walked() -> None:
    """What was computed from constants and frozen parameters alone leaves no node."""
    frozen, x = Parameter(torch.ones(2)), Tensor(torch.ones(2))
    frozen.tracked = False
    y = multiply(frozen, torch.ones(2)) + x
    assert len(topological_order(y.node)) == 2


def test_memory_is_freed_without_the_garbage_collector() -> None:
    """Leaves, intermediate results and what pullbacks captured go when their last user goes."""
    gc.disable()
    try:
        x = Tensor(torch.ones(3))
        hidden = x * 2
        y = sum(hidden * hidden)
        alive: list[Any] = [weakref.ref(x), weakref.ref(hidden.data)]
        del hidden
        assert alive[1]() is not None  # the product's pullback needs it
        y.backward()
        assert alive[1]() is None
        del x, y
        assert alive[0]() is None
    finally:
        gc.enable()


def test_a_forgotten_leaf_needs_no_gradient() -> None:
    x = Tensor(torch.ones(2))
    y = sum(Tensor(torch.ones(2)) * x)
    y.backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda ȳ: ȳ[:1], ValueError, r"wrong: .* gradient of shape \(1,\) for argument x of shape \(2,\)"),
        (lambda ȳ: (None,), TypeError, "wrong: the pullback returned NoneType"),
        (lambda ȳ: (ȳ, ȳ), ValueError, "wrong: the pullback returned 2 gradients for 1 arguments"),
    ],
    ids=["shape", "nothing", "too many"],
)
def test_a_bad_pullback_is_named(returned, error: type[Exception], message: str) -> None:
    def wrong(x: Array):
        return x * 1, returned

    with pytest.raises(error, match=message):
        Primitive(wrong)(Tensor(torch.ones(2))).backward(torch.ones(2))


def test_a_pullback_may_return_a_list() -> None:
    def listed(x: Array):
        return x * 3, lambda ȳ: [ȳ * 3]

    x = Tensor(doubles(1.0))
    Primitive(listed)(x).backward()
    assert x.grad is not None
    assert x.grad.item() == 3.0


def test_a_leaf_that_became_another_kind_of_array_since() -> None:
    x = Tensor(torch.ones(2))
    y = sum(x * x)
    x.data = x.data.double()
    with pytest.raises(RuntimeError, match=r"a leaf was \(2,\), torch.float32 .* is \(2,\), torch.float64"):
        y.backward()
    assert x.grad is None
