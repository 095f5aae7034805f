"""What the measurements measure: peaks of memory that can be told beforehand, and ratios the right way round."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from photomend.core import Array, Tensor, exp
from photomend.layers import relu
from photomend.tests.verification.case import Call, Case
from photomend.tests.verification.measure import compare, peak_memory
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.rows import Subject, same_conditions, size, subjects
from photomend.tests.verification.sizes import MODEL_SIZES, SIZES

pytestmark = pytest.mark.slow  # times and memory of whole layers

X = torch.ones(2_500_000)  # 10 MB


@pytest.mark.parametrize(
    ("run", "megabytes"),
    [
        (lambda: X + 1, 10),
        (lambda: (X + 1) * 2, 20),  # the sum lives until the product is there
        (lambda: ((X + 1).sum(), (X * 2).sum()), 10),  # one after the other
        (lambda: [X + 1, X + 2, X + 3], 30),
        (lambda: X.view(2, -1), 0),
    ],
    ids=["one array", "two at once", "one after another", "three kept", "a view"],
)
def test_peak_memory(run, megabytes: int) -> None:
    assert peak_memory(run) == pytest.approx(megabytes * 10**6, abs=1000)


def test_every_subject_has_a_size() -> None:
    assert [subject for subject in subjects() if size(subject) is None] == []
    assert len(SIZES) + len(MODEL_SIZES) == len(subjects())


@pytest.mark.parametrize("subject", subjects(), ids=" ".join)
def test_both_sides_run_at_every_size(subject: Subject) -> None:
    """Ours and the twin give the same shape, and take in the same arrays."""
    case = size(subject)
    assert case is not None
    module, inputs = case.ours(torch.float32), case.inputs(torch.float32)
    value = module(*inputs)
    theirs = case.twin(module)(*inputs)
    assert (value.data if isinstance(value, Tensor) else value).shape == theirs.shape


def slow_relu(x: Tensor) -> Tensor:
    time.sleep(0.02)
    return relu(x)


def relu_with_a_slow_pullback(x: Tensor) -> Tensor:
    y = relu(x)
    assert isinstance(y, Tensor)
    pullback = y.node.pullback
    assert pullback is not None

    def slow_pullback(ȳ: Array):
        time.sleep(0.02)
        return pullback(ȳ)

    y.node.pullback = slow_pullback
    return y


@pytest.mark.parametrize(("function", "forward_is_slow"), [(slow_relu, True), (relu_with_a_slow_pullback, False)])
def test_slower_is_above_1_and_in_its_own_column(function, forward_is_slow: bool) -> None:
    ratios = compare(replace(CASES["relu"], make=lambda: Call(function)))
    slow, fast = (ratios.forward, ratios.backward) if forward_is_slow else (ratios.backward, ratios.forward)
    assert slow > 5 * fast > 0


def test_memory_relative_to_the_twin() -> None:
    """x + y takes the sum and two gradients on both sides; eˣ + y keeps one array more for its gradient."""
    add = SIZES["add"]
    assert compare(add).memory == pytest.approx(1, rel=0.01)
    keeping: Case = replace(add, make=lambda: Call(lambda a, b: exp(a) + b))
    assert compare(keeping).memory == pytest.approx(4 / 3, rel=0.01)


def test_settings_are_as_before_afterwards() -> None:
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    with same_conditions():
        assert torch.get_num_threads() == 1
        assert not torch.backends.cudnn.allow_tf32
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == before
