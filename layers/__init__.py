"""Layers, one family a file: the primitive (forward and pullback) and the module that owns its parameters."""

from .activation import LeakyReLU, ReLU, Sigmoid, SiLU, Tanh, glu, leaky_relu, relu, sigmoid, silu, tanh
from .attention import CBAM, ChannelAttention, SpatialAttention, SqueezeExcitation
from .conv import Conv2d, conv2d
from .dropout import Dropout, dropout
from .gated import GatedConv2d
from .linear import Linear, linear
from .norm import BatchNorm1d, BatchNorm2d, GroupNorm, batch_norm, group_norm
from .pooling import AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d, avg_pool2d, max_pool2d
from .residual import Residual, ResidualBlock, SkipConnection, recompute_blocks
from .sequential import Sequential
from .shuffle import PixelShuffle, PixelUnshuffle, pixel_shuffle, pixel_unshuffle
from .spectral_norm import SpectralConv2d, spectral_norm
from .upsample import UpsampleBilinear, UpsampleNearest, upsample_bilinear, upsample_nearest

__all__ = [
    "CBAM",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "ChannelAttention",
    "Conv2d",
    "Dropout",
    "GatedConv2d",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "GroupNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReLU",
    "Residual",
    "ResidualBlock",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SkipConnection",
    "SpatialAttention",
    "SpectralConv2d",
    "SqueezeExcitation",
    "Tanh",
    "UpsampleBilinear",
    "UpsampleNearest",
    "avg_pool2d",
    "batch_norm",
    "conv2d",
    "dropout",
    "glu",
    "group_norm",
    "leaky_relu",
    "linear",
    "max_pool2d",
    "pixel_shuffle",
    "pixel_unshuffle",
    "recompute_blocks",
    "relu",
    "sigmoid",
    "silu",
    "spectral_norm",
    "tanh",
    "upsample_bilinear",
    "upsample_nearest",
]
