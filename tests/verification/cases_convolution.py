"""The cases of convolution, by every algorithm that has one, and of the other layers that weigh and add."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from photomend import layers
from photomend.core import Array, Tensor
from photomend.layers.convolution import (
    ALGORITHMS,
    Algorithm,
    ConvShape,
    bands,
    blocks,
    im2col,
    kn2row,
    planar,
    pointwise,
    taps,
    winograd,
    winograd1d,
    winograd_strided,
)
from photomend.layers.convolution.planner import only
from photomend.tests.reference import twins
from photomend.tests.reference.loops import conv
from photomend.tests.verification.case import Case, State, layer, normal, op
from torch import nn


def _conv2d(options: dict[str, Any], state: State, x: np.ndarray) -> np.ndarray:
    return conv.conv2d(x, state["weight"], state["bias"], **options)


def _case(
    name: str,
    function: Callable[..., Tensor],
    x: tuple[int, ...],
    w: tuple[int, ...],
    *,
    bias: bool = True,
    **options: Any,
) -> Case:
    """The case of a convolution of an image and a kernel of these shapes, by `function`."""
    return op(
        name,
        function,
        normal(*x),
        normal(*w),
        *([normal(w[0])] if bias else []),
        twin=F.conv2d,
        loops=conv.conv2d,
        linear_in=((0, 2), (1, 2)) if bias else ((0,), (1,)),
        **options,
    )


#: (setting, input, weight, options)
_GEOMETRIES: list[tuple[str, tuple[int, ...], tuple[int, int, int, int], dict[str, Any]]] = [
    ("plain", (2, 3, 5, 4), (4, 3, 3, 3), {}),
    ("one tap", (2, 3, 3, 4), (4, 3, 1, 1), {}),
    ("padding", (2, 3, 4, 5), (2, 3, 3, 3), {"padding": 1}),
    ("wide padding", (1, 2, 2, 3), (2, 2, 5, 4), {"padding": (3, 2)}),
    ("stride", (2, 2, 6, 7), (3, 2, 3, 3), {"stride": 2, "padding": 1}),
    ("even kernel", (2, 2, 6, 8), (3, 2, 4, 4), {"stride": 2, "padding": 1}),
    ("dilation", (1, 2, 6, 7), (3, 2, 3, 3), {"dilation": 2, "padding": 1}),
    ("groups", (2, 4, 4, 4), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    ("depthwise", (2, 4, 5, 4), (4, 1, 3, 3), {"groups": 4, "stride": 2}),
    ("skipped pixels", (1, 2, 6, 7), (2, 2, 2, 2), {"stride": 3}),
    ("rows and columns", (1, 4, 9, 8), (4, 2, 3, 2),
     {"stride": (2, 3), "padding": (0, 2), "dilation": (3, 2), "groups": 2}),
]  # fmt: skip

CONVOLUTION_CASES: list[Case] = [
    case
    for setting, x, w, options in _GEOMETRIES
    for case in (
        _case(f"conv2d/{setting}", layers.conv2d, x, w, **options),
        layer(
            f"Conv2d/{setting}",
            (x[1], w[0], w[2:]),
            partial(nn.Conv2d, x[1], w[0], w[2:], **options),
            normal(*x),
            partial(_conv2d, options),
            linear_in=((0, "bias"), ("weight", "bias")),
            **options,
        ),
    )
]


def _conv2d_by(algorithm: Algorithm) -> Callable[..., Tensor]:
    """The convolution by this algorithm, forwards and backwards."""

    def conv2d(*arguments: Array | Tensor, **options: Any) -> Tensor:
        with only(algorithm):
            return layers.conv2d(*arguments, **options)

    return conv2d


#: What some algorithms do in a way of their own: (setting, input, weight, options).
_BY_ALGORITHM = [
    *_GEOMETRIES,
    ("one tile", (2, 3, 6, 6), (4, 3, 3, 3), {}),
    ("several tiles", (2, 2, 8, 12), (3, 2, 3, 3), {"padding": 1}),
    ("parts of tiles", (1, 2, 7, 9), (3, 2, 3, 3), {"padding": 1}),
    ("padding beyond the kernel's reach", (2, 2, 5, 4), (3, 2, 3, 3), {"padding": 2}),
    ("padding of columns", (2, 3, 5, 9), (2, 3, 3, 3), {"padding": (2, 0)}),
    ("a single pixel", (3, 2, 1, 1), (2, 2, 3, 3), {"padding": 1}),
    ("several strips", (2, 2, 7, 20), (1, 2, 7, 5), {"padding": (3, 2)}),
    ("one tap, stride", (2, 3, 5, 4), (2, 3, 1, 1), {"stride": (3, 2)}),
    ("sub-images", (2, 2, 8, 6), (3, 2, 3, 3), {"dilation": 2, "padding": 2}),
    ("unequal sub-images", (1, 2, 7, 9), (2, 2, 3, 3), {"dilation": (3, 2), "padding": (3, 0)}),
    ("a multiplier of channels", (2, 2, 5, 4), (4, 1, 3, 2), {"groups": 2, "padding": 1}),
    ("one output", (1, 2, 3, 4), (3, 2, 3, 4), {}),
    ("padding beyond the kernel", (2, 3, 4, 5), (2, 3, 2, 2), {"padding": 2}),
    ("more outputs, dilation", (2, 2, 7, 6), (3, 2, 3, 2), {"padding": (1, 2), "dilation": (2, 3)}),
    ("fewer outputs, dilation", (2, 3, 6, 8), (2, 3, 2, 3), {"padding": (2, 1), "dilation": (3, 2)}),
    ("stride of rows, padding", (1, 2, 8, 7), (2, 2, 3, 3), {"stride": (3, 2), "padding": (1, 2)}),
    ("stride and dilation", (1, 2, 7, 9), (2, 2, 2, 3), {"stride": (1, 2), "dilation": (1, 2)}),
    ("three rows of wide kernels", (2, 2, 6, 5), (3, 2, 3, 4), {"padding": (2, 3)}),
    ("even kernel, parts of tiles", (1, 2, 11, 13), (3, 2, 4, 4), {"stride": 2, "padding": (1, 2)}),
    ("even kernel, several tiles", (2, 2, 18, 12), (2, 2, 4, 4), {"stride": 2}),
    ("even kernel, more images than tiles", (3, 1, 10, 10), (2, 1, 4, 4), {"stride": 2}),
    ("even kernel, unseen pixels", (1, 2, 11, 19), (2, 2, 4, 4), {"stride": 2}),
    ("stride and groups", (2, 4, 5, 7), (4, 2, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
]


def _in_small_blocks(algorithm: Algorithm) -> Algorithm:
    """Images one after the other, and Winograd's rows of tiles."""

    def small(direction: Callable[..., Array]) -> Callable[..., Array]:
        def in_small_blocks(*arguments: Any) -> Array:
            with ExitStack() as patches:
                for module in (blocks, winograd1d, bands, kn2row, planar, im2col):
                    patches.enter_context(mock.patch.object(module, "BLOCK", 1))
                patches.enter_context(mock.patch.object(blocks, "BATCH_BLOCK", 1))
                patches.enter_context(mock.patch.object(winograd1d, "GRADIENT_BLOCK", 1))
                return direction(*arguments)

        return in_small_blocks

    return Algorithm(
        f"{algorithm.name} in small blocks",
        algorithm.suits,
        small(algorithm.forward),
        small(algorithm.input_gradient),
        small(algorithm.weight_gradient),
    )


_BLOCKED = (
    *(bands.BANDS, kn2row.KN2ROW, im2col.IM2COL),
    *(winograd.WINOGRAD, winograd1d.WINOGRAD1D, winograd_strided.WINOGRAD_STRIDED),
)
CONVOLUTION_CASES += [
    _case(f"conv2d/{algorithm.name}, {setting}", _conv2d_by(algorithm), x, w, **options)
    for algorithm in (*ALGORITHMS, *map(_in_small_blocks, _BLOCKED))
    for setting, x, w, options in _BY_ALGORITHM
    if algorithm.suits(
        ConvShape.of(
            torch.empty(x), torch.empty(w), None, **{"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **options}
        )
    )
]
CONVOLUTION_CASES += [
    _case(
        f"conv2d/{algorithm.name}, {setting}, no bias",
        _conv2d_by(algorithm),
        (2, c, 12, 9),
        (4, c // options.get("groups", 1), *kernel),
        bias=False,
        **options,
    )
    for algorithm, setting, c, kernel, options in (
        (taps.TAPS, "plain", 3, (3, 3), {}),
        (taps.TAPS, "depthwise", 4, (3, 3), {"groups": 4}),
        (pointwise.POINTWISE, "one tap", 3, (1, 1), {}),
        (winograd.WINOGRAD, "plain", 3, (3, 3), {}),
        (winograd1d.WINOGRAD1D, "plain", 3, (3, 3), {}),
        (winograd_strided.WINOGRAD_STRIDED, "even kernel", 3, (4, 4), {"stride": 2}),
    )
]
CONVOLUTION_CASES += [
    _case("conv2d/no bias", layers.conv2d, (2, 3, 4, 5), (2, 3, 3, 3), bias=False, padding=1),
    layer(
        "Conv2d/no bias",
        (3, 2, 3),
        lambda: nn.Conv2d(3, 2, 3, bias=False),
        normal(2, 3, 4, 5),
        lambda s, x: conv.conv2d(x, s["weight"]),
        linear_in=((0,), ("weight",)),
        bias=False,
    ),
    layer(
        "GatedConv2d",
        (3, 2, 3),
        lambda: twins.GatedConv2d(3, 2, 3, stride=2, padding=1),
        normal(2, 3, 5, 4),
        lambda s, x: conv.gated_conv2d(x, s["conv.weight"], s["conv.bias"], stride=2, padding=1),
        stride=2,
        padding=1,
    ),
    layer(
        "GatedConv2d/dilation",
        (2, 2, (3, 2)),
        lambda: twins.GatedConv2d(2, 2, (3, 2), padding=(1, 2), dilation=(2, 3)),
        normal(1, 2, 6, 5),
        lambda s, x: conv.gated_conv2d(x, s["conv.weight"], s["conv.bias"], padding=(1, 2), dilation=(2, 3)),
        padding=(1, 2),
        dilation=(2, 3),
    ),
    op(
        "linear/vectors",
        layers.linear,
        normal(3, 4),
        normal(2, 4),
        normal(2),
        twin=F.linear,
        loops=conv.linear,
        linear_in=((0, 2), (1, 2)),
    ),
    op(
        "linear/no bias, more axes",
        layers.linear,
        normal(2, 3, 4),
        normal(5, 4),
        twin=F.linear,
        loops=conv.linear,
        linear_in=((0,), (1,)),
    ),
    layer(
        "Linear",
        (4, 3),
        lambda: nn.Linear(4, 3),
        normal(2, 4),
        lambda s, x: conv.linear(x, s["weight"], s["bias"]),
        linear_in=((0, "bias"), ("weight", "bias")),
    ),
    layer(
        "Linear/no bias",
        (4, 3),
        lambda: nn.Linear(4, 3, bias=False),
        normal(2, 4),
        lambda s, x: conv.linear(x, s["weight"]),
        linear_in=((0,), ("weight",)),
        bias=False,
    ),
]
