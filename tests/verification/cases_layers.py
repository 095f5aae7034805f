"""The cases of activations, pooling, resampling, flattening: each family's primitives, and the modules around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from photomend import layers
from photomend.tests.reference import twins
from photomend.tests.reference.loops import activation, core, pooling, resampling
from photomend.tests.reference.loops.activation import elementwise
from photomend.tests.verification.case import Case, apart, away_from, layer, normal, of_one_image, op
from torch import nn

X = ((0,),)  # linear in the input


def _stateless(loops: Callable[..., np.ndarray], *first: Any, **options: Any) -> Callable[..., np.ndarray]:
    """The loops of a layer without weights, which get the (empty) state all the same."""
    return lambda state, x: loops(*first, x, **options)


def wider(generator: torch.Generator) -> torch.Tensor:
    """Evenly spaced from −8 to 8 in random order, none close to −3, 0, 3 or 6."""
    return apart(2, 3, 4)(generator) * (8 / 3)


_ACTIVATIONS = [
    case
    for name, Kind, twin, f, draw in (
        ("relu", "ReLU", nn.ReLU, activation.relu, apart(2, 3, 4)),
        ("leaky_relu", "LeakyReLU", nn.LeakyReLU, activation.leaky_relu, apart(2, 3, 4)),
        ("sigmoid", "Sigmoid", nn.Sigmoid, activation.sigmoid, normal(2, 3, 4)),
        ("tanh", "Tanh", nn.Tanh, activation.tanh, normal(2, 3, 4)),
        ("silu", "SiLU", nn.SiLU, activation.silu, normal(2, 3, 4)),
        ("gelu", "GELU", nn.GELU, activation.gelu, normal(2, 3, 4)),
        ("elu", "ELU", nn.ELU, activation.elu, apart(2, 3, 4)),
        ("celu", "CELU", nn.CELU, activation.celu, apart(2, 3, 4)),
        ("selu", "SELU", nn.SELU, activation.selu, apart(2, 3, 4)),
        ("hardtanh", "Hardtanh", nn.Hardtanh, activation.hardtanh, away_from((-1.0, 1.0), 2, 3, 4)),
        ("hardswish", "Hardswish", nn.Hardswish, activation.hardswish, wider),
        ("logsigmoid", "LogSigmoid", nn.LogSigmoid, activation.logsigmoid, normal(2, 3, 4)),
        ("softsign", "Softsign", nn.Softsign, activation.softsign, normal(2, 3, 4)),
        ("mish", "Mish", nn.Mish, activation.mish, normal(2, 3, 4)),
    )
    for case in (
        *(
            []
            if name in ("celu", "selu")
            else [op(name, getattr(layers, name), draw, twin=twin(), loops=partial(elementwise, f))]
        ),
        layer(Kind, (), twin, draw, _stateless(elementwise, f)),
    )
]
_ACTIVATIONS += [
    op(
        "elu/all options",
        layers.elu,
        apart(2, 3, 4),
        twin=lambda x, **o: torch.ops.aten.elu(x, *o.values()),
        loops=lambda x, **o: elementwise(lambda v: activation.elu(v, **o), x),
        alpha=1.7,
        scale=0.6,
        input_scale=1.3,
    ),
    layer(
        "ELU/alpha",
        (2.0,),
        lambda: nn.ELU(2.0),
        apart(2, 3, 4),
        _stateless(elementwise, lambda v: activation.elu(v, 2.0)),
    ),
    layer(
        "CELU/alpha",
        (2.0,),
        lambda: nn.CELU(2.0),
        apart(2, 3, 4),
        _stateless(elementwise, lambda v: activation.celu(v, 2.0)),
    ),
    layer("ReLU6", (), nn.ReLU6, wider, _stateless(elementwise, activation.relu6)),
    *(
        case
        for edges in ((-0.5, 2.0),)
        for case in (
            op(
                "hardtanh/edges",
                layers.hardtanh,
                away_from(edges, 2, 3, 4),
                twin=F.hardtanh,
                loops=lambda x, **o: elementwise(lambda v: activation.hardtanh(v, **o), x),
                min_val=-0.5,
                max_val=2.0,
            ),
            layer(
                "Hardtanh/edges",
                edges,
                lambda: nn.Hardtanh(-0.5, 2.0),
                away_from(edges, 2, 3, 4),
                _stateless(elementwise, lambda v: activation.hardtanh(v, -0.5, 2.0)),
            ),
        )
    ),
    *(
        op(
            f"prelu/{setting}",
            layers.prelu,
            apart(*shape),
            normal(slopes),
            twin=F.prelu,
            loops=activation.prelu,
            linear_in=X,
        )
        for setting, shape, slopes in (
            ("images", (2, 3, 2, 4), 3),
            ("vectors", (4, 3), 3),
            ("one slope", (2, 3, 4), 1),
            ("a single line", (6,), 1),
            ("one channel", (4, 1, 3), 1),
        )
    ),
    layer(
        "PReLU",
        (),
        nn.PReLU,
        apart(2, 3, 4),
        lambda s, x: activation.prelu(x, s["weight"]),
    ),
    layer(
        "PReLU/channels",
        (3,),
        lambda: nn.PReLU(3),
        apart(2, 3, 4),
        lambda s, x: activation.prelu(x, s["weight"]),
    ),
    layer("GLU", (), nn.GLU, normal(2, 3, 4), _stateless(activation.glu)),
    layer("GLU/channels", (1,), lambda: nn.GLU(1), normal(2, 4, 3), _stateless(activation.glu, dim=1)),
    op("glu/last axis", layers.glu, normal(2, 3, 4), twin=F.glu, loops=activation.glu),
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
    op(
        "gelu/tanh",
        layers.gelu,
        normal(2, 3, 4),
        twin=F.gelu,
        loops=lambda x, approximate: elementwise(activation.gelu_tanh, x),
        approximate="tanh",
    ),
    layer(
        "GELU/tanh",
        (),
        lambda: nn.GELU(approximate="tanh"),
        normal(2, 3, 4),
        _stateless(elementwise, activation.gelu_tanh),
        approximate="tanh",
    ),
    op("glu/images", layers.glu, normal(2, 4, 2, 3), twin=F.glu, loops=activation.glu, dim=1),
    op("glu/vectors", layers.glu, normal(3, 6), twin=F.glu, loops=activation.glu, dim=1),
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

_POOLING = [
    case
    for setting, options in (
        ("plain", {"kernel_size": 2}),
        ("overlapping", {"kernel_size": 3, "stride": 1, "padding": (0, 1)}),
        ("wide windows", {"kernel_size": (4, 5), "stride": 1, "padding": 2}),
        ("padding", {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("unseen pixels", {"kernel_size": (2, 2), "stride": (3, 4), "padding": 1}),
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
    case
    for name, Kind, twin, f, loops, draw, linear, settings in (
        (
            "max_pool2d", "MaxPool2d", nn.MaxPool2d, F.max_pool2d, pooling.max_pool2d, apart(2, 2, 7, 6), (),
            (
                ("dilation", {"kernel_size": (3, 2), "stride": 1, "padding": 1, "dilation": (2, 3)}),
                ("ceil_mode", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
                ("ceil_mode, padding", {"kernel_size": (2, 3), "stride": (2, 4), "padding": 1, "ceil_mode": True}),
                ("ceil_mode, dilation", {"kernel_size": 2, "stride": 3, "dilation": 2, "ceil_mode": True}),
            ),
        ),
        (
            "avg_pool2d", "AvgPool2d", nn.AvgPool2d, F.avg_pool2d, pooling.avg_pool2d, normal(2, 2, 7, 6), X,
            (
                ("ceil_mode", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
                ("ceil_mode, padding", {"kernel_size": (2, 3), "stride": (2, 4), "padding": 1, "ceil_mode": True}),
                ("count_include_pad", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
                ("both", {"kernel_size": (2, 3), "stride": (2, 4), "padding": 1, "ceil_mode": True,
                          "count_include_pad": False}),
                ("divisor_override", {"kernel_size": (2, 3), "padding": 1, "divisor_override": 5}),
            ),
        ),
    )
    for setting, options in settings
    for case in (
        op(f"{name}/{setting}", getattr(layers, name), draw, twin=f, loops=loops, linear_in=linear, **options),
        layer(f"{Kind}/{setting}", (), partial(twin, **options), draw, _stateless(loops, **options),
              linear_in=linear, **options),
    )
]  # fmt: skip
_POOLING += [
    op(
        f"{name}/one image",
        getattr(layers, name),
        apart(1, 4, 5),
        twin=f,
        loops=of_one_image(loops),
        kernel_size=2,
    )
    for name, f, loops in (
        ("max_pool2d", F.max_pool2d, pooling.max_pool2d),
        ("avg_pool2d", F.avg_pool2d, pooling.avg_pool2d),
    )
]
_POOLING += [
    layer(
        f"AdaptiveAvgPool2d/{setting}",
        (given,),
        partial(nn.AdaptiveAvgPool2d, given),
        normal(2, 3, 5, 4),
        _stateless(pooling.adaptive_avg_pool2d, output_size=size),
        linear_in=X,
    )
    for setting, given, size in (
        ("whole", 1, (1, 1)),
        ("areas", (3, 2), (3, 2)),
        ("more than there are", 7, (7, 7)),
        ("rows kept", (None, 3), (5, 3)),
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

_SHAPES = [
    layer("Flatten", (), nn.Flatten, normal(2, 3, 2, 4), lambda s, x: core.reshape(x, shape=(2, -1)), linear_in=X),
    layer(
        "Flatten/first axes",
        (0, 2),
        lambda: nn.Flatten(0, 2),
        normal(2, 3, 2, 4),
        lambda s, x: core.reshape(x, shape=(-1, 4)),
        linear_in=X,
    ),
    layer(
        "Unflatten",
        (-2, (3, -1)),
        lambda: nn.Unflatten(-2, (3, 2)),
        normal(2, 6, 2),
        lambda s, x: core.reshape(x, shape=(2, 3, 2, 2)),
        linear_in=X,
    ),
    layer("Identity", (), nn.Identity, normal(2, 3), lambda s, x: x, linear_in=X),
]

#: Beside the whole factors above: (setting, options); the sizes are larger, smaller and unequal.
_SIZES: list[tuple[str, dict[str, Any]]] = [
    ("size", {"size": (6, 4)}),
    ("smaller", {"size": 2}),
    ("larger and smaller", {"size": (7, 3)}),
    ("factor", {"scale_factor": 1.7}),
    ("unequal factors", {"scale_factor": (0.6, 2.4)}),
    ("nearly twice", {"scale_factor": (2.2, 2.0)}),
    ("hardly larger", {"scale_factor": (1.1, 1.3)}),
    ("whole factors", {"scale_factor": (3.0, 2.0)}),
    ("nearly whole rows", {"scale_factor": (3.2, 2.0)}),
    ("nearly whole columns", {"scale_factor": (3.0, 3.1)}),
]
_INTERPOLATION = [
    case
    for mode, f, loops, settings in (
        ("nearest", layers.upsample_nearest, resampling.upsample_nearest, _SIZES),
        (
            "bilinear",
            layers.upsample_bilinear,
            resampling.upsample_bilinear,
            [
                *_SIZES,
                ("corners", {"size": (5, 7), "align_corners": True}),
                ("corners, one pixel", {"size": (1, 3), "align_corners": True}),
                ("corners, two pixels", {"size": (2, 3), "align_corners": True}),
                ("corners, factor", {"scale_factor": 1.7, "align_corners": True}),
            ],
        ),
    )
    for setting, options in settings
    for case in (
        op(
            f"upsample_{mode}/{setting}",
            f,
            normal(2, 2, 4, 5),
            twin=twins.upsample(mode),
            loops=loops,
            linear_in=X,
            **options,
        ),
        layer(
            f"Upsample/{mode}, {setting}",
            (),
            partial(nn.Upsample, mode=mode, **options),
            normal(2, 2, 4, 5),
            _stateless(loops, **options),
            linear_in=X,
            mode=mode,
            **options,
        ),
    )
]
_INTERPOLATION += [
    op(
        f"{name}/one image",
        getattr(layers, name),
        draw,
        twin=twin,
        loops=of_one_image(loops),
        linear_in=X,
        **options,  # type: ignore[arg-type]
    )
    for name, draw, twin, loops, options in (
        ("upsample_nearest", normal(2, 3, 2), twins.upsample_one("nearest"), resampling.upsample_nearest,
         {"scale_factor": 2}),
        ("upsample_bilinear", normal(2, 3, 2), twins.upsample_one("bilinear"), resampling.upsample_bilinear,
         {"scale_factor": 2}),
        ("pixel_shuffle", normal(4, 2, 3), F.pixel_shuffle, resampling.pixel_shuffle, {"upscale_factor": 2}),
        ("pixel_unshuffle", normal(1, 4, 6), F.pixel_unshuffle, resampling.pixel_unshuffle, {"downscale_factor": 2}),
    )
]  # fmt: skip

LAYER_CASES: list[Case] = [*_ACTIVATIONS, *_POOLING, *_RESAMPLING, *_INTERPOLATION, *_SHAPES]
