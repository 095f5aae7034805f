"""Convolution and pooling in any geometry that Hypothesis thinks of: value and gradients as torch's, and adjoint."""

from __future__ import annotations

from typing import Any

import pytest
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from photomend.layers import AdaptiveAvgPool2d, avg_pool2d, conv2d, interpolate, max_pool2d
from photomend.tests.verification.oracles import LAYOUTS, Layout
from photomend.tests.verification.properties import agree, few, layouts, normal, spaced

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@few
@given(
    images=st.integers(1, 2),
    channels=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2)),
    size=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=pairs,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=pairs,
    bias=st.booleans(),
    layout=layouts,
    spread=st.booleans(),
)
def test_convolution(images, channels, size, kernel, stride, padding, dilation, bias, layout, spread) -> None:
    assume(all(n + 2 * p > d * (k - 1) for n, p, d, k in zip(size, padding, dilation, kernel, strict=True)))
    groups, c_group, o_group = channels
    x, w = normal((images, groups * c_group, *size), 0), normal((groups * o_group, c_group, *kernel), 1)
    b = normal((groups * o_group,), 2)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    agree(
        lambda *arrays: conv2d(*arrays, **options),
        lambda *arrays: F.conv2d(*arrays, **options),
        (x, w, b) if bias else (x, w),
        layout,
        linear_in=((0, 2), (1, 2)) if bias else ((0,), (1,)),
        spread=spread,
    )


@few
@given(
    size=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=pairs,
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=pairs,
    ceil_mode=st.booleans(),
    counted=st.booleans(),
    layout=layouts,
    spread=st.booleans(),
)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling(kind, size, kernel, stride, padding, dilation, ceil_mode, counted, layout, spread) -> None:
    if kind == "avg":
        dilation = (1, 1)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    axes = list(zip(size, padding, kernel, reach, strict=True))
    assume(all(2 * p <= k and r <= n + 2 * p for n, p, k, r in axes))
    ours: Any
    theirs: Any
    ours, theirs = {"max": (max_pool2d, F.max_pool2d), "avg": (avg_pool2d, F.avg_pool2d)}[kind]
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    options |= {"dilation": dilation} if kind == "max" else {"count_include_pad": counted}
    expected = theirs(spaced((2, 2, *size), 0), **options)
    assume(bool(expected.isfinite().all()))  # a dilated window may see nothing but padding
    agree(
        lambda x: ours(x, **options),
        lambda x: theirs(x, **options),
        (spaced((2, 2, *size), 0),),
        layout,
        linear_in=((0,),),  # max pooling too, while the winners stay
        spread=spread,
    )


@few
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    dilation=pairs,
    layout=layouts,
)
def test_convolution_that_keeps_the_size(size, kernel, dilation, layout) -> None:
    agree(
        lambda x, w: conv2d(x, w, padding="same", dilation=dilation),
        lambda x, w: F.conv2d(x, w, padding="same", dilation=dilation),
        (normal((2, 2, *size), 0), normal((3, 2, *kernel), 1)),
        layout,
        linear_in=((0,), (1,)),
    )


@few
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    to=st.tuples(st.integers(1, 15), st.integers(1, 15)) | st.floats(0.3, 3.5),
    mode=st.sampled_from(["nearest", "bilinear"]),
    corners=st.booleans(),
    layout=layouts,
    spread=st.booleans(),
)
def test_interpolation(size, to, mode, corners, layout, spread) -> None:
    options: dict[str, Any] = {"size": to} if isinstance(to, tuple) else {"scale_factor": to}
    assume(isinstance(to, tuple) or int(min(size) * to) >= 1)
    if mode == "bilinear":
        options["align_corners"] = corners
    agree(
        lambda x: interpolate(x, mode=mode, **options),
        lambda x: F.interpolate(x, mode=mode, **options),
        (normal((2, 2, *size), 0),),
        layout,
        linear_in=((0,),),
        spread=spread,
    )


@few
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    out=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    layout=layouts,
)
def test_adaptive_pooling(size, out, layout) -> None:
    x = normal((2, 2, *size), 0)
    agree(AdaptiveAvgPool2d(out), lambda x: F.adaptive_avg_pool2d(x, out), (x,), layout, linear_in=((0,),))


@pytest.mark.parametrize(
    ("groups", "options"), [(1, {}), (2, {"stride": 2, "padding": 1}), (1, {"dilation": (2, 1), "stride": (1, 3)})]
)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_convolution_of_no_images(groups: int, options: dict[str, Any], layout: Layout) -> None:
    """The last batch of a data set may be empty on one of several machines; its weight gradients are 0."""
    x, w, b = normal((0, 4, 7, 6), 0), normal((6, 4 // groups, 3, 2), 1), normal((6,), 2)
    agree(
        lambda x, w, b: conv2d(x, w, b, groups=groups, **options),
        lambda x, w, b: F.conv2d(x, w, b, groups=groups, **options),
        (x, w, b),
        layout,
    )


def test_max_pooling_with_more_taps_than_16_bits_count() -> None:
    """33,000 taps, and winners on either side of 2¹⁵ = 32,768."""
    x = normal((1, 4, 1, 33_000), 0)
    for channel, winner in enumerate((5, 32_767, 32_768, 32_999)):
        x[0, channel, 0, winner] = 10
    agree(
        lambda x: max_pool2d(x, kernel_size=(1, 33_000)),
        lambda x: F.max_pool2d(x, (1, 33_000)),
        (x,),
        differences=False,
    )
