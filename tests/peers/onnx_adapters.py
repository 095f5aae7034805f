"""How ONNX's operators are written with the engine: ONNX's name → a function of its inputs and attributes.

Inputs come by position (None where one is left out), attributes by ONNX's names, as the file format has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from photomend import core, layers
from photomend.tests.peers.adapters import floating, require


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs: function(*(floating(x) for x in inputs))


def variadic(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Max and Min, of any number of arrays."""

    def adapter(*inputs: Any) -> Any:
        total = floating(inputs[0])
        for x in inputs[1:]:
            total = function(total, floating(x))
        return total

    return adapter


def clip(x: Any, low: Any = None, high: Any = None) -> Any:
    require(low is not None or high is not None, "no bounds")
    require(low is None or high is None or bool(low <= high), "a lower bound above the upper one")
    return core.clamp(floating(x), min=None if low is None else low.item(), max=None if high is None else high.item())


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def adapter(x: Any, axes: Any = None, keepdims: int = 1, noop_with_empty_axes: int = 0, **older: Any) -> Any:
        axes = older.get("axes") if axes is None else axes.tolist()
        require(not (noop_with_empty_axes and not axes), "no axes that mean no reduction")
        dim = tuple(axes) if axes else tuple(range(x.ndim))
        require(function not in (core.amax, core.amin) or x.numel() > 0, "the extreme of nothing")
        return function(floating(x), dim=dim, keepdim=bool(keepdims))

    return adapter


def reshape(x: Any, shape: Any, allowzero: int = 0) -> Any:
    sizes = shape.tolist()
    if not allowzero:
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return core.reshape(floating(x), shape=tuple(sizes))


def expand(x: Any, shape: Any) -> Any:
    return core.broadcast_to(floating(x), shape=tuple(torch.broadcast_shapes(x.shape, tuple(shape.tolist()))))


def transpose(x: Any, perm: Any = None) -> Any:
    return core.permute(floating(x), dims=tuple(perm or range(x.ndim)[::-1]))


def flatten(x: Any, axis: int = 1) -> Any:
    return core.reshape(floating(x), shape=(math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def concat(*xs: Any, axis: int) -> Any:
    return core.concatenate(*(floating(x) for x in xs), dim=axis)


def pad(x: Any, pads: Any, value: Any = None, axes: Any = None, mode: bytes = b"constant") -> Any:
    require(mode == b"constant", f"{mode.decode()} padding")
    which = list(range(x.ndim)) if axes is None else [axis % x.ndim for axis in axes.tolist()]
    before, after = [0] * x.ndim, [0] * x.ndim
    for position, axis in enumerate(which):
        before[axis], after[axis] = int(pads[position]), int(pads[len(which) + position])
    sizes = [size for axis in reversed(range(x.ndim)) for size in (before[axis], after[axis])]
    require(min(sizes, default=0) >= 0, "negative padding")
    return core.pad(floating(x), pad=sizes, value=0.0 if value is None else float(value))


def window(attributes: dict[str, Any], rank: int) -> dict[str, Any]:
    """kernel_size, stride, padding and dilation of a window over two axes."""
    require(rank == 4, f"{rank - 2} axes of pixels")
    require(attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID"), "auto_pad")
    pads = attributes.get("pads", [0, 0, 0, 0])
    require(pads[:2] == pads[2:], "more padding at one end than at the other")
    sides = zip(pads, attributes.get("kernel_shape", ()), strict=False)
    require(all(2 * side <= size for side, size in sides), "more padding than half a window")
    found = {"stride": tuple(attributes.get("strides", (1, 1))), "padding": tuple(pads[:2])}
    if "kernel_shape" in attributes:
        found["kernel_size"] = tuple(attributes["kernel_shape"])
    if "dilations" in attributes:
        found["dilation"] = tuple(attributes["dilations"])
    return found


def conv(x: Any, w: Any, b: Any = None, group: int = 1, **attributes: Any) -> Any:
    options = window(attributes, x.ndim)
    options.pop("kernel_size", None)
    return layers.conv2d(x, w, b, groups=group, **options)


def max_pool(x: Any, ceil_mode: int = 0, storage_order: int = 0, **attributes: Any) -> Any:
    return layers.max_pool2d(floating(x), ceil_mode=bool(ceil_mode), **window(attributes, x.ndim))


def average_pool(x: Any, ceil_mode: int = 0, count_include_pad: int = 0, **attributes: Any) -> Any:
    options = window(attributes, x.ndim)
    require(options.pop("dilation", (1, 1)) == (1, 1), "dilation of average pooling")
    return layers.avg_pool2d(x, ceil_mode=bool(ceil_mode), count_include_pad=bool(count_include_pad), **options)


def batch_norm(
    x: Any, γ: Any, β: Any, μ: Any, var: Any, epsilon: float = 1e-5, training_mode: int = 0, **_: Any
) -> Any:
    return layers.batch_norm(x, γ, β, running_mean=μ, running_var=var, training=bool(training_mode), eps=epsilon)


def layer_norm(x: Any, γ: Any, β: Any = None, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    shape = tuple(x.shape[axis % x.ndim :])
    require(γ.shape == shape, "a weight that is broadcast")
    return layers.layer_norm(x, γ, β, normalized_shape=shape, eps=epsilon)


def depth_to_space(x: Any, blocksize: int, mode: bytes = b"DCR") -> Any:
    require(mode == b"CRD", "depth first")
    return layers.pixel_shuffle(x, upscale_factor=blocksize)


def loss(function: Callable[..., Any]) -> Callable[..., Any]:
    def adapter(x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: bytes = b"mean") -> Any:
        return function(x, target.long(), weight, ignore_index=ignore_index, reduction=reduction.decode())

    return adapter


def gemm(a: Any, b: Any, c: Any = None, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0) -> Any:
    require(alpha == 1 and beta == 1, "alpha or beta")
    product = core.matmul(a.mT if transA else a, b.mT if transB else b)
    return product if c is None else core.add(product, c)


def softmax(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=-1: function(x, axis)


def axes_of(axes: Any) -> tuple[int, ...]:
    return tuple(axes.tolist())


def squeeze(x: Any, axes: Any = None) -> Any:
    return core.Tensor(floating(x)).squeeze(None if axes is None else axes_of(axes))


def unsqueeze(x: Any, axes: Any) -> Any:
    rank, found = x.ndim + len(axes), core.Tensor(floating(x))
    for axis in sorted(axis % rank for axis in axes_of(axes)):
        found = found.unsqueeze(axis)
    return found


#: Every operator of ONNX's that the engine has.
NODES: dict[str, Callable[..., Any]] = {
    "Add": elementwise(core.add),
    "Sub": elementwise(core.subtract),
    "Mul": elementwise(core.multiply),
    "Div": elementwise(core.divide),
    "Pow": elementwise(core.power),
    "Neg": elementwise(core.negative),
    "Abs": elementwise(core.absolute),
    "Exp": elementwise(core.exp),
    "Log": elementwise(core.log),
    "Sqrt": elementwise(core.sqrt),
    "Max": variadic(core.maximum),
    "Min": variadic(core.minimum),
    "Clip": clip,
    "Where": lambda condition, a, b: core.where(condition, floating(a), floating(b)),
    "Equal": elementwise(lambda a, b: core.Tensor(a) == b),
    "Less": elementwise(lambda a, b: core.Tensor(a) < b),
    "LessOrEqual": elementwise(lambda a, b: core.Tensor(a) <= b),
    "Greater": elementwise(lambda a, b: core.Tensor(a) > b),
    "GreaterOrEqual": elementwise(lambda a, b: core.Tensor(a) >= b),
    "MatMul": elementwise(core.matmul),
    "Gemm": gemm,
    "ReduceSum": reduction(core.sum),
    "ReduceMean": reduction(core.mean),
    "ReduceMax": reduction(core.amax),
    "ReduceMin": reduction(core.amin),
    "ReduceLogSumExp": reduction(layers.logsumexp),
    "Reshape": reshape,
    "Expand": expand,
    "Transpose": transpose,
    "Flatten": flatten,
    "Concat": concat,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Pad": pad,
    "Relu": elementwise(layers.relu),
    "LeakyRelu": lambda x, alpha=0.01: layers.leaky_relu(x, negative_slope=alpha),
    "Sigmoid": elementwise(layers.sigmoid),
    "Tanh": elementwise(layers.tanh),
    "Gelu": lambda x, approximate=b"none": layers.gelu(x, approximate=approximate.decode()),
    "Softmax": softmax(layers.softmax),
    "LogSoftmax": softmax(layers.log_softmax),
    "Conv": conv,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda x: layers.GlobalAvgPool2d()(x) if x.ndim == 4 else require(False, "not images"),
    "GlobalMaxPool": lambda x: layers.GlobalMaxPool2d()(x) if x.ndim == 4 else require(False, "not images"),
    "BatchNormalization": batch_norm,
    "GroupNormalization": lambda x, γ, β, num_groups, epsilon=1e-5, **_: layers.group_norm(
        x, γ, β, num_groups=num_groups, eps=epsilon
    ),
    "InstanceNormalization": lambda x, γ, β, epsilon=1e-5: layers.group_norm(
        x, γ, β, num_groups=x.shape[1], eps=epsilon
    ),
    "LayerNormalization": layer_norm,
    "DepthToSpace": depth_to_space,
    "SoftmaxCrossEntropyLoss": loss(layers.cross_entropy),
    "NegativeLogLikelihoodLoss": loss(layers.nll_loss),
}
