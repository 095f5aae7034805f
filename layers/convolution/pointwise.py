"""Convolution with a kernel of one tap (1×1): each pixel's channels go through one matrix, so all pixels together are
one matrix product.

With the pixels as the rows of X (N · H · W, C), and W (O, C) the weights,

    Y  =  X · Wᵀ + b          X̄  =  Ȳ · W          W̄  =  Ȳᵀ · X.

Channels last, the rows are a view of x and of ȳ, and nothing is copied; other layouts are laid out so first. With a
stride only every s-th pixel is a row; they are gathered, and in x̄ all the others are 0.

Memory beside input and output: none; with a stride, or in another layout, one copy of the pixels that are used.
"""

from __future__ import annotations

from ...core import Array
from ...core.backend.gemm import product
from ...core.backend.workspace import output
from .products import product_over_rows
from .shape import Algorithm, ConvShape


def _suits(shape: ConvShape) -> bool:
    return (shape.kernel, shape.padding, shape.groups) == ((1, 1), (0, 0), 1)


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    o, pixels, weights = shape.out_channels, _rows(_used(x, shape)), w.flatten(1).mT
    y = product(pixels, weights, b)
    return y.view(shape.images, *shape.out, o).permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    c = shape.channels
    x̄_used = product(_rows(ȳ), w.flatten(1)).view(shape.images, *shape.out, c)
    if shape.out == shape.size:
        return x̄_used.permute(0, 3, 1, 2)
    x̄ = output((shape.images, *shape.size, c), ȳ).zero_().permute(0, 3, 1, 2)
    _used(x̄, shape).copy_(x̄_used.permute(0, 3, 1, 2))
    return x̄


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    return product_over_rows(_rows(ȳ), _rows(_used(x, shape)))[:, :, None, None]


def _used(x: Array, shape: ConvShape) -> Array:
    """The pixels that an output looks at: a view of x."""
    return x[:, :, :: shape.stride[0], :: shape.stride[1]]


def _rows(x: Array) -> Array:
    """(N, C, H, W) → (N · H · W, C): a view if the channels are last in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


POINTWISE = Algorithm("pointwise", _suits, forward, input_gradient, weight_gradient)
