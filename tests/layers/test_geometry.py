"""Convolution and pooling in any geometry that Hypothesis thinks of: value and gradients as torch's, and adjoint."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from photomend.core import Array, Tensor
from photomend.layers import avg_pool2d, conv2d, max_pool2d
from photomend.tests.verification.oracles import LAYOUTS, random_like, relative_error

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
layouts = st.sampled_from(sorted(LAYOUTS))


def normal(*shape: int, seed: int = 0) -> Array:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def compare(ours: Any, theirs: Any, inputs: tuple[Array, ...], layout: str, expanded: bool) -> Array:
    """Value and gradients of both, in the layout; returns ours."""
    leaves = [Tensor(LAYOUTS[layout](x)) for x in inputs]
    twins = [x.clone().requires_grad_() for x in inputs]
    y, expected = ours(*leaves), theirs(*twins)
    v = random_like(y.data, seed=1, expanded=expanded)
    y.backward(v)
    expected.backward(v)
    assert relative_error(y.data, expected.detach()) <= 1e-10
    for leaf, twin in zip(leaves, twins, strict=True):
        assert relative_error(leaf.grad, twin.grad) <= 1e-10
    left, right = (y.data * v).sum(), (leaves[0].data * cast(Array, leaves[0].grad)).sum()
    return (left - right).abs() / (y.data * v).abs().sum().clamp_min(1e-300)


@few
@given(
    images=st.integers(1, 2),
    channels=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2)),
    size=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=pairs,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=pairs,
    layout=layouts,
    expanded=st.booleans(),
)
def test_convolution(images, channels, size, kernel, stride, padding, dilation, layout, expanded) -> None:
    assume(all(n + 2 * p > d * (k - 1) for n, p, d, k in zip(size, padding, dilation, kernel, strict=True)))
    groups, c_group, o_group = channels
    x, w = normal(images, groups * c_group, *size), normal(groups * o_group, c_group, *kernel, seed=1)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    error = compare(
        lambda x, w: conv2d(x, w, **options), lambda x, w: F.conv2d(x, w, None, **options), (x, w), layout, expanded
    )
    assert error <= 1e-12


@few
@given(
    size=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=pairs,
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    layout=layouts,
    expanded=st.booleans(),
)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling(kind, size, kernel, stride, padding, layout, expanded) -> None:
    assume(all(2 * p <= k <= n + 2 * p for n, p, k in zip(size, padding, kernel, strict=True)))
    ours: Any
    theirs: Any
    ours, theirs = {"max": (max_pool2d, F.max_pool2d), "avg": (avg_pool2d, F.avg_pool2d)}[kind]
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    x = normal(2, 2, *size)
    error = compare(lambda x: ours(x, **options), lambda x: theirs(x, **options), (x,), layout, expanded)
    assert error <= 1e-12  # max pooling too: it is linear while the winners stay


@pytest.mark.parametrize(
    ("groups", "options"), [(1, {}), (2, {"stride": 2, "padding": 1}), (1, {"dilation": (2, 1), "stride": (1, 3)})]
)
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_convolution_of_no_images(groups: int, options: dict[str, Any], layout: str) -> None:
    """The last batch of a data set may be empty on one of several machines; its weight gradients are 0."""
    x, w, b = normal(0, 4, 7, 6), normal(6, 4 // groups, 3, 2), normal(6)
    compare(
        lambda x, w, b: conv2d(x, w, b, groups=groups, **options),
        lambda x, w, b: F.conv2d(x, w, b, groups=groups, **options),
        (x, w, b),
        layout,
        expanded=False,
    )


def test_max_pooling_with_more_taps_than_16_bits_count() -> None:
    """33,000 taps, and winners on either side of 2¹⁵ = 32,768."""
    x = normal(1, 4, 1, 33_000)
    for channel, winner in enumerate((5, 32_767, 32_768, 32_999)):
        x[0, channel, 0, winner] = 10
    compare(
        lambda x: max_pool2d(x, kernel_size=(1, 33_000)),
        lambda x: F.max_pool2d(x, (1, 33_000)),
        (x,),
        "contiguous",
        expanded=False,
    )
