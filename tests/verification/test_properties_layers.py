"""The layers' primitives in any shape, layout and setting that Hypothesis thinks of; convolution and pooling, with
their geometries, stand in tests/layers/test_geometry.py."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from photomend import layers
from photomend.core import Array, gradcheck
from photomend.tests.verification.properties import agree, few, layouts, normal, positive, seeds, shapes, sizes, spaced
from photomend.train.losses import hole_loss

INPUT: tuple[tuple[int, ...], ...] = ((0,),)
#: Of few values, nearly all of a norm's gradient cancels if ε is small: what is left is too little for differences.
LARGE = 0.3
epsilons = st.sampled_from([1e-5, 1e-3, LARGE])


@pytest.mark.parametrize(
    ("ours", "theirs", "linear_in"),
    [
        (layers.relu, F.relu, INPUT),  # linear while the signs stay
        (layers.sigmoid, torch.sigmoid, ()),
        (layers.tanh, torch.tanh, ()),
        (layers.silu, F.silu, ()),
    ],
    ids=["relu", "sigmoid", "tanh", "silu"],
)
@few
@given(shape=shapes(), seed=seeds, layout=layouts, spread=st.booleans())
def test_activations(ours, theirs, linear_in, shape, seed, layout, spread) -> None:
    agree(ours, theirs, (spaced(shape, seed),), layout, linear_in=linear_in, spread=spread)


@few
@given(shape=shapes(), seed=seeds, layout=layouts, slope=st.floats(-2, 2))
def test_leaky_relu(shape, seed, layout, slope) -> None:
    agree(
        lambda x: layers.leaky_relu(x, negative_slope=slope),
        lambda x: F.leaky_relu(x, slope),
        (spaced(shape, seed),),
        layout,
        linear_in=INPUT,
    )


@few
@given(images=sizes, half=sizes, rest=shapes(most=3), seed=seeds, layout=layouts, spread=st.booleans())
def test_glu(images, half, rest, seed, layout, spread) -> None:
    agree(layers.glu, lambda x: F.glu(x, 1), (normal((images, 2 * half, *rest), seed),), layout, spread=spread)


@few
@given(shape=shapes(), seed=seeds, layout=layouts, p=st.floats(0, 0.99))
def test_dropout(shape, seed, layout, p) -> None:
    keep = positive(shape, seed) > 0.5 + 1.5 * p
    agree(
        lambda x: layers.dropout(x, keep=keep, p=p),
        lambda x: x * keep / (1 - p),
        (normal(shape, seed + 1),),
        layout,
        linear_in=INPUT,
    )


@few
@given(
    leading=shapes(most=3),
    inputs=sizes,
    outputs=sizes,
    bias=st.booleans(),
    seed=seeds,
    layout=layouts,
    spread=st.booleans(),
)
def test_linear(leading, inputs, outputs, bias, seed, layout, spread) -> None:
    arrays = [normal((*leading, inputs), seed), normal((outputs, inputs), seed + 1), normal((outputs,), seed + 2)]
    agree(
        layers.linear,
        F.linear,
        tuple(arrays if bias else arrays[:2]),
        layout,
        linear_in=((0, 2), (1, 2)) if bias else ((0,), (1,)),
        spread=spread,
    )


@few
@given(
    images=sizes,
    channels=sizes,
    rest=shapes(most=3),
    training=st.booleans(),
    momentum=st.floats(0, 1),
    eps=epsilons,
    affine=st.sampled_from([0, 1, 2]),
    seed=seeds,
    layout=layouts,
    spread=st.booleans(),
)
def test_batch_norm(images, channels, rest, training, momentum, eps, affine, seed, layout, spread) -> None:
    """With weight and bias, with the weight alone, with neither; the running statistics are the same afterwards."""
    assume(not training or images * math.prod(rest) > 1)
    x = spaced((images, channels, *rest), seed)
    arrays = (x, normal((channels,), seed + 1), normal((channels,), seed + 2))[: affine + 1]
    before = normal((channels,), seed + 3), positive((channels,), seed + 4)
    ours_after, theirs_after = ([a.clone() for a in before] for _ in range(2))
    options: dict[str, Any] = {"training": training, "momentum": momentum, "eps": eps}

    def ours(*arrays: Any) -> Any:
        return layers.batch_norm(*arrays, running_mean=ours_after[0], running_var=ours_after[1], **options)

    def theirs(x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
        return F.batch_norm(x, theirs_after[0], theirs_after[1], weight, bias, **options)

    agree(ours, theirs, arrays, layout, spread=spread, differences=False, floor=0.01)
    for mine, their in zip(ours_after, theirs_after, strict=True):
        torch.testing.assert_close(mine, their, rtol=1e-12, atol=1e-12)
    if eps == LARGE:
        gradcheck(ours, *arrays)


@few
@given(
    images=sizes,
    groups=st.integers(1, 3),
    per_group=st.integers(1, 3),
    rest=shapes(most=3),
    eps=epsilons,
    affine=st.booleans(),
    seed=seeds,
    layout=layouts,
    spread=st.booleans(),
)
def test_group_norm(images, groups, per_group, rest, eps, affine, seed, layout, spread) -> None:
    assume(per_group * math.prod(rest) > 1)
    c = groups * per_group
    arrays = (spaced((images, c, *rest), seed), normal((c,), seed + 1), normal((c,), seed + 2))[: 3 if affine else 1]
    agree(
        lambda *a: layers.group_norm(*a, num_groups=groups, eps=eps),
        lambda x, w=None, b=None: F.group_norm(x, groups, w, b, eps=eps),
        arrays,
        layout,
        linear_in=((1, 2),) if affine else (),
        spread=spread,
        differences=eps == LARGE,
        floor=0.01,
    )


@pytest.mark.parametrize("kind", ["pixel_shuffle", "pixel_unshuffle", "upsample_nearest", "upsample_bilinear"])
@few
@given(
    images=st.integers(1, 2),
    channels=st.integers(1, 3),
    size=st.tuples(sizes, sizes),
    factor=sizes,
    seed=seeds,
    layout=layouts,
    spread=st.booleans(),
)
def test_resampling(kind, images, channels, size, factor, seed, layout, spread) -> None:
    shape = (images, channels, *size)
    ours: Any = getattr(layers, kind)
    theirs: Any = getattr(F, kind, None)
    option = "scale_factor"
    if kind == "pixel_shuffle":
        shape, option = (images, channels * factor**2, *size), "upscale_factor"
    elif kind == "pixel_unshuffle":
        shape, option = (images, channels, size[0] * factor, size[1] * factor), "downscale_factor"
    else:
        mode = kind.removeprefix("upsample_")
        theirs = lambda x, scale_factor: F.interpolate(x, scale_factor=float(scale_factor), mode=mode)  # noqa: E731
    agree(
        lambda x: ours(x, **{option: factor}),
        lambda x: theirs(x, **{option: factor}),
        (normal(shape, seed),),
        layout,
        linear_in=INPUT,
        spread=spread,
    )


@few
@given(
    images=sizes,
    channels=sizes,
    size=st.tuples(sizes, sizes),
    weights=st.tuples(st.floats(0, 5), st.floats(0, 5)),
    seed=seeds,
    layout=layouts,
)
def test_hole_loss(images, channels, size, weights, seed, layout) -> None:
    mask = (normal((images, 1, *size), seed) > 0).double()
    assume(mask.any())
    shape = (images, channels, *size)
    prediction, target = spaced(shape, seed + 1), torch.full(shape, 0.001, dtype=torch.float64)
    mse_weight, mae_weight = weights

    def theirs(prediction: Array) -> Array:
        d = (prediction - target)[mask.expand(shape) > 0]
        return mse_weight * d.pow(2).mean() + mae_weight * d.abs().mean()

    agree(
        lambda p: hole_loss(p, target, mask, mse_weight=mse_weight, mae_weight=mae_weight),
        theirs,
        (prediction,),
        layout,
        floor=1e-6,
    )
