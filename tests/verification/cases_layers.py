"""The cases of the layers that stand alone: each family's primitives, and the modules around them."""

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
from photomend.core import Array, Module, Tensor
from photomend.layers.convolution import (
    ALGORITHMS,
    Algorithm,
    ConvShape,
    bands,
    im2col,
    kn2row,
    planar,
    pointwise,
    taps,
    winograd,
    winograd1d,
)
from photomend.layers.convolution.planner import only
from photomend.tests.reference import twins
from photomend.tests.reference.loops import activation, conv, pooling, resampling
from photomend.tests.reference.loops.activation import elementwise
from photomend.tests.verification.case import Case, Draw, State, apart, normal, op
from torch import nn

Groups = tuple[tuple[int | str, ...], ...]
X: Groups = ((0,),)  # linear in the input


def layer(
    name: str,
    arguments: tuple[Any, ...],
    twin: Callable[[], nn.Module],
    draw: Draw,
    loops: Callable[[State, np.ndarray], np.ndarray],
    *,
    linear_in: Groups = (),
    training: bool = True,
    settle: Callable[[Module], None] | None = None,
    **options: Any,
) -> Case:
    """The case of a layer, made with `arguments` and `options`."""
    kind: type[Module] = getattr(layers, name.partition("/")[0])
    return Case(name, lambda: kind(*arguments, **options), twin, (draw,), loops, linear_in, training, settle)


def _stateless(loops: Callable[..., np.ndarray], *first: Any, **options: Any) -> Callable[..., np.ndarray]:
    """The loops of a layer without weights, which get the (empty) state all the same."""
    return lambda state, x: loops(*first, x, **options)


def _conv2d(options: dict[str, Any], state: State, x: np.ndarray) -> np.ndarray:
    return conv.conv2d(x, state["weight"], state["bias"], **options)


_ACTIVATIONS = [
    case
    for name, Kind, twin, f, draw in (
        ("relu", "ReLU", nn.ReLU, activation.relu, apart(2, 3, 4)),
        ("leaky_relu", "LeakyReLU", nn.LeakyReLU, activation.leaky_relu, apart(2, 3, 4)),
        ("sigmoid", "Sigmoid", nn.Sigmoid, activation.sigmoid, normal(2, 3, 4)),
        ("tanh", "Tanh", nn.Tanh, activation.tanh, normal(2, 3, 4)),
        ("silu", "SiLU", nn.SiLU, activation.silu, normal(2, 3, 4)),
    )
    for case in (
        op(name, getattr(layers, name), draw, twin=twin(), loops=partial(elementwise, f)),
        layer(Kind, (), twin, draw, _stateless(elementwise, f)),
    )
]
_ACTIVATIONS += [
    *(
        op(
            f"leaky_relu/{setting}",
            layers.leaky_relu,
            apart(2, 3, 4),
            twin=F.leaky_relu,
            loops=lambda x, negative_slope: elementwise(lambda v: activation.leaky_relu(v, negative_slope), x),
            negative_slope=slope,
        )
        for setting, slope in (("steep", 0.3), ("falling", -0.4), ("steeper below", 1.5))
    ),
    layer(
        "LeakyReLU/steep",
        (0.3,),
        lambda: nn.LeakyReLU(0.3),
        apart(2, 3, 4),
        lambda state, x: elementwise(lambda v: activation.leaky_relu(v, 0.3), x),
    ),
    op("glu/images", layers.glu, normal(2, 4, 2, 3), twin=lambda x: F.glu(x, 1), loops=activation.glu),
    op("glu/vectors", layers.glu, normal(3, 6), twin=lambda x: F.glu(x, 1), loops=activation.glu),
    op(
        "dropout",
        layers.dropout,
        normal(3, 4),
        twin=twins.dropout,
        loops=activation.dropout,
        linear_in=((0,),),
        keep=torch.arange(12).reshape(3, 4) % 3 != 0,
        p=0.3,
    ),
    # In training torch draws another mask, so what is random is checked in test_dropout.py.
    layer("Dropout/eval", (0.4,), lambda: nn.Dropout(0.4), normal(3, 4), lambda s, x: x, training=False),
]

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

_CONVOLUTION = [
    case
    for setting, x, w, options in _GEOMETRIES
    for case in (
        op(
            f"conv2d/{setting}",
            layers.conv2d,
            normal(*x),
            normal(*w),
            normal(w[0]),
            twin=F.conv2d,
            loops=conv.conv2d,
            linear_in=((0, 2), (1, 2)),
            **options,
        ),
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
    ("stride and groups", (2, 4, 5, 7), (4, 2, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
]


def _in_small_blocks(algorithm: Algorithm) -> Algorithm:
    """Images one after the other, and Winograd's rows of tiles."""

    def small(direction: Callable[..., Array]) -> Callable[..., Array]:
        def in_small_blocks(*arguments: Any) -> Array:
            with ExitStack() as patches:
                for module in (winograd, winograd1d, bands, kn2row, planar, im2col):
                    patches.enter_context(mock.patch.object(module, "BLOCK", 1))
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


_BLOCKED = (bands.BANDS, kn2row.KN2ROW, winograd.WINOGRAD, winograd1d.WINOGRAD1D, im2col.IM2COL)
_CONVOLUTION += [
    op(
        f"conv2d/{algorithm.name}, {setting}",
        _conv2d_by(algorithm),
        normal(*x),
        normal(*w),
        normal(w[0]),
        twin=F.conv2d,
        loops=conv.conv2d,
        linear_in=((0, 2), (1, 2)),
        **options,
    )
    for algorithm in (*ALGORITHMS, *map(_in_small_blocks, _BLOCKED))
    for setting, x, w, options in _BY_ALGORITHM
    if algorithm.suits(
        ConvShape.of(
            torch.empty(x), torch.empty(w), None, **{"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **options}
        )
    )
]
_CONVOLUTION += [
    op(
        f"conv2d/{algorithm.name}, {setting}, no bias",
        _conv2d_by(algorithm),
        normal(2, c, 12, 9),
        normal(4, c // options.get("groups", 1), *kernel),
        twin=F.conv2d,
        loops=conv.conv2d,
        linear_in=((0,), (1,)),
        **options,
    )
    for algorithm, setting, c, kernel, options in (
        (taps.TAPS, "plain", 3, (3, 3), {}),
        (taps.TAPS, "depthwise", 4, (3, 3), {"groups": 4}),
        (pointwise.POINTWISE, "one tap", 3, (1, 1), {}),
        (winograd.WINOGRAD, "plain", 3, (3, 3), {}),
        (winograd1d.WINOGRAD1D, "plain", 3, (3, 3), {}),
    )
]
_CONVOLUTION += [
    op(
        "conv2d/no bias",
        layers.conv2d,
        normal(2, 3, 4, 5),
        normal(2, 3, 3, 3),
        twin=F.conv2d,
        loops=conv.conv2d,
        linear_in=((0,), (1,)),
        padding=1,
    ),
    layer(
        "Conv2d/no bias",
        (3, 2, 3),
        lambda: nn.Conv2d(3, 2, 3, bias=False),
        normal(2, 3, 4, 5),
        lambda s, x: conv.conv2d(x, s["weight"]),
        linear_in=(*X, ("weight",)),
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
        linear_in=(*X, ("weight",)),
        bias=False,
    ),
]

_POOLING = [
    case
    for setting, options in (
        ("plain", {"kernel_size": 2}),
        ("overlapping", {"kernel_size": 3, "stride": 1, "padding": (0, 1)}),
        ("wide windows", {"kernel_size": (4, 5), "stride": 1, "padding": 2}),
        ("padding", {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("rows and columns", {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)}),
    )
    for name, Kind, twin, f, loops, draw, linear in (
        ("max_pool2d", "MaxPool2d", nn.MaxPool2d, F.max_pool2d, pooling.max_pool2d, apart(2, 3, 5, 6), ()),
        ("avg_pool2d", "AvgPool2d", nn.AvgPool2d, F.avg_pool2d, pooling.avg_pool2d, normal(2, 3, 5, 6), X),
    )
    for case in (
        op(f"{name}/{setting}", getattr(layers, name), draw, twin=f, loops=loops, linear_in=linear, **options),
        layer(
            f"{Kind}/{setting}",
            (),
            partial(twin, **options),
            draw,
            _stateless(loops, **options),
            linear_in=linear,
            **options,
        ),
    )
]
_POOLING += [
    layer(
        "GlobalAvgPool2d",
        (),
        lambda: nn.AdaptiveAvgPool2d(1),
        normal(2, 3, 4, 3),
        lambda s, x: pooling.global_avg_pool2d(x),
        linear_in=X,
    ),
    layer(
        "GlobalMaxPool2d",
        (),
        lambda: nn.AdaptiveMaxPool2d(1),
        apart(2, 3, 4, 3),
        lambda s, x: pooling.global_max_pool2d(x),
    ),
]

_RESAMPLING = [
    case
    for name, Kind, twin, f, loops, option, draw in (
        ("pixel_shuffle", "PixelShuffle", nn.PixelShuffle, F.pixel_shuffle, resampling.pixel_shuffle,
         {"upscale_factor": 2}, normal(2, 8, 2, 3)),
        ("pixel_unshuffle", "PixelUnshuffle", nn.PixelUnshuffle, F.pixel_unshuffle, resampling.pixel_unshuffle,
         {"downscale_factor": 3}, normal(2, 2, 3, 6)),
        ("upsample_nearest", "UpsampleNearest", nn.UpsamplingNearest2d, twins.upsample("nearest"),
         resampling.upsample_nearest, {"scale_factor": 2}, normal(2, 3, 3, 2)),
        ("upsample_bilinear", "UpsampleBilinear", lambda scale_factor: nn.Upsample(None, scale_factor, "bilinear"),
         twins.upsample("bilinear"), resampling.upsample_bilinear, {"scale_factor": 3}, normal(2, 2, 3, 4)),
    )
    for case in (
        op(name, getattr(layers, name), draw, twin=f, loops=loops, linear_in=((0,),), **option),
        layer(
            Kind,
            (),
            partial(twin, **option),
            draw,
            _stateless(loops, **option),
            linear_in=X,
            **option,  # type: ignore[arg-type]
        ),
    )
]  # fmt: skip

LAYER_CASES: list[Case] = [*_ACTIVATIONS, *_CONVOLUTION, *_POOLING, *_RESAMPLING]
