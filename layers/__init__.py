"""Layers, one family a file: the primitive (forward and pullback) and the module that owns its parameters."""

from .activation import (
    GELU,
    GLU,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
    gelu,
    glu,
    leaky_relu,
    relu,
    sigmoid,
    silu,
    tanh,
)
from .activation_pieces import (
    CELU,
    ELU,
    SELU,
    Hardswish,
    Hardtanh,
    PReLU,
    ReLU6,
    celu,
    elu,
    hardswish,
    hardtanh,
    prelu,
    selu,
)
from .activation_smooth import LogSigmoid, Mish, Softsign, logsigmoid, mish, softsign
from .attention import CBAM, ChannelAttention, SpatialAttention, SqueezeExcitation
from .conv import Conv2d, conv2d
from .cross_entropy import CrossEntropyLoss, NLLLoss, cross_entropy, nll_loss
from .dot_product_attention import scaled_dot_product_attention
from .dropout import Dropout, dropout
from .embedding import Embedding, embedding
from .flatten import Flatten, Unflatten
from .gated import GatedConv2d
from .global_pooling import AdaptiveAvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d
from .huber_loss import HuberLoss, SmoothL1Loss, huber_loss, smooth_l1_loss
from .instance_norm import InstanceNorm1d, InstanceNorm2d
from .layer_norm import LayerNorm, RMSNorm, layer_norm, rms_norm
from .linear import Linear, linear
from .loss import (
    BCELoss,
    BCEWithLogitsLoss,
    L1Loss,
    MSELoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    l1_loss,
    mse_loss,
)
from .multihead_attention import MultiheadAttention
from .norm import BatchNorm1d, BatchNorm2d, GroupNorm, batch_norm, group_norm
from .pooling import AvgPool2d, MaxPool2d, avg_pool2d, max_pool2d
from .residual import Residual, ResidualBlock, SkipConnection, recompute_blocks
from .sequential import Identity, Sequential
from .shuffle import PixelShuffle, PixelUnshuffle, pixel_shuffle, pixel_unshuffle
from .softmax import LogSoftmax, Softmax, Softmin, log_softmax, logsumexp, softmax
from .spectral_norm import SpectralConv2d, spectral_norm
from .upsample import (
    Upsample,
    UpsampleBilinear,
    UpsampleNearest,
    interpolate,
    upsample_bilinear,
    upsample_nearest,
)

__all__ = [
    "CBAM",
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "ChannelAttention",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GatedConv2d",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "GroupNorm",
    "Hardswish",
    "Hardtanh",
    "HuberLoss",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Mish",
    "MultiheadAttention",
    "NLLLoss",
    "PReLU",
    "PixelShuffle",
    "PixelUnshuffle",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Residual",
    "ResidualBlock",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SkipConnection",
    "SmoothL1Loss",
    "Softmax",
    "Softmin",
    "Softsign",
    "SpatialAttention",
    "SpectralConv2d",
    "SqueezeExcitation",
    "Tanh",
    "Unflatten",
    "Upsample",
    "UpsampleBilinear",
    "UpsampleNearest",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv2d",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "glu",
    "group_norm",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "interpolate",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "logsumexp",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "pixel_shuffle",
    "pixel_unshuffle",
    "prelu",
    "recompute_blocks",
    "relu",
    "rms_norm",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softsign",
    "spectral_norm",
    "tanh",
    "upsample_bilinear",
    "upsample_nearest",
]


def __dir__() -> list[str]:
    return sorted(__all__)
