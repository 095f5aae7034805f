"""The softmax family where exponentials overflow, at infinities and in half precision; its backward passes in loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from photomend.core import Array, Tensor
from photomend.layers import LogSoftmax, Softmax, log_softmax, logsumexp, softmax
from photomend.tests.layers.test_loops_backward import check, normal
from photomend.tests.reference.loops import softmax as loops

FAMILY = [(softmax, torch.softmax), (log_softmax, torch.log_softmax), (logsumexp, torch.logsumexp)]
every_one = pytest.mark.parametrize(("ours", "theirs"), FAMILY, ids=["softmax", "log_softmax", "logsumexp"])

INF = torch.inf
EXTREMES = torch.tensor(
    [
        [1000.0, -1000.0, 0.0],
        [-1000.0, -1000.0, -1000.0],
        [1e30, 1e30, 0.0],
        [0.0, -INF, 1.0],
        [-INF, -INF, -INF],
        [INF, 0.0, 1.0],
        [INF, INF, -INF],
        [torch.nan, 0.0, 1.0],
    ]
)


def both(ours: Any, theirs: Any, x: Array) -> tuple[list[Array], list[Array]]:
    """(value, gradient) of each, along the last axis, for a random cotangent."""
    mine, their = Tensor(x), x.clone().requires_grad_()
    y, expected = ours(mine, dim=1), theirs(their, 1)
    v = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(x.dtype)
    y.backward(v)
    expected.backward(v)
    assert mine.grad is not None
    assert their.grad is not None
    return [y.data, mine.grad], [expected.detach(), their.grad]


@every_one
def test_where_exponentials_overflow_and_at_infinities_it_is_torchs(ours: Any, theirs: Any) -> None:
    """NaN in the same places too; of a line of −∞, say."""
    for found, expected in zip(*both(ours, theirs, EXTREMES), strict=True):
        torch.testing.assert_close(found, expected, equal_nan=True)


@every_one
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(ours: Any, theirs: Any, dtype: torch.dtype) -> None:
    """4,096 terms of about the same size: a sum in bfloat16 would stop at 256."""
    x = torch.randn(3, 4096, generator=torch.Generator().manual_seed(0)).to(dtype)
    found, _ = both(ours, theirs, x)
    exact, _ = both(ours, theirs, x.double())
    rounding = torch.finfo(dtype).eps
    for low, high in zip(found, exact, strict=True):
        assert low.dtype == dtype
        assert (low.double() - high).abs().max() <= 2 * rounding * high.abs().max()


@every_one
def test_a_single_number_has_an_axis(ours: Any, theirs: Any) -> None:
    x = torch.tensor(3.0)
    assert torch.equal(ours(x, dim=0), theirs(x, 0))
    assert torch.equal(ours(x, dim=-1), theirs(x, -1))


@pytest.mark.parametrize("ours", [softmax, log_softmax])
def test_the_axis_may_be_named(ours: Any) -> None:
    x = EXTREMES[:2]
    assert torch.equal(ours(x, dim=1), ours(x, 1))
    assert torch.equal(ours(Tensor(x), dim=-1).data, ours(Tensor(x), -1).data)


@every_one
@pytest.mark.parametrize("dim", [2, -3, 1.0, None])
def test_an_axis_that_is_not_there_is_named(ours: Any, theirs: Any, dim: Any) -> None:
    with pytest.raises(ValueError, match=rf"{ours.name}: dim \(={dim}\) must be an axis of an array with 2 axes"):
        ours(EXTREMES, dim=dim)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize(
    ("ours", "theirs", "backward"),
    [
        (softmax, torch.softmax, loops.softmax_backward),
        (log_softmax, torch.log_softmax, loops.log_softmax_backward),
        (logsumexp, torch.logsumexp, loops.logsumexp_backward),
    ],
    ids=["softmax", "log_softmax", "logsumexp"],
)
def test_backwards_in_loops(ours: Any, theirs: Any, backward: Any, dim: int) -> None:
    x = normal(3, 4, seed=0)
    check(lambda x: ours(x, dim=dim), lambda x: theirs(x, dim), lambda ȳ, x: [backward(ȳ, x, dim)], x)


def test_modules_show_their_axis() -> None:
    assert (repr(Softmax(1)), repr(LogSoftmax(dim=-1))) == ("Softmax(dim=1)", "LogSoftmax(dim=-1)")
