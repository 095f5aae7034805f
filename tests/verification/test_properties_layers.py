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
        (layers.elu, F.elu, ()),
        (layers.hardswish, F.hardswish, ()),
        (layers.logsigmoid, F.logsigmoid, ()),
        (layers.softsign, F.softsign, ()),
        (layers.mish, F.mish, ()),
    ],
    ids=["relu", "sigmoid", "tanh", "silu", "elu", "hardswish", "logsigmoid", "softsign", "mish"],
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
    agree(
        lambda x: layers.glu(x, dim=1),
        lambda x: F.glu(x, 1),
        (normal((images, 2 * half, *rest), seed),),
        layout,
        spread=spread,
    )


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


@pytest.mark.parametrize("kind", ["softmax", "log_softmax", "logsumexp"])
@few
@given(shape=shapes(), seed=seeds, layout=layouts, spread=st.booleans(), data=st.data())
def test_softmax_family(kind, shape, seed, layout, spread, data) -> None:
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    ours: Any = getattr(layers, kind)
    theirs: Any = getattr(torch, kind)
    agree(
        lambda x: ours(x, dim=dim), lambda x: theirs(x, dim), (normal(shape, seed),), layout, spread=spread,
        differences=False, floor=0.01,
    )  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits"]
)
@few
@given(shape=shapes(), reduction=st.sampled_from(["none", "mean", "sum"]), seed=seeds, layout=layouts)
def test_losses_of_numbers(kind, shape, reduction, seed, layout) -> None:
    x, t = spaced(shape, seed), 0.1 * positive(shape, seed + 1) - 5
    agree(
        lambda x, t: getattr(layers, kind)(x, t, reduction=reduction),
        lambda x, t: getattr(F, kind)(x, t, reduction=reduction),
        (x, t),
        layout,
        floor=1e-3,
    )


@few
@given(
    points=sizes,
    classes=sizes,
    rest=shapes(most=2),
    reduction=st.sampled_from(["none", "mean", "sum"]),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    weighted=st.booleans(),
    ignored=st.integers(-1, 4),
    seed=seeds,
    layout=layouts,
)
def test_cross_entropy(points, classes, rest, reduction, smoothing, weighted, ignored, seed, layout) -> None:
    """Of classes, some of which may not count."""
    target = (positive((points, *rest), seed) * 1000).long() % classes
    assume((target != ignored).any())
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignored}
    weight = positive((classes,), seed + 1) if weighted else None
    agree(
        lambda x: layers.cross_entropy(x, target, weight, **options),
        lambda x: F.cross_entropy(x, target, weight, **options),
        (normal((points, classes, *rest), seed + 2),),
        layout,
        differences=classes > 1,
        floor=1e-3,
    )


@few
@given(
    points=sizes,
    classes=sizes,
    rest=shapes(most=2),
    reduction=st.sampled_from(["none", "mean", "sum"]),
    smoothing=st.sampled_from([0.0, 0.1]),
    seed=seeds,
    layout=layouts,
)
def test_cross_entropy_of_probabilities(points, classes, rest, reduction, smoothing, seed, layout) -> None:
    shape = (points, classes, *rest)
    agree(
        lambda x, t: layers.cross_entropy(x, t, reduction=reduction, label_smoothing=smoothing),
        lambda x, t: F.cross_entropy(x, t, reduction=reduction, label_smoothing=smoothing),
        (normal(shape, seed), positive(shape, seed + 1)),
        layout,
        differences=classes > 1,
        floor=1e-3,
    )


@few
@given(shape=shapes(), seed=seeds, layout=layouts, approximate=st.sampled_from(["none", "tanh"]), spread=st.booleans())
def test_gelu(shape, seed, layout, approximate, spread) -> None:
    agree(
        lambda x: layers.gelu(x, approximate=approximate),
        lambda x: F.gelu(x, approximate=approximate),
        (spaced(shape, seed),),
        layout,
        spread=spread,
        floor=1e-3,
    )


@few
@given(
    leading=shapes(most=2),
    inner=shapes(least=1, most=2),
    eps=epsilons,
    affine=st.sampled_from([0, 1, 2]),
    seed=seeds,
    layout=layouts,
    spread=st.booleans(),
)
def test_layer_norm(leading, inner, eps, affine, seed, layout, spread) -> None:
    assume(math.prod(inner) > 1)
    arrays = (spaced((*leading, *inner), seed), normal(inner, seed + 1), normal(inner, seed + 2))[: affine + 1]
    agree(
        lambda x, w=None, b=None: layers.layer_norm(x, w, b, normalized_shape=inner, eps=eps),
        lambda x, w=None, b=None: F.layer_norm(x, inner, w, b, eps=eps),
        arrays,
        layout,
        linear_in=((1, 2),) if affine == 2 else (),
        spread=spread,
        differences=eps == LARGE,
        floor=0.01,
    )


@few
@given(
    leading=shapes(most=2),
    inner=shapes(least=1, most=2),
    eps=epsilons,
    affine=st.booleans(),
    seed=seeds,
    layout=layouts,
    spread=st.booleans(),
)
def test_rms_norm(leading, inner, eps, affine, seed, layout, spread) -> None:
    assume(math.prod(inner) > 1)
    agree(
        lambda x, w=None: layers.rms_norm(x, w, normalized_shape=inner, eps=eps),
        lambda x, w=None: F.rms_norm(x, inner, w, eps=eps),
        (spaced((*leading, *inner), seed), normal(inner, seed + 1))[: affine + 1],
        layout,
        linear_in=((1,),) if affine else (),
        spread=spread,
        differences=eps == LARGE,
        floor=0.01,
    )


@few
@given(shape=shapes(), words=sizes, features=sizes, seed=seeds, layout=layouts, spread=st.booleans())
def test_embedding(shape, words, features, seed, layout, spread) -> None:
    indices = (positive(shape, seed) * 1000).long() % words
    agree(
        lambda w: layers.embedding(indices, w),
        lambda w: F.embedding(indices, w),
        (normal((words, features), seed),),
        layout,
        linear_in=INPUT,
        spread=spread,
    )


@few
@given(
    leading=shapes(most=2),
    lengths=st.tuples(sizes, sizes),
    features=st.tuples(sizes, sizes),
    mask=st.sampled_from(["none", "bool", "added"]),
    causal=st.booleans(),
    seed=seeds,
    layout=layouts,
    spread=st.booleans(),
)
def test_attention(leading, lengths, features, mask, causal, seed, layout, spread) -> None:
    (length, keys), (inner, outer) = lengths, features
    shapes_ = ((length, inner), (keys, inner), (keys, outer), (length, keys))
    arrays = tuple(normal((*leading, *shape), seed + i) for i, shape in enumerate(shapes_))
    assume(not causal or mask == "none")  # torch won't have both
    fixed: dict[str, Any] = {"attn_mask": arrays[3] > -1} if mask == "bool" else {"is_causal": causal}
    agree(
        lambda *a: layers.scaled_dot_product_attention(*a, **fixed),
        lambda *a: F.scaled_dot_product_attention(*a, **fixed),
        arrays if mask == "added" else arrays[:3],
        layout,
        linear_in=((2,),),
        spread=spread,
        floor=0.01,
    )
