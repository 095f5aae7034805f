"""One realistic size for every subject of the registry: what its time and memory are measured at.

The registry's own cases are tiny, so that differences and loops are quick; at such sizes time is overhead only. These
are about what a layer sees in a network on crops of photos, and they are compared with their twins in `measure.py`,
never with the loops.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from photomend import core, layers
from photomend.core import Array, Module
from photomend.tests.reference import cell_twins, gan_twins, model_twins, twins
from photomend.tests.verification.case import Case, Draw, layer, normal, op, positive
from photomend.tests.verification.cases_core import _where
from photomend.tests.verification.cases_gan import _hinge_loss, _patch_mean
from photomend.tests.verification.cases_loss import loss_layer, probabilities
from photomend.tests.verification.cases_models import discriminator, model
from photomend.tests.verification.cases_sequences import attention_case, embedding, looking_up
from photomend.tests.verification.cases_train import _hole_loss, _twin
from torch import nn

IMAGES = normal(4, 32, 56, 56)
DEEP = normal(4, 64, 56, 56)
SMALL = normal(4, 64, 28, 28)
VECTORS = normal(256, 1024)
PROBABILITIES = probabilities(256, 1024)
WORDS = torch.arange(16 * 64).reshape(16, 64) * 7 % 1000
CLASSES = torch.arange(256) * 5 % 1024
KEEP = torch.arange(4 * 32 * 56 * 56).reshape(4, 32, 56, 56) % 5 != 0
PATCHES = (torch.arange(8 * 28 * 28).reshape(8, 1, 28, 28) % 5 != 0).float()


def _unit(size: int) -> Array:
    return torch.full((size,), size**-0.5)


def _not_asked(*arguments: Any, **options: Any) -> np.ndarray:
    raise NotImplementedError("no case is looped over at this size")


def _op(name: str, *draws: Draw, twin: Any, **options: Any) -> Case:
    function = core.all_primitives()[name]
    return op(name, function, *draws, twin=twin, loops=_not_asked, **options)


def _layer(name: str, *arguments: Any, twin: Any, draw: Draw = DEEP, **options: Any) -> Case:
    return layer(name, arguments, twin, draw, _not_asked, **options)


_CORE = [
    _op("add", IMAGES, IMAGES, twin=torch.add),
    _op("subtract", IMAGES, IMAGES, twin=torch.subtract),
    _op("multiply", IMAGES, IMAGES, twin=torch.multiply),
    _op("divide", IMAGES, positive(4, 32, 56, 56), twin=torch.divide),
    _op("maximum", IMAGES, lambda generator: -IMAGES(generator), twin=torch.maximum),
    _op("minimum", IMAGES, lambda generator: -IMAGES(generator), twin=torch.minimum),
    op("where", _where, IMAGES, IMAGES, twin=twins.where, loops=_not_asked, condition=torch.arange(56) % 3 == 0),
    _op("negative", IMAGES, twin=torch.neg),
    _op("exp", IMAGES, twin=torch.exp),
    _op("log", positive(4, 32, 56, 56), twin=torch.log),
    _op("sqrt", positive(4, 32, 56, 56), twin=torch.sqrt),
    _op("absolute", IMAGES, twin=torch.abs),
    _op("power", IMAGES, twin=torch.pow, exponent=3),
    _op("clamp", IMAGES, twin=torch.clamp, min=-1.0, max=1.0),
    _op("cast", IMAGES, twin=lambda x, dtype: x.to(dtype), dtype=torch.float64),
    _op("matmul", normal(4, 256, 256), normal(4, 256, 256), twin=torch.matmul),
    _op("sum", IMAGES, twin=torch.sum, dim=(2, 3)),
    _op("mean", IMAGES, twin=torch.mean, dim=(2, 3)),
    _op("variance", IMAGES, twin=lambda x, dim: torch.var(x, dim, correction=0), dim=(2, 3)),
    _op("amax", IMAGES, twin=torch.amax, dim=(2, 3)),
    _op("amin", IMAGES, twin=torch.amin, dim=(2, 3)),
    _op("reshape", IMAGES, twin=lambda x, shape: x.reshape(shape), shape=(4, -1)),
    _op("permute", IMAGES, twin=lambda x, dims: x.permute(dims), dims=(0, 2, 3, 1)),
    _op("transpose", IMAGES, twin=torch.transpose, dim0=1, dim1=3),
    _op("broadcast_to", normal(4, 32, 1, 1), twin=lambda x, shape: x.expand(shape), shape=(4, 32, 56, 56)),
    _op("pad", IMAGES, twin=F.pad, pad=(1, 1, 1, 1)),
    _op("getitem", IMAGES, twin=lambda x, index: x[index], index=(..., slice(4, 52), slice(4, 52))),
    _op("concatenate", IMAGES, IMAGES, twin=twins.concatenate, dim=1),
    _op("stack", IMAGES, IMAGES, twin=lambda *xs, dim: torch.stack(xs, dim), dim=1),
]

_LAYER_PRIMITIVES = [
    _op("relu", IMAGES, twin=F.relu),
    _op("leaky_relu", IMAGES, twin=F.leaky_relu),
    _op("sigmoid", IMAGES, twin=F.sigmoid),
    _op("tanh", IMAGES, twin=F.tanh),
    _op("silu", IMAGES, twin=F.silu),
    _op("glu", IMAGES, twin=F.glu, dim=1),
    _op("elu", IMAGES, twin=F.elu),
    _op("hardtanh", IMAGES, twin=F.hardtanh),
    _op("hardswish", IMAGES, twin=F.hardswish),
    _op("prelu", IMAGES, normal(32), twin=F.prelu),
    _op("logsigmoid", IMAGES, twin=F.logsigmoid),
    _op("softsign", IMAGES, twin=F.softsign),
    _op("mish", IMAGES, twin=F.mish),
    _op("softmax", VECTORS, twin=torch.softmax, dim=1),
    _op("log_softmax", VECTORS, twin=torch.log_softmax, dim=1),
    _op("logsumexp", VECTORS, twin=torch.logsumexp, dim=1),
    _op("gelu", IMAGES, twin=F.gelu),
    _op("layer_norm", VECTORS, normal(1024), normal(1024), twin=twins.layer_norm, normalized_shape=(1024,)),
    _op("rms_norm", VECTORS, normal(1024), twin=twins.rms_norm, normalized_shape=(1024,)),
    op("embedding", embedding, normal(1024, 256), twin=twins.embedding, loops=_not_asked, indices=WORDS),
    _op("scaled_dot_product_attention", *[normal(8, 8, 64, 32)] * 3, twin=F.scaled_dot_product_attention),
    _op("cross_entropy", VECTORS, twin=F.cross_entropy, target=CLASSES),
    _op("nll_loss", VECTORS, twin=F.nll_loss, target=CLASSES),
    _op("mse_loss", VECTORS, VECTORS, twin=F.mse_loss),
    _op("huber_loss", VECTORS, VECTORS, twin=F.huber_loss),
    _op("l1_loss", VECTORS, VECTORS, twin=F.l1_loss),
    _op("binary_cross_entropy", PROBABILITIES, PROBABILITIES, twin=F.binary_cross_entropy),
    _op("binary_cross_entropy_with_logits", VECTORS, VECTORS, twin=F.binary_cross_entropy_with_logits),
    _op("dropout", IMAGES, twin=twins.dropout, keep=KEEP, p=0.2),
    _op("conv2d", DEEP, normal(64, 64, 3, 3), normal(64), twin=F.conv2d, padding=1),
    _op("spectral_norm", normal(256, 128, 4, 4), twin=gan_twins.spectral_norm, u=_unit(256), v=_unit(2048)),
    _op("linear", normal(256, 1024), normal(1024, 1024), normal(1024), twin=F.linear),
    _op("batch_norm", DEEP, normal(64), normal(64), twin=twins.batch_norm, running_mean=torch.zeros(64),
        running_var=torch.ones(64), training=True),
    _op("group_norm", DEEP, normal(64), normal(64), twin=twins.group_norm, num_groups=8),
    _op("max_pool2d", DEEP, twin=F.max_pool2d, kernel_size=2),
    _op("avg_pool2d", DEEP, twin=F.avg_pool2d, kernel_size=2),
    _op("pixel_shuffle", SMALL, twin=F.pixel_shuffle, upscale_factor=2),
    _op("pixel_unshuffle", IMAGES, twin=F.pixel_unshuffle, downscale_factor=2),
    _op("upsample_nearest", SMALL, twin=twins.upsample("nearest"), scale_factor=2),
    _op("upsample_bilinear", SMALL, twin=twins.upsample("bilinear"), scale_factor=2),
]  # fmt: skip

_LAYERS = [
    _layer("ReLU", twin=nn.ReLU, draw=IMAGES),
    _layer("LeakyReLU", twin=nn.LeakyReLU, draw=IMAGES),
    _layer("Sigmoid", twin=nn.Sigmoid, draw=IMAGES),
    _layer("Tanh", twin=nn.Tanh, draw=IMAGES),
    _layer("SiLU", twin=nn.SiLU, draw=IMAGES),
    *(
        _layer(name, twin=getattr(nn, name), draw=IMAGES)
        for name in (
            "ELU", "CELU", "SELU", "ReLU6", "Hardtanh", "Hardswish", "PReLU", "LogSigmoid", "Softsign", "Mish", "GLU",
        )
    ),
    _layer("Softmin", 1, twin=partial(nn.Softmin, 1), draw=VECTORS),
    _layer("Softmax", 1, twin=partial(nn.Softmax, 1), draw=VECTORS),
    _layer("LogSoftmax", 1, twin=partial(nn.LogSoftmax, 1), draw=VECTORS),
    _layer("GELU", twin=nn.GELU, draw=IMAGES),
    _layer("LayerNorm", 1024, twin=partial(nn.LayerNorm, 1024), draw=VECTORS),
    _layer("RMSNorm", 1024, twin=partial(nn.RMSNorm, 1024), draw=VECTORS),
    _layer("InstanceNorm1d", 512, twin=partial(nn.InstanceNorm1d, 512), draw=normal(32, 512, 64)),
    _layer("InstanceNorm2d", 64, twin=partial(nn.InstanceNorm2d, 64)),
    _layer("Flatten", twin=nn.Flatten, draw=IMAGES),
    _layer("Unflatten", 1, (4, 8), twin=partial(nn.Unflatten, 1, (4, 8)), draw=IMAGES),
    _layer("Identity", twin=nn.Identity, draw=IMAGES),
    _layer("Dropout", 0.2, twin=partial(nn.Dropout, 0.2), draw=IMAGES),
    _layer("Conv2d", 64, 64, 3, twin=partial(nn.Conv2d, 64, 64, 3, padding=1), padding=1),
    _layer("SpectralConv2d", 64, 128, 4, twin=partial(gan_twins.spectral_conv2d, 64, 128, 4, stride=2), stride=2),
    _layer("GatedConv2d", 64, 32, 3, twin=partial(twins.GatedConv2d, 64, 32, 3, padding=1), padding=1),
    _layer("Linear", 1024, 1024, twin=partial(nn.Linear, 1024, 1024), draw=normal(256, 1024)),
    _layer("MaxPool2d", 2, twin=partial(nn.MaxPool2d, 2)),
    _layer("AvgPool2d", 2, twin=partial(nn.AvgPool2d, 2)),
    _layer("GlobalAvgPool2d", twin=partial(nn.AdaptiveAvgPool2d, 1)),
    _layer("GlobalMaxPool2d", twin=partial(nn.AdaptiveMaxPool2d, 1)),
    _layer("AdaptiveAvgPool2d", 7, twin=partial(nn.AdaptiveAvgPool2d, 7)),
    _layer("PixelShuffle", 2, twin=partial(nn.PixelShuffle, 2), draw=SMALL),
    _layer("PixelUnshuffle", 2, twin=partial(nn.PixelUnshuffle, 2), draw=IMAGES),
    _layer("Upsample", 50, twin=partial(nn.Upsample, 50), draw=SMALL),
    _layer("UpsampleNearest", 2, twin=partial(nn.UpsamplingNearest2d, scale_factor=2), draw=SMALL),
    _layer("UpsampleBilinear", 2, twin=partial(nn.Upsample, scale_factor=2, mode="bilinear"), draw=SMALL),
    _layer("BatchNorm1d", 512, twin=partial(nn.BatchNorm1d, 512), draw=normal(256, 512)),
    _layer("BatchNorm2d", 64, twin=partial(nn.BatchNorm2d, 64)),
    _layer("GroupNorm", 8, 64, twin=partial(nn.GroupNorm, 8, 64)),
    _layer("SqueezeExcitation", 64, twin=partial(twins.SqueezeExcitation, 64, 16)),
    _layer("ChannelAttention", 64, twin=partial(twins.ChannelAttention, 64, 16)),
    _layer("SpatialAttention", twin=partial(twins.SpatialAttention, 7)),
    _layer("CBAM", 64, twin=partial(twins.CBAM, 64, 16, 7)),
    _layer("ResidualBlock", 64, twin=partial(twins.ResidualBlock, 64), draw=SMALL),
]  # fmt: skip


def _path(name: str, ours: Any, twin: Any) -> Case:
    """The case of a layer around a convolution of 32 channels."""

    def make() -> Module:
        return ours(layers.Conv2d(32, 32, 3, padding=1))

    return Case(name, make, lambda: twin(nn.Conv2d(32, 32, 3, padding=1)), (IMAGES,), _not_asked)


_PATHS: list[Case] = [
    _path("Sequential", lambda c: layers.Sequential(c, layers.SiLU()), lambda c: nn.Sequential(c, nn.SiLU())),
    _path("Residual", layers.Residual, twins.Residual),
    Case("Embedding", looking_up(layers.Embedding, WORDS, 1024, 256), looking_up(nn.Embedding, WORDS, 1024, 256), (),
         _not_asked),
    attention_case("MultiheadAttention", (normal(16, 64, 256),), size=(256, 8), need_weights=False),
    _path("SkipConnection", layers.SkipConnection, twins.SkipConnection),
]  # fmt: skip

_LOSSES = [
    *(
        loss_layer(name, draw, target, _not_asked)
        for draw, target, names in (
            (VECTORS, CLASSES, ("CrossEntropyLoss", "NLLLoss")),
            (PROBABILITIES, torch.zeros(256, 1024), ("BCELoss",)),
            (VECTORS, torch.zeros(256, 1024), ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss")),
        )
        for name in names
    ),
    op(
        "hole_loss",
        _hole_loss,
        normal(8, 3, 96, 96),
        twin=_twin,
        loops=_not_asked,
        target=torch.zeros(8, 3, 96, 96),
        mask=(torch.arange(96) % 4 == 0).float().expand(8, 1, 96, 96),
    ),
    op("hinge_loss", _hinge_loss, normal(8, 1, 28, 28), twin=gan_twins.hinge_loss, loops=_not_asked,
       patches=PATCHES, sign=1),
    op("patch_mean", _patch_mean, normal(8, 1, 28, 28), twin=gan_twins.patch_mean, loops=_not_asked, patches=PATCHES),
]  # fmt: skip

#: Two photos through each model as it is trained, but in a smaller window: 224 pixels a side take a minute.
_MODELS = [
    model("linear", lambda: cell_twins.LinearModel(2), (64, 64), _not_asked),
    model("cnn", lambda: cell_twins.BasicNetwork(32), (64, 64), _not_asked),
    *(
        model(name, lambda: model_twins.AttentionModel(32, (1, 2, 4)), (64, 64), _not_asked)
        for name in ("attention", "gan")
    ),
    model("attention-report", lambda: model_twins.AttentionReportModel(64), (64, 64), _not_asked),
    discriminator("PatchDiscriminator", (32, 64, 128), (64, 64), _not_asked, training=True),
]

SIZES = {case.subject: case for case in (*_CORE, *_LAYER_PRIMITIVES, *_LAYERS, *_PATHS, *_LOSSES)}
MODEL_SIZES = {case.subject: case for case in _MODELS}
