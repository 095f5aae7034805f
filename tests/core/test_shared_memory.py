"""Memory that several hold: changes that torch does not count are kept out, and a pullback leaves its ȳ alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import Array, Tensor, exp, no_grad
from photomend.core.primitive import Primitive


def test_the_memory_of_a_tracked_tensor_is_not_given_to_numpy() -> None:
    x = Tensor(torch.zeros(2))
    for tracked in (x, x.exp()):
        with pytest.raises(RuntimeError, match=r"numpy: this Tensor is tracked; write x\.detach\(\)\.numpy\(\)"):
            tracked.numpy()
    with no_grad():
        assert x.exp().numpy().tolist() == [1, 1]


@pytest.mark.parametrize("index", [np.array([0, 1]), [0, 1], ([0, 1],), (np.array([0, 1]), None)])
def test_an_index_may_be_changed_after_its_use(index: Any) -> None:
    x = Tensor(torch.arange(3.0))
    y = x[index].sum()
    positions = index[0] if isinstance(index, tuple) else index
    positions[:] = [2, 2]
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1, 0]


def _at_once(ȳ: Array) -> Array:
    return ȳ.mul_(2)


def _on_demand(ȳ: Array) -> Callable[[], Array]:
    return lambda: ȳ.mul_(2)


def _through_a_view(ȳ: Array) -> Array:
    ȳ.view(-1)[0] = 3
    return torch.ones_like(ȳ)


@pytest.mark.parametrize("pullback", [_at_once, _on_demand, _through_a_view])
def test_a_pullback_that_changes_its_cotangent(pullback: Any) -> None:
    double = Primitive(rule := lambda x: (2 * x, pullback))
    assert double.rule is rule
    double.name = "double"
    with pytest.raises(RuntimeError, match="the pullback of 'double' changed its cotangent in place"):
        double(Tensor(torch.ones(2))).backward(torch.ones(2))


def test_a_cotangent_whose_changes_are_not_counted() -> None:
    x = Tensor(torch.zeros(2))
    with torch.inference_mode():
        cotangent = torch.ones(2)
    x.exp().backward(cotangent)
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1]


def test_a_product_does_not_keep_its_value() -> None:
    x, w = Tensor(torch.ones(2, 2)), Tensor(torch.ones(2, 2))
    h = x @ w
    y = exp(h)
    h.data.add_(1)  # exp reads its own value, and matmul only the shape of its
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, 2 * y.data[:, :1].expand(2, 2))
