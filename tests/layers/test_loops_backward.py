"""The backward passes that are written out in plain loops: the layers and torch agree with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array, Tensor
from photomend.layers import avg_pool2d, batch_norm, conv2d, linear, max_pool2d, upsample_bilinear
from photomend.tests.reference.loops import attention_backward, conv, norm, pooling, resampling
from photomend.tests.verification.oracles import relative_error, results, twin_results
from photomend.tests.verification.registry import CASES


def normal(*shape: int, seed: int) -> Array:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def check(ours: Any, theirs: Any, loops: Any, *inputs: Array) -> None:
    """`loops` gets ȳ and the inputs as NumPy arrays and returns all their cotangents."""
    leaves, twins = [Tensor(x) for x in inputs], [x.clone().requires_grad_() for x in inputs]
    y = ours(*leaves)
    v = normal(*y.shape, seed=9)
    y.backward(v)
    theirs(*twins).backward(v)
    expected = loops(v.numpy(), *(x.numpy() for x in inputs))
    for leaf, twin, cotangent in zip(leaves, twins, expected, strict=True):
        reference = torch.from_numpy(np.asarray(cotangent))
        assert relative_error(leaf.grad, reference) <= 1e-10
        assert relative_error(twin.grad, reference) <= 1e-10


@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((2, 3, 4, 5), (2, 3, 3, 3), {"padding": 1}),
        ((1, 2, 7, 6), (3, 2, 3, 2), {"stride": (2, 3), "padding": (1, 0), "dilation": (1, 2)}),
        ((2, 4, 4, 4), (6, 2, 2, 2), {"groups": 2}),
    ],
)
def test_convolution(x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]) -> None:
    check(
        lambda x, w, b: conv2d(x, w, b, **options),
        lambda x, w, b: F.conv2d(x, w, b, **options),
        lambda ȳ, x, w, b: conv.conv2d_backward(ȳ, x, w, **options),
        normal(*x, seed=0),
        normal(*w, seed=1),
        normal(w[0], seed=2),
    )


@pytest.mark.parametrize("shape", [(2, 3, 2, 3), (4, 3), (2, 3, 4)])
def test_batch_norm(shape: tuple[int, ...]) -> None:
    check(
        lambda x, w, b: batch_norm(
            x, w, b, running_mean=torch.zeros(3).double(), running_var=torch.ones(3).double(), training=True
        ),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        lambda ȳ, x, w, b: norm.batch_norm_backward(ȳ, x, w),
        normal(*shape, seed=0),
        normal(3, seed=1),
        normal(3, seed=2),
    )


@pytest.mark.parametrize("options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": (1, 2), "padding": 1}])
@pytest.mark.parametrize("ties", [False, True])
def test_max_pooling(options: dict[str, Any], ties: bool) -> None:
    x = normal(2, 2, 5, 6, seed=0)
    check(
        lambda x: max_pool2d(x, **options),
        lambda x: F.max_pool2d(x, **options),
        lambda ȳ, x: [pooling.max_pool2d_backward(ȳ, x, **options)],
        x.round() if ties else x,
    )


@pytest.mark.parametrize("options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": (1, 2), "padding": 1}])
def test_average_pooling(options: dict[str, Any]) -> None:
    check(
        lambda x: avg_pool2d(x, **options),
        lambda x: F.avg_pool2d(x, **options),
        lambda ȳ, x: [pooling.avg_pool2d_backward(ȳ, x, **options)],
        normal(2, 2, 5, 6, seed=0),
    )


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_linear(shape: tuple[int, ...]) -> None:
    check(
        linear,
        F.linear,
        lambda ȳ, x, w, b: conv.linear_backward(ȳ, x, w),
        normal(*shape, seed=0),
        normal(2, 4, seed=1),
        normal(2, seed=2),
    )


@pytest.mark.parametrize("scale_factor", [1, 2, 3])
def test_bilinear_upsampling(scale_factor: int) -> None:
    check(
        lambda x: upsample_bilinear(x, scale_factor=scale_factor),
        lambda x: F.interpolate(x, scale_factor=float(scale_factor), mode="bilinear"),
        lambda ȳ, x: [resampling.upsample_bilinear_backward(ȳ, x, scale_factor=scale_factor)],
        normal(2, 2, 3, 4, seed=0),
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("name", "loops"),
    [
        ("ChannelAttention", attention_backward.channel_attention_backward),
        ("SpatialAttention", attention_backward.spatial_attention_backward),
        ("CBAM", attention_backward.cbam_backward),
    ],
)
def test_attention(name: str, loops: Any, ties: bool) -> None:
    case = CASES[name]
    module, (x,) = case.ours(), case.inputs()
    x = x.round() if ties else x
    twin = case.twin(module)
    state = {key: array.numpy() for key, array in module.state_dict().items()}
    ours, v = results(module, (x,))
    theirs = twin_results(twin, (x,), v)
    x̄, weights = loops(state, v.numpy(), x.numpy())
    expected = {"gradient of input 0": x̄} | {f"gradient of {key}": array for key, array in weights.items()}
    assert expected.keys() == ours.keys() - {"value"}
    for key, cotangent in expected.items():
        assert relative_error(ours[key], torch.from_numpy(cotangent)) <= 1e-10, key
        assert relative_error(theirs[key], torch.from_numpy(cotangent)) <= 1e-10, key
