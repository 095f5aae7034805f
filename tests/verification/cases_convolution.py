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
from photomend.layers import conv as conv_layer
from photomend.layers.convolution import Problem, im2col, winograd, winograd_rows
from photomend.layers.convolution.choose import ALGORITHMS, Plan, choose, only
from photomend.tests.reference import twins
from photomend.tests.reference.loops import conv
from photomend.tests.verification.case import Case, State, layer, normal, of_one_image, op
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

#: Padding by a word.
_WORDS: list[tuple[str, tuple[int, ...], tuple[int, int, int, int], dict[str, Any]]] = [
    ("same", (2, 3, 5, 4), (2, 3, 3, 5), {"padding": "same"}),
    ("same, uneven", (1, 2, 5, 4), (3, 2, 4, 2), {"padding": "same", "dilation": (1, 3)}),
    ("same, uneven rows", (1, 4, 4, 3), (2, 2, 2, 1), {"padding": "same", "groups": 2}),
    ("valid", (2, 2, 5, 6), (3, 2, 3, 2), {"padding": "valid"}),
]

CONVOLUTION_CASES: list[Case] = [
    case
    for setting, x, w, options in (*_GEOMETRIES, *_WORDS)
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


def _conv2d_by(name: str, plan: Callable[[Problem], Plan] = choose) -> Callable[..., Tensor]:
    """The convolution by this algorithm, forwards and backwards."""

    def conv2d(*arguments: Array | Tensor, **options: Any) -> Tensor:
        with only(name), mock.patch.object(conv_layer, "choose", plan):
            return layers.conv2d(*arguments, **options)

    return conv2d


def _in_small_blocks(problem: Problem) -> Plan:
    """The plan whose algorithms work on images one after the other, and on rows of tiles."""

    def small(direction: Callable[..., Array]) -> Callable[..., Array]:
        def in_small_blocks(*arguments: Any) -> Array:
            with ExitStack() as patches:
                for module in (im2col, winograd, winograd_rows):
                    patches.enter_context(mock.patch.object(module, "BLOCK", 1))
                patches.enter_context(mock.patch.object(winograd, "FEWEST_TILES", 1))
                return direction(*arguments)

        return in_small_blocks

    plan = choose(problem)
    return Plan(small(plan.forward), small(plan.input_gradient), small(plan.weight_gradient), plan.names)


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
    ("stride, wide padding", (2, 2, 6, 7), (2, 2, 5, 5), {"stride": 2, "padding": 4}),
    ("stride, fewer outputs", (2, 3, 7, 8), (2, 3, 3, 3), {"stride": 2, "padding": 1}),
    ("stride of rows, fewer outputs", (1, 3, 7, 6), (2, 3, 3, 2), {"stride": (2, 1), "padding": 1}),
    ("stride of columns, fewer outputs", (1, 3, 6, 7), (2, 3, 2, 3), {"stride": (1, 2), "padding": 1}),
    ("four tiles each way", (2, 1, 14, 13), (1, 1, 3, 3), {"padding": 2}),
    ("whole tiles of columns only", (1, 2, 6, 8), (2, 2, 3, 3), {"padding": 1}),
    ("four images of a part of a tile", (4, 1, 3, 4), (1, 1, 3, 3), {"padding": 1}),
    ("stride and groups", (2, 4, 5, 7), (4, 2, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
]


def _suits(name: str, x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]) -> bool:
    settings = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | options
    return ALGORITHMS[name].suits(Problem.of(torch.empty(x), torch.empty(w), None, **settings))


CONVOLUTION_CASES += [
    _case(f"conv2d/{name}{blocked}, {setting}", _conv2d_by(name, plan), x, w, **options)
    for name in ALGORITHMS
    for blocked, plan in (("", choose), (" in small blocks", _in_small_blocks))
    if not (name == "taps" and blocked)
    for setting, x, w, options in _BY_ALGORITHM
    if _suits(name, x, w, options)
]
CONVOLUTION_CASES += [
    _case(
        f"conv2d/{name}, {setting}, no bias",
        _conv2d_by(name),
        (2, c, 12, 9),
        (4, c // options.get("groups", 1), *kernel),
        bias=False,
        **options,
    )
    for name, setting, c, kernel, options in (
        ("taps", "plain", 3, (3, 3), {}),
        ("taps", "depthwise", 4, (3, 3), {"groups": 4}),
        ("im2col", "plain", 3, (3, 3), {}),
        ("im2col", "one tap", 3, (1, 1), {}),
        ("im2col", "even kernel", 3, (4, 4), {"stride": 2}),
        ("winograd", "plain", 3, (3, 3), {}),
        ("winograd-rows", "plain", 3, (3, 3), {}),
    )
]
CONVOLUTION_CASES += [
    layer(
        f"Conv2d/{mode}, {setting}",
        (2, 3, kernel),
        partial(nn.Conv2d, 2, 3, kernel, padding_mode=mode, **options),
        normal(1, 2, 4, 5),
        partial(_conv2d, {"padding_mode": mode, **options}),
        linear_in=((0, "bias"), ("weight", "bias")),
        padding_mode=mode,
        **options,
    )
    for mode in ("reflect", "replicate", "circular")
    for setting, kernel, options in (
        ("padding", (3, 3), {"padding": (2, 1), "stride": 2}),
        ("same", (2, 3), {"padding": "same", "dilation": (3, 1)}),
    )
]
CONVOLUTION_CASES += [
    op(
        "conv2d/one image",
        layers.conv2d,
        normal(3, 4, 5),
        normal(2, 3, 3, 3),
        normal(2),
        twin=F.conv2d,
        loops=of_one_image(conv.conv2d),
        linear_in=((0, 2), (1, 2)),
        padding=1,
    ),
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
    op(
        "linear/one vector",
        layers.linear,
        normal(4),
        normal(2, 4),
        normal(2),
        twin=F.linear,
        loops=conv.linear,
        linear_in=((0, 2), (1, 2)),
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
