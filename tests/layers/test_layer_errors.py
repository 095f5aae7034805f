"""A mistake in a layer's settings or input is a line that names the argument and its value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from photomend import layers as L
from photomend.core import Array, Tensor, clamp, getitem, matmul, mean, pad

X = torch.ones(2, 6, 5, 4)


def batch_norm(mean: Array, var: Array, training: bool = False) -> Array:
    return L.batch_norm(X, running_mean=mean, running_var=var, training=training)


MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.Conv2d(6, 8, 3, groups=4), "Conv2d: in_channels (=6) must be divisible by groups (=4)"),
    (lambda: L.Conv2d(8, 6, 3, groups=4), "Conv2d: out_channels (=6) must be divisible by groups (=4)"),
    (lambda: L.Conv2d(0, 6, 3), "Conv2d: in_channels (=0) must be an integer of at least 1"),
    (lambda: L.Conv2d(3, 6, 0), "kernel_size (=0) must be an integer, or two, of at least 1"),
    (lambda: L.Conv2d(3, 6, 3, stride=(1, 2, 3)), "stride (=(1, 2, 3)) must be an integer, or two"),  # type: ignore[arg-type]
    (lambda: L.Conv2d(3, 6, 3, padding=-1), "padding (=-1) must be an integer, or two, of at least 0"),
    (lambda: L.Conv2d(3, 6, 3.0), "kernel_size (=3.0) must be an integer, or two, of at least 1"),  # type: ignore[arg-type]
    (lambda: L.Conv2d(3, 6, (3, 3.0)), "kernel_size (=(3, 3.0)) must be an integer, or two"),  # type: ignore[arg-type]
    (lambda: L.Conv2d(3, 6, "33"), "kernel_size (=33) must be an integer, or two"),  # type: ignore[arg-type]
    (lambda: L.Conv2d(8.0, 6, 3), "Conv2d: in_channels (=8.0) must be an integer of at least 1"),  # type: ignore[arg-type]
    (lambda: L.Conv2d(8, 6.0, 3), "Conv2d: out_channels (=6.0) must be an integer of at least 1"),  # type: ignore[arg-type]
    (lambda: L.Conv2d(8, 6, 3, groups=2.0), "Conv2d: groups (=2.0) must be an integer"),  # type: ignore[arg-type]
    (lambda: L.conv2d(X, torch.ones(6, 3, 1, 1), groups=2.0), "conv2d: groups (=2.0) must be an integer of at least 1"),
    (lambda: L.Conv2d(3, 6, 3)(X), "input of shape (2, 6, 5, 4) must have 3 channels"),
    (
        lambda: L.Conv2d(6, 6, 3)(X[0, 0]),
        "conv2d: input of shape (5, 4) must be (N, C, H, W), or (C, H, W) for",
    ),
    (lambda: L.Conv2d(3, 6, 3, padding="full"), "conv2d: padding (='full') must be a number, two, 'same' or 'valid'"),
    (
        lambda: L.Conv2d(3, 6, 3, 2, padding="same"),
        "padding='same' goes with a stride of 1 only, not with stride (=(2",
    ),
    (
        lambda: L.Conv2d(3, 6, 3, padding_mode="wrap"),
        "padding_mode (='wrap') must be one of zeros, reflect",
    ),
    (
        lambda: L.Conv2d(6, 6, 9, padding=4, padding_mode="reflect")(X),
        "padding (=4) is too much for 4 pixels with 'reflect'",
    ),
    (
        lambda: L.Conv2d(6, 6, 3, dilation=3)(X),
        "kernel_size (=(3, 3)) with dilation (=(3, 3)) is larger than the input",
    ),
    (
        lambda: L.conv2d(X, torch.ones(6, 6, 0, 3)),
        "(6, 6, 0, 3) must have a kernel of at least one tap",
    ),
    (lambda: L.conv2d(X, torch.ones(6, 6)), "conv2d: weight of shape (6, 6)"),
    (lambda: L.conv2d(X, torch.ones(4, 3, 1, 1), groups=3), "out_channels (=4) must be divisible by groups (=3)"),
    (lambda: L.conv2d(X, torch.ones(4, 6, 1, 1), torch.ones(3)), "bias of shape (3,) must be (4,)"),
    (lambda: L.Linear(0, 3), "Linear: in_features (=0) must be an integer of at least 1"),
    (lambda: L.Linear(3.0, 3), "Linear: in_features (=3.0) must be an integer of at least 1"),  # type: ignore[arg-type]
    (lambda: L.Linear(3, None), "Linear: out_features (=None) must be an integer of at least 1"),  # type: ignore[arg-type]
    (lambda: L.Linear(3, 2)(X), "input (2, 6, 5, 4) and weight (2, 3)"),
    (lambda: L.linear(X, torch.ones(2, 4), torch.ones(3)), "linear: bias of shape (3,) must be (2,)"),
    (lambda: L.BatchNorm2d(-3), "BatchNorm2d: num_features (=-3) must be an integer of at least 1"),
    (lambda: L.BatchNorm1d(3.0), "BatchNorm1d: num_features (=3.0) must be an integer"),  # type: ignore[arg-type]
    (lambda: batch_norm(torch.ones(5), torch.ones(6)), "batch_norm: running_mean of shape (5,) must be (6,)"),
    (lambda: batch_norm(torch.ones(6), torch.ones(1)), "batch_norm: running_var of shape (1,) must be (6,)"),
    (lambda: L.BatchNorm2d(5)(X), "BatchNorm2d: input of shape (2, 6, 5, 4) must have 5 channels (axis 1) and 4 axes"),
    (lambda: L.BatchNorm1d(6)(X), "BatchNorm1d: input of shape (2, 6, 5, 4) must have 6 channels (axis 1) and 2 or 3"),
    (lambda: L.BatchNorm1d(6)(X[:1, :, 0, 0]), "input of shape (1, 6) has one value per channel in training"),
    (lambda: L.InstanceNorm2d(6)(X[:, :, :1, :1]), "InstanceNorm2d: input of shape (2, 6, 1, 1) has one value per"),
    (lambda: L.InstanceNorm1d(6)(X), "InstanceNorm1d: input of shape (2, 6, 5, 4) must have 6 channels (axis 1) and 3"),
    (lambda: L.InstanceNorm2d(5)(X), "InstanceNorm2d: input of shape (2, 6, 5, 4) must have 5 channels"),
    (lambda: L.InstanceNorm2d(0), "InstanceNorm2d: num_features (=0) must be an integer"),
    (lambda: L.InstanceNorm2d(3, eps=0), "InstanceNorm2d: eps (=0) must be a number above 0"),
    (lambda: L.BatchNorm2d(6)(X[:1, :, :1, :1]), "batch_norm: input of shape (1, 6, 1, 1) has one value per channel"),
    (
        lambda: L.batch_norm(X, running_mean=None, running_var=X[0, :, 0, 0], training=False),
        "batch_norm: running_mean and running_var must be given in evaluation",
    ),
    (lambda: L.BatchNorm2d(6, eps=0), "BatchNorm2d: eps (=0) must be a number above 0"),
    (lambda: L.LayerNorm(3, eps=0), "LayerNorm: eps (=0) must be a number above 0"),
    (lambda: L.RMSNorm(3, eps=-1.0), "RMSNorm: eps (=-1.0) must be a number above 0"),
    (lambda: L.layer_norm(X, normalized_shape=4, eps=float("nan")), "layer_norm: eps (=nan) must be a number above 0"),
    (lambda: L.rms_norm(X, normalized_shape=4, eps=0.0), "rms_norm: eps (=0.0) must be a number above 0"),
    (lambda: L.GroupNorm(2, 6, eps=-1e-5), "GroupNorm: eps (=-1e-05) must be a number above 0"),
    (lambda: L.group_norm(X, num_groups=2, eps=0.0), "group_norm: eps (=0.0) must be a number above 0"),
    (lambda: L.GroupNorm(4, 6), "GroupNorm: num_channels (=6) must be divisible by num_groups (=4)"),
    (lambda: L.GroupNorm(2.0, 6), "GroupNorm: num_groups (=2.0) must be an integer"),  # type: ignore[arg-type]
    (lambda: L.group_norm(X, num_groups=0), "group_norm: num_groups (=0) must be an integer of at least 1"),
    (lambda: L.group_norm(X, num_groups=4), "group_norm: channels (=6) must be divisible by num_groups (=4)"),
    (lambda: L.group_norm(X, torch.ones(5), num_groups=2), "group_norm: weight of shape (5,) must be (6,)"),
    (lambda: L.glu(X[:, :5], dim=1), "glu: input of shape (2, 5, 5, 4) must have an even length along dim (=1)"),
    (lambda: L.glu(X[0, 0, 0, 0]), "glu: input of shape () must have an even length"),
    (lambda: L.glu(X, dim=4), "glu: dim (=4) must be an axis of an array with 4 axes"),
    (lambda: L.prelu(X, X[0, :5, 0, 0]), "prelu: weight of shape (5,) must be (1,) or (6,)"),
    (lambda: L.huber_loss(X, X, delta=0), "huber_loss: delta (=0) must be a number above 0"),
    (lambda: L.HuberLoss(delta=-1.0), "HuberLoss: delta (=-1.0) must be a number above 0"),
    (lambda: L.huber_loss(X, X[:1]), "huber_loss: target of shape (1, 6, 5, 4) must be (2, 6, 5, 4)"),
    (lambda: L.SmoothL1Loss(beta=-1.0), "SmoothL1Loss: beta (=-1.0) must be a number above 0"),
    (lambda: L.smooth_l1_loss(X, X, beta=-1.0), "smooth_l1_loss: beta (=-1.0) must be a number above 0"),
    (lambda: L.PReLU(0), "PReLU: num_parameters (=0) must be an integer of at least 1"),
    (lambda: L.Hardtanh(1.0, -1.0), "Hardtanh: max_val (=-1.0) must not be below min_val (=1.0)"),
    (lambda: L.hardtanh(X, min_val=2.0), "hardtanh: max_val (=1.0) must not be below min_val (=2.0)"),
    (lambda: L.Softmax(4)(X), "softmax: dim (=4) must be an axis of an array with 4 axes"),
    (lambda: L.mse_loss(X, X[:1]), "mse_loss: target of shape (1, 6, 5, 4) must be (2, 6, 5, 4), as input"),
    (lambda: L.l1_loss(X, X, reduction="avg"), "l1_loss: reduction (='avg') must be 'none', 'mean' or 'sum'"),
    (
        lambda: L.CrossEntropyLoss(reduction="avg"),
        "CrossEntropyLoss: reduction (='avg') must be 'none', 'mean' or 'sum'",
    ),
    (
        lambda: L.binary_cross_entropy(X + 1.5, X),
        "binary_cross_entropy: input must be in [0, 1]; binary_cross_entropy_with_logits takes logits",
    ),
    (
        lambda: L.binary_cross_entropy(X, X, torch.ones(6)),
        "binary_cross_entropy: weight of shape (6,) doesn't broadcast to (2, 6, 5, 4)",
    ),
    (
        lambda: L.binary_cross_entropy_with_logits(X, X, pos_weight=torch.ones(6)),
        "binary_cross_entropy_with_logits: pos_weight of shape (6,) doesn't broadcast to (2, 6, 5, 4)",
    ),
    (
        lambda: L.cross_entropy(X, torch.ones(2, 5, 4)),
        "cross_entropy: target of shape (2, 5, 4) and torch.float32 must be classes, integers of shape (2, 5, 4), "
        "for an input of shape (2, 6, 5, 4)",
    ),
    (
        lambda: L.nll_loss(X, torch.zeros(2, 6, dtype=torch.int64)),
        "nll_loss: target of shape (2, 6) and torch.int64 must",
    ),
    (lambda: L.cross_entropy(X, X, torch.ones(5)), "cross_entropy: weight of shape (5,) must be (6,)"),
    (lambda: L.cross_entropy(X, X, label_smoothing=1.5), "cross_entropy: label_smoothing (=1.5) must be in [0, 1]"),
    (lambda: L.cross_entropy(X.sum(), X), "cross_entropy: input of shape () must be (N, C, …) or (C,)"),
    (lambda: L.MaxPool2d(6)(X), "kernel_size (=(6, 6))"),
    (lambda: L.MaxPool2d(2, padding=2)(X), "padding (=(2, 2)) must be at most half of kernel_size (=(2, 2))"),
    (lambda: L.AvgPool2d(2)(X[0, 0]), "avg_pool2d: input of shape (5, 4) must be (N, C, H, W)"),
    (
        lambda: L.AvgPool2d(2, divisor_override=0)(X),
        "divisor_override (=0) must be an integer of at least 1",
    ),
    (lambda: L.MaxPool2d(2, padding=2, dilation=2)(X), "half of kernel_size (=(2, 2)) with dilation (=(2, 2))"),
    (lambda: L.AdaptiveAvgPool2d(0), "AdaptiveAvgPool2d: output_size (=0) must be an integer of at least 1"),
    (lambda: L.AdaptiveAvgPool2d(2)(X[0, 0]), "AdaptiveAvgPool2d: input of shape (5, 4) must be (N, C, H, W)"),
    (lambda: L.PixelShuffle(2)(X), "channels (=6) must be divisible by upscale_factor² (=4)"),
    (lambda: L.PixelShuffle(0), "upscale_factor (=0) must be an integer of at least 1"),
    (lambda: L.PixelUnshuffle(2)(X), "size (=(5, 4)) must be divisible by downscale_factor (=2)"),
    (lambda: L.PixelUnshuffle(-1), "downscale_factor (=-1) must be an integer of at least 1"),
    (lambda: L.pixel_shuffle(X, upscale_factor=0), "pixel_shuffle: upscale_factor (=0)"),
    (lambda: L.UpsampleNearest(0), "UpsampleNearest: scale_factor (=0) must be a number above 0"),
    (lambda: L.UpsampleBilinear("2"), "scale_factor (=2) must be a number above 0"),  # type: ignore[arg-type]
    (lambda: L.Upsample(), "Upsample: exactly one of size (=None) and scale_factor (=None) must be given"),
    (lambda: L.Upsample(2, 2), "Upsample: exactly one of size (=2) and scale_factor (=2) must be given"),
    (lambda: L.Upsample(0), "Upsample: size (=0) must be an integer, or two, of at least 1"),
    (lambda: L.Upsample(2, mode="cubic"), "Upsample: mode (='cubic') must be 'nearest' or 'bilinear'"),
    (lambda: L.Upsample(2, align_corners=True), "align_corners (=True) can be set with mode 'bilinear' only"),
    (lambda: L.interpolate(X, scale_factor=0.2), "scale_factor (=0.2) leaves no pixel of an input of size (5, 4)"),
    (lambda: L.interpolate(X[0, 0], 2), "upsample_nearest: input of shape (5, 4) must be (N, C, H, W)"),
    (lambda: L.SqueezeExcitation(8, 16), "SqueezeExcitation: channels (=8) must be at least reduction (=16)"),
    (lambda: L.ChannelAttention(8, 0), "ChannelAttention: reduction (=0) must be an integer of at least 1"),
    (lambda: L.SpatialAttention(4), "SpatialAttention: kernel_size (=4) must be odd"),
    (lambda: L.SqueezeExcitation(8, 2.0), "SqueezeExcitation: reduction (=2.0) must be an integer"),  # type: ignore[arg-type]
    (lambda: L.dropout(X, keep=X > 0, p=1), "dropout: p (=1) must be in [0, 1)"),
    (lambda: L.dropout(X, keep=X > 0, p=-0.1), "dropout: p (=-0.1) must be in [0, 1)"),
    (lambda: clamp(X, min=2, max=1), "clamp: min (=2) must not be above max (=1)"),
    (lambda: matmul(torch.ones(()), torch.ones(3, 2)), "matmul: a () and b (3, 2) must both have at least one axis"),
    (lambda: matmul(torch.ones(2, 3), torch.ones(2, 3)), "matmul: a (2, 3) has 3 columns but b (2, 3) 2 rows"),
    (lambda: mean(X, dim=4), "dim (=4) is out of range for an array with 4 axes"),
    (lambda: pad(X, (0, -1, 0, 0)), "pad: pad (=(0, -1, 0, 0)) must not be negative"),
    (lambda: pad(X, (1, 1, 1)), "pad: pad (=(1, 1, 1)) must have two numbers for each axis, of 4 at most"),
    (lambda: pad(X[0, 0, 0], (1, 1, 1, 1)), "pad: pad (=(1, 1, 1, 1)) must have two numbers for each axis, of 1 at"),
    (lambda: pad(X, (1, 1), mode="reflect"), "pad: mode (='reflect') must be 'constant', the only one there is"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[m[:50] for _, m in MISTAKES])
def test_mistake_is_named(mistake: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        mistake()


@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_of_another_kind(training: bool) -> None:
    with pytest.raises(
        TypeError, match=r"batch_norm: running_var is torch.float64 on cpu, but x is torch.float32 on cpu"
    ):
        batch_norm(torch.ones(6), torch.ones(6).double(), training)


def test_integers_of_numpy_are_integers() -> None:
    two, three = np.int64(2), np.int32(3)
    layer: Any = L.Conv2d(np.int64(6), np.int64(4), (three, np.int64(1)), stride=two, groups=two)  # type: ignore[arg-type]
    assert layer(X).shape == (2, 4, 2, 2)
    assert [type(n) for n in (*layer.stride, layer.groups)] == [int, int, int]
    assert L.conv2d(X, torch.ones(4, 3, 1, 1), groups=two).shape == (2, 4, 5, 4)
    assert L.MaxPool2d(two)(X).shape == (2, 6, 2, 2)  # type: ignore[arg-type]
    assert L.Linear(three, two).weight.shape == (2, 3)  # type: ignore[arg-type]
    assert L.UpsampleNearest(two)(X).shape == (2, 6, 10, 8)  # type: ignore[arg-type]


def test_index_out_of_range() -> None:
    with pytest.raises(IndexError):
        getitem(Tensor(X), index=7)


IMAGE_LAYERS: list[Callable[[], Any]] = [
    lambda: L.Conv2d(3, 2, 3),
    lambda: L.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"),
    lambda: L.GatedConv2d(3, 2, 3),
    lambda: L.BatchNorm2d(3),
    lambda: L.GroupNorm(1, 3),
    lambda: L.AvgPool2d(2),
    lambda: L.GlobalAvgPool2d(),
    lambda: L.AdaptiveAvgPool2d(2),
    lambda: L.Linear(4, 2),
    lambda: L.Dropout(0.5),
]


@pytest.mark.parametrize("make", IMAGE_LAYERS)
def test_what_is_no_floating_point_array_is_named(make: Callable[[], Any]) -> None:
    """Whatever the layer does first, the message says what was given and what to write."""
    x = torch.ones(2, 3, 4, 4)
    for given, name in ((x.numpy(), "ndarray"), (x.tolist(), "list")):
        with pytest.raises(TypeError, match=rf"must be an array, not {name}; pass torch\.as_tensor"):
            make()(given)
    with pytest.raises(TypeError, match=r"is torch\.uint8, not floating point; pass \w+\.to\(torch\.float32\)"):
        make()(x.to(torch.uint8))
