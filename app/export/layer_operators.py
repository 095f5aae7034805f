"""The layers' primitives as ONNX operators; see `operators.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from ...layers.windows import IntOrPair, Pair, pair
from .graph import ExportError, Graph, Value
from .operators import OPERATORS, Operator, operator


def images(function: Operator) -> Operator:
    """Let an operator for images (N, C, H, W) take a single one (C, H, W) too."""

    @wraps(function)
    def for_both(g: Graph, x: Value, *others: Any, **options: Any) -> str:
        if x.ndim == 4:
            return function(g, x, *others, **options)
        batch = Value(g.node("Unsqueeze", x, [0]), x.array[None])
        return g.node("Squeeze", function(g, batch, *others, **options), [0])

    return for_both


@operator
def linear(g: Graph, x: Value, w: Value, b: Value | None) -> str:
    if x.ndim == 2:
        return g.node("Gemm", x, w, b, transB=1)
    product = g.node("MatMul", x, g.node("Transpose", w, perm=[1, 0]))
    return product if b is None else g.node("Add", product, b)


@operator
def embedding(g: Graph, indices: Value, weight: Value, *, padding_idx: int | None) -> str:
    return g.node("Gather", weight, indices, axis=0)


@operator
@images
def conv2d(
    g: Graph,
    x: Value,
    w: Value,
    b: Value | None,
    *,
    stride: IntOrPair,
    padding: IntOrPair | str,
    dilation: IntOrPair,
    groups: int,
) -> str:
    kernel, dilations = list(w.shape[2:]), list(pair(dilation, "dilation", 1))
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
        pads = [t // 2 for t in total] + [t - t // 2 for t in total]
    else:
        pads = list(pair(0 if isinstance(padding, str) else padding, "padding", 0)) * 2
    strides = list(pair(stride, "stride", 1))
    return g.node("Conv", x, w, b, kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations, group=groups)


@operator
def spectral_norm(g: Graph, w: Value, *, u: Value, v: Value) -> str:
    """w / σ with σ = uᵀ W v."""
    image = g.node("MatMul", g.node("Flatten", w, axis=1), v)
    return g.node("Div", w, g.node("MatMul", u, image))


def _affine(g: Graph, weight: Value | None, bias: Value | None, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Scale and shift, which ONNX's norms always have."""
    ones, zeros = torch.ones(shape), torch.zeros(shape)
    return (
        g.constant(ones) if weight is None else weight,
        g.constant(zeros) if bias is None else bias,
    )


@operator
def batch_norm(
    g: Graph,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    *,
    running_mean: Value | None,
    running_var: Value | None,
    training: bool,
    momentum: float,
    eps: float,
    total: None,
) -> str:
    if training:
        raise ExportError("batch norm with the batch's own statistics has no form in ONNX here")
    affine = _affine(g, weight, bias, tuple(x.shape[1:2]))
    return g.node("BatchNormalization", x, *affine, running_mean, running_var, epsilon=eps)


@operator
def group_norm(g: Graph, x: Value, weight: Value | None, bias: Value | None, *, num_groups: int, eps: float) -> str:
    affine = _affine(g, weight, bias, tuple(x.shape[1:2]))
    return g.node("GroupNormalization", x, *affine, num_groups=num_groups, epsilon=eps)


@operator
def layer_norm(
    g: Graph, x: Value, weight: Value | None, bias: Value | None, *, normalized_shape: Any, eps: float
) -> str:
    shape = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    affine = _affine(g, weight, bias, tuple(shape))
    return g.node("LayerNormalization", x, *affine, axis=-len(shape), epsilon=eps)


@operator
def rms_norm(g: Graph, x: Value, weight: Value | None, *, normalized_shape: Any, eps: float | None) -> str:
    count = len(normalized_shape) if isinstance(normalized_shape, tuple | list) else 1
    square = g.node("ReduceMean", g.node("Mul", x, x), list(range(-count, 0)), keepdims=1)
    root = g.node("Sqrt", g.node("Add", square, torch.finfo(x.array.dtype).eps if eps is None else eps))
    divided = g.node("Div", x, root)
    return divided if weight is None else g.node("Mul", divided, weight)


def _window(
    kernel_size: IntOrPair, stride: IntOrPair | None, padding: IntOrPair, ceil_mode: bool
) -> tuple[Pair, dict[str, Any]]:
    kernel = pair(kernel_size, "kernel_size", 1)
    strides = kernel if stride is None else pair(stride, "stride", 1)
    pads = list(pair(padding, "padding", 0)) * 2
    return kernel, {
        "kernel_shape": list(kernel),
        "strides": list(strides),
        "pads": pads,
        "ceil_mode": int(ceil_mode),
    }


@operator
@images
def max_pool2d(
    g: Graph,
    x: Value,
    *,
    kernel_size: IntOrPair,
    stride: IntOrPair | None,
    padding: IntOrPair,
    dilation: IntOrPair,
    ceil_mode: bool,
) -> str:
    _, window = _window(kernel_size, stride, padding, ceil_mode)
    return g.node("MaxPool", x, **window, dilations=list(pair(dilation, "dilation", 1)))


@operator
@images
def avg_pool2d(
    g: Graph,
    x: Value,
    *,
    kernel_size: IntOrPair,
    stride: IntOrPair | None,
    padding: IntOrPair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> str:
    kernel, window = _window(kernel_size, stride, padding, ceil_mode)
    if divisor_override is None:
        return g.node("AveragePool", x, **window, count_include_pad=int(count_include_pad))
    if ceil_mode:
        raise ExportError("average pooling with ceil_mode and divisor_override has no form in ONNX here")
    mean = g.node("AveragePool", x, **window, count_include_pad=1)
    return g.node("Mul", mean, math.prod(kernel) / divisor_override)


@operator
@images
def pixel_shuffle(g: Graph, x: Value, *, upscale_factor: int) -> str:
    return g.node("DepthToSpace", x, blocksize=upscale_factor, mode="CRD")


@operator
@images
def pixel_unshuffle(g: Graph, x: Value, *, downscale_factor: int) -> str:
    """ONNX puts a block's pixels first and the channels second; a gather exchanges them."""
    channels, block = x.shape[1], downscale_factor**2
    order = torch.arange(block * channels).reshape(block, channels).T.flatten()
    return g.node("Gather", g.node("SpaceToDepth", x, blocksize=downscale_factor), g.constant(order), axis=1)


def _resize(g: Graph, x: Value, size: Any, scale_factor: Any, **attributes: Any) -> str:
    if size is not None:
        return g.node("Resize", x, None, None, [*x.shape[:2], *pair(size, "size", 1)], **attributes)
    factors = scale_factor if isinstance(scale_factor, tuple | list) else (scale_factor, scale_factor)
    taken = []
    for n, factor in zip(x.shape[2:], factors, strict=True):
        out = math.floor(n * factor)  # as in torch, an axis that keeps its size is copied, and with "nearest" a double
        taken.append(out // n if out == n or (out == 2 * n and attributes["mode"] == "nearest") else factor)
    return g.node("Resize", x, None, g.constant([1, 1, *taken]), **attributes)


@operator
@images
def upsample_nearest(g: Graph, x: Value, *, size: Any, scale_factor: Any) -> str:
    where = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return _resize(g, x, size, scale_factor, mode="nearest", **where)


@operator
@images
def upsample_bilinear(g: Graph, x: Value, *, size: Any, scale_factor: Any, align_corners: bool) -> str:
    where = "align_corners" if align_corners else "half_pixel"
    return _resize(g, x, size, scale_factor, mode="linear", coordinate_transformation_mode=where)


@operator
def scaled_dot_product_attention(
    g: Graph, query: Value, key: Value, value: Value, attn_mask: Value | None, *, is_causal: bool, scale: float | None
) -> str:
    if is_causal:
        raise ExportError("causal attention has no form in ONNX here")
    order = [*range(key.ndim - 2), key.ndim - 1, key.ndim - 2]
    scores = g.node("MatMul", query, g.node("Transpose", key, perm=order))
    scores = g.node("Mul", scores, query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None and attn_mask.array.dtype == torch.bool:
        scores = g.node("Where", attn_mask, scores, -math.inf)
    elif attn_mask is not None:
        scores = g.node("Add", scores, attn_mask)
    return g.node("MatMul", g.node("Softmax", scores, axis=-1), value)


def _along(op: str) -> Callable[..., str]:
    return lambda g, x, dim: g.node(op, x, axis=dim)


OPERATORS |= {"softmax": _along("Softmax"), "log_softmax": _along("LogSoftmax")}
