"""How each operation of torch's is written with the engine: torch's name in `op_db` → a function of torch's arguments.

Only what takes one operation of the engine stands here: one function, method or operator. An adapter turns arguments
round and does no arithmetic of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from photomend import core, layers
from photomend.core import Array, Tensor
from photomend.tests.peers.outcome import OutOfScopeError


def require(holds: bool, reason: str) -> None:
    """Raise OutOfScopeError with this reason, unless it holds."""
    if not holds:
        raise OutOfScopeError(reason)


def floating(x: Any) -> Any:
    """x, unless it is an array of integers or booleans: these are no operands of the engine's."""
    require(not isinstance(x, Array) or x.is_floating_point(), "an operand of integers")
    return x


def binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda input, other: function(floating(input), floating(other))


def with_alpha(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """add and sub, whose `alpha` multiplies the second operand."""

    def adapter(input: Any, other: Any, *, alpha: float = 1) -> Any:
        require(alpha == 1, "alpha")
        return function(floating(input), floating(other))

    return adapter


def divide(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    require(rounding_mode is None, "rounding_mode")
    return core.divide(floating(input), floating(other))


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def adapter(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return function(input, dim=dim, keepdim=keepdim)

    return adapter


def extreme(method: str, pairwise: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """max and min: of all elements, or of two arrays; the engine has `amax` and `amin` for those along an axis."""

    def adapter(input: Any, *args: Any, **options: Any) -> Any:
        if args and isinstance(args[0], Array | Tensor):
            return pairwise(input, args[0])
        require(not args and not options, "values and indices along an axis")
        return getattr(input, method)()

    return adapter


def variance(input: Any, dim: Any = None, unbiased: Any = None, *, correction: Any = 1, keepdim: bool = False) -> Any:
    if isinstance(dim, bool):  # var(unbiased)
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    return input.var(dim, correction=1 if correction is None else correction, keepdim=keepdim)


def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    require(not any(isinstance(bound, Array | Tensor) for bound in (min, max)), "bounds that are arrays")
    return core.clamp(input, min=min, max=max)


def where(input: Any, condition: Any, other: Any) -> Any:
    """In op_db `input` is the first choice, and the operation puts the condition first."""
    return core.where(condition, floating(input), floating(other))


def getitem(input: Any, index: Any) -> Any:
    return input[index]


def select(input: Any, dim: int, index: int) -> Any:
    return input[(*[slice(None)] * (dim % input.ndim), index)]


def narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    require(not isinstance(start, Array) and start >= 0, "a start that is an array or negative")
    return input[(*[slice(None)] * (dim % input.ndim), slice(start, start + length))]


def joined(function: Callable[..., Any]) -> Callable[..., Any]:
    """cat and stack, which take a list; the engine's take the arrays themselves."""

    def adapter(tensors: Any, dim: int = 0) -> Any:
        require(len({x.ndim for x in tensors}) == 1, "arrays of several numbers of axes")
        return function(*tensors, dim=dim)

    return adapter


def padded(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    require(mode == "constant", f"{mode} padding")
    require(min(pad, default=0) >= 0, "negative padding")
    return core.pad(input, pad=tuple(pad), mode=mode, value=0.0 if value is None else value)


def softmax(function: Callable[..., Any]) -> Callable[..., Any]:
    def adapter(input: Any, dim: int, *, dtype: Any = None) -> Any:
        require(dtype is None, "dtype")
        return function(input, dim)

    return adapter


def max_pool2d(input: Any, *args: Any, return_indices: bool = False, **options: Any) -> Any:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    require(not return_indices, "return_indices")
    return layers.max_pool2d(input, **dict(zip(names, args, strict=False)), **options)


def avg_pool2d(input: Any, *args: Any, **options: Any) -> Any:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    one_or_two = [
        isinstance(value, int) or len(value) == 2 for value in (*args, *options.values()) if value is not None
    ]
    require(all(one_or_two), "a tuple of one number or none")
    return layers.avg_pool2d(input, **dict(zip(names, args, strict=False)), **options)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    require(output_size in (1, (1, 1), [1, 1]), "an output_size other than 1")
    return layers.AdaptiveAvgPool2d(1)(input)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    return layers.conv2d(input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Any:
    require(running_mean is not None, "no running statistics")
    require(input.ndim >= 2, "an input without channels")
    require(momentum is not None, "momentum of None in the function")
    statistics = {"running_mean": running_mean.clone(), "running_var": running_var.clone()}
    return layers.batch_norm(input, weight, bias, training=training, momentum=momentum, eps=eps, **statistics)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    require(eps > 0, "an eps that isn't above 0")
    return layers.group_norm(input, weight, bias, num_groups=num_groups, eps=eps)


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    require(eps > 0, "an eps that isn't above 0")
    return layers.layer_norm(input, weight, bias, normalized_shape=tuple(normalized_shape), eps=eps)


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    **more: Any,
) -> Any:
    require(input.ndim == 4 and mode in ("nearest", "bilinear"), f"{mode} of {input.ndim} axes")
    require(not any(more.values()), ", ".join(more))
    return layers.interpolate(input, size=size, scale_factor=scale_factor, mode=mode, align_corners=align_corners)


def upsample(mode: str, align_corners: bool | None) -> Callable[..., Any]:
    def adapter(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
        return interpolate(input, size, scale_factor, mode, align_corners)

    return adapter


def reduced_loss(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loss, without torch's two older spellings of `reduction`."""

    def adapter(input: Any, *args: Any, size_average: Any = None, reduce: Any = None, **options: Any) -> Any:
        require(size_average is None and reduce is None, "size_average and reduce")
        return function(input, *args, **options)

    return adapter


def transposed(input: Any) -> Any:
    require(input.ndim == 2, "T of another array than a matrix")
    return input.T


def embedding(
    weight: Any,
    indices: Any,
    padding_idx: Any = None,
    max_norm: Any = None,
    norm_type: Any = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    require(max_norm is None and not scale_grad_by_freq and not sparse, "max_norm, scale_grad_by_freq or sparse")
    require(weight.ndim == 2, "a weight that is no matrix")
    return layers.embedding(indices, weight, padding_idx=padding_idx)


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **more: Any,
) -> Any:
    require(dropout_p == 0, "dropout")
    require(not more.pop("enable_gqa", False), "enable_gqa")
    return layers.scaled_dot_product_attention(query, key, value, attn_mask, is_causal=is_causal, **more)


#: Every operation of torch's that the engine has.
OPS: dict[str, Callable[..., Any]] = {
    "add": with_alpha(core.add),
    "sub": with_alpha(core.subtract),
    "rsub": with_alpha(lambda a, b: b - a),
    "mul": binary(core.multiply),
    "div": divide,
    "true_divide": binary(core.divide),
    "__radd__": binary(lambda a, b: b + a),
    "__rsub__": binary(lambda a, b: b - a),
    "__rmul__": binary(lambda a, b: b * a),
    "__rdiv__": binary(lambda a, b: b / a),
    "__rpow__": binary(lambda a, b: b**a),
    "__rmatmul__": binary(lambda a, b: core.matmul(b, a)),
    "neg": lambda input: -input,
    "abs": abs,
    "exp": lambda input: core.exp(input),
    "log": lambda input: core.log(input),
    "sqrt": lambda input: core.sqrt(input),
    "square": lambda input: input**2,
    "reciprocal": lambda input: 1 / input,
    "rsqrt": lambda input: input**-0.5,
    "pow": binary(core.power),
    "maximum": binary(core.maximum),
    "minimum": binary(core.minimum),
    "clamp": clamp,
    "clamp_min": binary(core.maximum),
    "clamp_max": binary(core.minimum),
    "where": where,
    **{name: binary(getattr(operator, name)) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: binary(core.matmul) for name in ("matmul", "mm", "bmm", "mv", "dot")},
    "sum": reduction(core.sum),
    "mean": reduction(core.mean),
    "amax": reduction(core.amax),
    "amin": reduction(core.amin),
    "max": extreme("max", core.maximum),
    "min": extreme("min", core.minimum),
    "var": variance,
    "logsumexp": lambda input, dim, keepdim=False: layers.logsumexp(input, dim, keepdim=keepdim),
    "reshape": lambda input, shape: core.reshape(input, shape=tuple(shape)),
    "view": lambda input, shape: core.reshape(input, shape=tuple(shape)),
    "flatten": lambda input, start_dim=0, end_dim=-1: input.flatten(start_dim, end_dim),
    "ravel": lambda input: input.flatten(),
    "permute": lambda input, dims: core.permute(input, dims=tuple(dims)),
    "transpose": lambda input, dim0, dim1: core.transpose(input, dim0=dim0, dim1=dim1),
    "t": transposed,
    "T": transposed,
    "mT": lambda input: input.mT,
    "squeeze": lambda input, dim=None: input.squeeze(dim),
    "unsqueeze": lambda input, dim: input.unsqueeze(dim),
    "broadcast_to": lambda input, size: core.broadcast_to(input, shape=tuple(size)),
    "expand": lambda input, size: core.broadcast_to(input, shape=tuple(size)),
    "cat": joined(core.concatenate),
    "stack": joined(core.stack),
    "split": lambda input, sizes, dim=0: input.split(sizes, dim),
    "split_with_sizes": lambda input, sizes, dim=0: input.split(list(sizes), dim),
    "__getitem__": getitem,
    "select": select,
    "narrow": narrow,
    "nn.functional.pad": padded,
    "constant_pad_nd": lambda input, pad, value=0.0: padded(input, pad, "constant", value),
    "nn.functional.relu": lambda input: layers.relu(input),
    "nn.functional.leaky_relu": lambda input, negative_slope=0.01: layers.leaky_relu(
        input, negative_slope=negative_slope
    ),
    "sigmoid": lambda input: layers.sigmoid(input),
    "tanh": lambda input: layers.tanh(input),
    "nn.functional.silu": lambda input: layers.silu(input),
    "nn.functional.gelu": lambda input, approximate="none": layers.gelu(input, approximate=approximate),
    "softmax": softmax(layers.softmax),
    "log_softmax": softmax(layers.log_softmax),
    "nn.functional.linear": lambda input, weight, bias=None: layers.linear(input, weight, bias),
    "nn.functional.embedding": embedding,
    "nn.functional.conv2d": conv2d,
    "nn.functional.max_pool2d": max_pool2d,
    "nn.functional.avg_pool2d": avg_pool2d,
    "nn.functional.adaptive_avg_pool2d": adaptive_avg_pool2d,
    "nn.functional.pixel_shuffle": lambda input, factor: layers.pixel_shuffle(input, upscale_factor=factor),
    "nn.functional.pixel_unshuffle": lambda input, factor: layers.pixel_unshuffle(input, downscale_factor=factor),
    "nn.functional.interpolate": interpolate,
    "nn.functional.upsample_nearest": upsample("nearest", None),
    "nn.functional.upsample_bilinear": upsample("bilinear", True),
    "nn.functional.batch_norm": batch_norm,
    "nn.functional.group_norm": group_norm,
    "nn.functional.layer_norm": layer_norm,
    "nn.functional.cross_entropy": reduced_loss(layers.cross_entropy),
    "nn.functional.nll_loss": reduced_loss(layers.nll_loss),
    "nn.functional.mse_loss": reduced_loss(layers.mse_loss),
    "nn.functional.l1_loss": reduced_loss(layers.l1_loss),
    "nn.functional.binary_cross_entropy": reduced_loss(layers.binary_cross_entropy),
    "nn.functional.huber_loss": reduced_loss(layers.huber_loss),
    "nn.functional.binary_cross_entropy_with_logits": reduced_loss(layers.binary_cross_entropy_with_logits),
    "nn.functional.scaled_dot_product_attention": attention,
}
