"""The losses at their edges: logits that overflow, classes that can't be, points that don't count."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array, Tensor
from photomend.layers import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    log_softmax,
    mse_loss,
    nll_loss,
)
from photomend.tests.layers.test_loops_backward import check, normal
from photomend.tests.reference.loops import loss as loops

INF = torch.inf
LOGITS = torch.tensor([[1000.0, -1000.0, 0.0], [0.0, -INF, 1.0], [-INF, 2.0, -INF], [1e30, 1e30, 0.0], [3.0, 1.0, 2.0]])
CLASSES = torch.tensor([0, 2, 1, 1, 2])
REDUCTIONS = ["none", "mean", "sum"]


def both(ours: Any, theirs: Any, x: Array, *others: Array, **options: Any) -> list[tuple[Array, Array]]:
    """(ours, theirs) of the value and of the input's gradient, for a cotangent of 2."""
    mine, their = Tensor(x), x.clone().requires_grad_()
    y, expected = ours(mine, *others, **options), theirs(their, *others, **options)
    y.backward(torch.full_like(y.data, 2))
    expected.backward(torch.full_like(expected, 2))
    assert mine.grad is not None
    assert their.grad is not None
    return [(y.data, expected.detach()), (mine.grad, their.grad)]


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_extreme_logits(reduction: str) -> None:
    """A class of probability 0 costs nothing where it isn't the target: 0 · ln 0 = 0."""
    for found, expected in both(cross_entropy, F.cross_entropy, LOGITS, CLASSES, reduction=reduction):
        assert expected.isfinite().all()
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_what_cannot_be_and_is_costs_infinitely_much(reduction: str) -> None:
    classes = torch.tensor([1, 1, 0, 2, 0])
    for found, expected in both(cross_entropy, F.cross_entropy, LOGITS, classes, reduction=reduction):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("ours", "theirs"), [(cross_entropy, F.cross_entropy), (nll_loss, F.nll_loss)])
def test_nothing_counts(ours: Any, theirs: Any, smoothing: float) -> None:
    """The mean of no losses is NaN, but its gradient 0, as in torch."""
    options = {"label_smoothing": smoothing} if ours is cross_entropy else {}
    ignored = torch.full((5,), -100)
    (value, _), (gradient, expected) = both(ours, theirs, normal(5, 3, seed=0), ignored, **options)
    assert value.isnan()
    assert not expected.any()
    assert not gradient.any()


def test_cross_entropy_is_the_likelihood_of_log_softmax() -> None:
    x, weight = normal(5, 3, seed=0), torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    together, apart = Tensor(x), Tensor(x)
    cross_entropy(together, CLASSES, weight).backward()
    nll_loss(log_softmax(apart, 1), CLASSES, weight).backward()
    assert together.grad is not None
    assert apart.grad is not None
    torch.testing.assert_close(together.grad, apart.grad)


def test_the_target_may_be_any_integer() -> None:
    x = normal(5, 3, seed=0)
    for dtype in (torch.int32, torch.int16, torch.uint8):
        assert torch.equal(cross_entropy(x, CLASSES.to(dtype)), cross_entropy(x, CLASSES))


def test_extreme_logits_of_yes_or_no() -> None:
    x, t = torch.tensor([1000.0, -1000.0, 1000.0, -1e30, 0.0]), torch.tensor([0.0, 1.0, 1.0, 0.0, 0.5])
    for found, expected in both(
        binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, x, t, reduction="none"
    ):
        assert expected.isfinite().all()
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("ours", [mse_loss, l1_loss, binary_cross_entropy_with_logits, cross_entropy])
def test_half_precision_sums_in_float32(ours: Any, dtype: torch.dtype) -> None:
    """The mean over 20,000 numbers: a sum in bfloat16 would stop at 256, one in float16 at 65,504."""
    x = (2 * normal(5000, 4, seed=0)).to(dtype)
    target = torch.arange(5000) % 4 if ours is cross_entropy else normal(5000, 4, seed=1).to(dtype)
    low, high = Tensor(x), Tensor(x.double())
    y, exact = ours(low, target), ours(high, target if ours is cross_entropy else target.double())
    y.backward()
    exact.backward()
    assert low.grad is not None
    assert high.grad is not None
    assert y.dtype == low.grad.dtype == dtype
    eps = torch.finfo(dtype).eps
    assert abs(y.item() - exact.item()) <= eps * exact.item()
    assert (low.grad.double() - high.grad).abs().max() <= eps * high.grad.abs().max()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("ours", "theirs", "backward"),
    [
        (mse_loss, F.mse_loss, loops.mse_loss_backward),
        (l1_loss, F.l1_loss, loops.l1_loss_backward),
        (binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, loops.bce_backward),
    ],
    ids=["mse_loss", "l1_loss", "binary_cross_entropy_with_logits"],
)
def test_backwards_in_loops(ours: Any, theirs: Any, backward: Any, reduction: str) -> None:
    check(
        lambda x, t: ours(x, t, reduction=reduction),
        lambda x, t: theirs(x, t, reduction=reduction),
        lambda ȳ, x, t: backward(ȳ, x, t, reduction),
        normal(2, 3, seed=0),
        normal(2, 3, seed=1),
    )


def test_cross_entropy_backwards_in_loops() -> None:
    check(
        lambda x: cross_entropy(x, CLASSES),
        lambda x: F.cross_entropy(x, CLASSES),
        lambda ȳ, x: [loops.cross_entropy_backward(ȳ, x, CLASSES.numpy())],
        normal(5, 3, seed=0),
    )


@pytest.mark.parametrize("ours", [cross_entropy, nll_loss])
@pytest.mark.parametrize("strange", [3, -1, 7])
def test_a_target_that_is_no_class(ours: Any, strange: int) -> None:
    target = CLASSES.clone()
    target[3] = strange
    message = rf"{ours.name}: target \(={strange}\) must be in \[0, 3\), or ignore_index \(=-100\)"
    with pytest.raises(IndexError, match=message):
        ours(LOGITS, target)


def test_modules_show_their_reduction_and_own_their_weights() -> None:
    weight = torch.tensor([1.0, 2.0])
    assert repr(CrossEntropyLoss(weight, reduction="sum")) == "CrossEntropyLoss(reduction='sum')"
    assert list(CrossEntropyLoss(weight).state_dict()) == ["weight"]
    assert list(BCEWithLogitsLoss(pos_weight=weight).to(dtype=torch.float64).state_dict()) == ["pos_weight"]
    assert CrossEntropyLoss().state_dict() == {}


def test_the_gradient_of_a_target_at_an_infinite_logit() -> None:
    x, t = torch.tensor([-torch.inf, torch.inf]), torch.tensor([0.25, 0.5])
    ours, theirs = Tensor(t), t.clone().requires_grad_()
    binary_cross_entropy_with_logits(x, ours, reduction="none").backward(torch.ones(2))
    F.binary_cross_entropy_with_logits(x, theirs, reduction="none").backward(torch.ones(2))
    assert ours.grad is not None
    assert theirs.grad is not None
    assert ours.grad.tolist() == theirs.grad.tolist() == [torch.inf, -torch.inf]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_probabilities_of_0_and_1(reduction: str) -> None:
    """No logarithm is below −100, and p (1 − p) not below 10⁻¹²."""
    p = torch.tensor([0.0, 1.0, 0.0, 1.0, 1e-30, 0.25], dtype=torch.float64)
    t = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.5], dtype=torch.float64)
    ours, theirs = Tensor(p), p.clone().requires_grad_()
    y, expected = (
        binary_cross_entropy(ours, t, reduction=reduction),
        F.binary_cross_entropy(theirs, t, reduction=reduction),
    )
    torch.testing.assert_close(y.data, expected.detach())
    y.backward(torch.ones_like(y.data))
    expected.backward(torch.ones_like(expected))
    torch.testing.assert_close(ours.grad, theirs.grad)
