"""Buckets: every gradient is in one, and their sums are begun in their order while the walk goes on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from photomend.core import Array, Parameter, Tensor, sum
from photomend.core.backend.ranks import Ranks
from photomend.core.mode import reporting
from photomend.core.recompute import recompute
from photomend.layers import Linear, Sequential
from photomend.train import averaging as module
from photomend.train.averaging import Buckets, averaging


class _Begun:
    """A sum over two ranks, of which the other has the same gradients."""

    log: list[tuple[str, int]]

    def __init__(self, x: Array) -> None:
        self.x = x
        self.log.append(("begun", x.numel()))

    def wait(self) -> Array:
        self.log.append(("waited", self.x.numel()))
        return self.x.mul_(2)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Whatever is begun and waited for, with its size; and each gradient that is complete."""
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(_Begun, "log", seen, raising=False)
    monkeypatch.setattr(module, "start_total", _Begun)
    monkeypatch.setattr(module, "here", lambda: Ranks(0, 2))
    add = Buckets.add

    def noted(self: Buckets, leaf: Tensor) -> None:
        seen.append(("complete", leaf.data.numel()))
        add(self, leaf)

    monkeypatch.setattr(Buckets, "add", noted)
    return seen


def test_sums_begin_while_the_walk_goes_on(log: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Buckets.__init__, "__defaults__", (12 * 4 * 2,))  # room for two of the matrices
    weights = [Parameter(torch.full((3, 4), float(i))) for i in range(5)]
    y = sum(weights[0] * 1.0)
    for weight in weights[1:]:
        y = y + sum(weight * weight)
    with averaging(weights):
        y.backward()
    names = [name for name, _ in log]
    assert names.count("begun") == names.count("waited") == 3
    assert names.index("begun") < len(names) - 1 - names[::-1].index("complete")  # before the last gradient
    assert names.index("waited") > len(names) - 1 - names[::-1].index("begun")
    assert [size for name, size in log if name == "begun"] == [26, 26, 13]  # and a mark for each parameter
    for i, weight in enumerate(weights):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, torch.full((3, 4), 2.0 * (2 * i if i else 1)))


def test_a_parameter_without_a_gradient_is_waited_for_at_the_end(log: list[tuple[str, int]]) -> None:
    used, unused = Parameter(torch.ones(2)), Parameter(torch.ones(3))
    with averaging([used, unused]):
        sum(used * used).backward()
    assert unused.grad is None
    assert used.grad is not None
    assert used.grad.tolist() == [4.0, 4.0]
    assert [name for name, _ in log] == ["complete", "begun", "waited"]


def test_frozen_parameters_do_not_travel(log: list[tuple[str, int]]) -> None:
    free, frozen = Parameter(torch.ones(2)), Parameter(torch.ones(3))
    frozen.tracked = False
    with averaging([free, frozen]):
        sum(free * free).backward()
    assert ("begun", 3) in log  # two numbers and a mark


def test_kinds_do_not_share_a_bucket(log: list[tuple[str, int]]) -> None:
    parameters = [Parameter(torch.ones(2, dtype=dtype)) for dtype in (torch.float32, torch.float64)]
    with averaging(parameters):
        for parameter in parameters:
            sum(parameter * parameter).backward()
    assert [size for name, size in log if name == "begun"] == [3, 3]


def test_nothing_happens_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Buckets", None)
    with averaging([Parameter(torch.ones(2))]):
        pass


def test_each_leaf_is_reported_once_with_its_whole_gradient() -> None:
    torch.manual_seed(0)
    a, b = Tensor(torch.randn(3)), Tensor(torch.randn(3))
    seen: list[tuple[Tensor, Any]] = []
    y = sum(a * b + a)
    with reporting(lambda leaf: seen.append((leaf, leaf.grad.clone()))):
        y.backward()
    assert len(seen) == 2
    assert {leaf for leaf, _ in seen} == {a, b}
    for leaf, gradient in seen:
        assert torch.equal(gradient, leaf.grad)  # type: ignore[arg-type]
    seen.clear()
    sum(a * b).backward()
    assert seen == []


def test_a_walk_inside_of_a_pullback_reports_nothing() -> None:
    """A block that is computed again finds part of the gradient of a parameter that is used outside of it, too."""
    torch.manual_seed(0)
    block = Sequential(Linear(3, 3), Linear(3, 3))
    x, weight = Tensor(torch.randn(2, 3)), block.parameters()[0]
    reported: list[Tensor] = []
    with reporting(reported.append):
        y = recompute(block, x)
        sum(y * y @ weight).backward()
    assert len(reported) == len(set(reported)) == 5  # four parameters and x
