"""Layer norm: standardise each point's features by themselves, whatever the batch and the other points are. RMS norm
only divides by their size, and leaves the mean where it is.

Sources: Ba, Kiros & Hinton, *Layer normalization* (2016); Zhang & Sennrich, *Root mean square layer normalization*
(2019).
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ..core import Array, Module, Parameter, Pullback, Tensor, primitive
from ..core.ops.half import wide
from .standardise import standardise
from .windows import integer, positive

#: The last axes of an array, all of whose elements share a mean; a number stands for a single axis.
Shape = int | tuple[int, ...]


def _shape(op: str, normalized_shape: Shape) -> tuple[int, ...]:
    sizes = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    if not sizes:
        raise ValueError(f"{op}: normalized_shape (={normalized_shape}) must have at least one axis")
    return tuple(integer(op, "normalized_shape", n) for n in sizes)


def _checked(op: str, x: Array, normalized_shape: Shape, eps: float | None, **affine: Array | None) -> tuple[int, ...]:
    """normalized_shape as a tuple. Raises ValueError if x or the parameters don't fit it, or eps isn't above 0."""
    if eps is not None:
        positive(op, "eps", eps)
    shape = _shape(op, normalized_shape)
    if x.shape[-len(shape) :] != shape:
        raise ValueError(f"{op}: input of shape {tuple(x.shape)} must end in normalized_shape (={shape})")
    for name, values in affine.items():
        if values is not None and values.shape != shape:
            raise ValueError(f"{op}: {name} of shape {tuple(values.shape)} must be {shape}")
    return shape


@primitive
def layer_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    normalized_shape: Shape,
    eps: float = 1e-5,
) -> tuple[Array, Pullback]:
    """γ · (x − μ) / √(σ² + ε) + β for x (…, *normalized_shape), with μ and σ² over these last axes; γ = `weight` and
    β = `bias` have their shape. A NaN or an infinity makes its point NaN or infinite; which of the two is not promised.

    The derivation of x̂ = (x − μ) / √(σ² + ε) stands in `standardise.py`, to which a point is an image of one channel
    and its numbers are pixels. γ and β differ from number to number, so x̂̄ = γ ȳ, and summed over all points
    γ̄ = Σ ȳ x̂ and β̄ = Σ ȳ.

    >>> layer_norm(torch.tensor([[1.0, 3.0], [10.0, 30.0]]), normalized_shape=2)
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])

    Raises:
        ValueError: shapes don't fit, or eps isn't above 0.
    """
    shape = _checked("layer_norm", x, normalized_shape, eps, weight=weight, bias=bias)
    points = wide(x).reshape(-1, 1, math.prod(shape))
    to_points: Any  # the pullback that leads there
    y, μ, variance, to_points = standardise(points, None, None, lambda own: own, eps)
    γ = 1.0 if weight is None else wide(weight).reshape(-1)
    y = y if weight is None else y.mul_(γ)
    y = y if bias is None else y.add_(wide(bias).reshape(-1))

    def layer_norm_pullback(ȳ: Array):
        ȳ = wide(ȳ).reshape(points.shape)
        return (
            lambda: to_points(ȳ * γ)[0]().reshape(x.shape).to(x.dtype),
            lambda: ((points - μ).mul_(torch.rsqrt(variance + eps)).mul_(ȳ)).sum(dim=0).reshape(shape).to(x.dtype),
            lambda: ȳ.sum(dim=0).reshape(shape).to(x.dtype),
        )

    return y.reshape(x.shape).to(x.dtype), layer_norm_pullback


@primitive
def rms_norm(
    x: Array, weight: Array | None = None, *, normalized_shape: Shape, eps: float | None = None
) -> tuple[Array, Pullback]:
    """γ x̂ with x̂ = r x and r = 1 / √(mean(x²) + ε) for x (…, *normalized_shape), with the mean over these last axes;
    γ = `weight` has their shape.

    A small change dx changes r by dr = −r³ mean(x dx) = −r² mean(x̂ dx), so dx̂ = r (dx − x̂ mean(x̂ dx)). As a matrix
    this is symmetric, and the pullback is the same formula with the cotangent of x̂, γȳ, in the place of dx:
    x̄ = r (γȳ − x̂ mean(x̂ γȳ)). Summed over all points γ̄ = Σ ȳ x̂.

    `eps` is ε; unless given, the smallest step from 1 to another number of x's dtype, or of float32 for half precision.

    >>> rms_norm(torch.tensor([[3.0, 4.0], [30.0, -40.0]]), normalized_shape=2)
    tensor([[ 0.8485,  1.1314],
            [ 0.8485, -1.1314]])

    Raises:
        ValueError: shapes don't fit, or eps isn't above 0.
    """
    shape = _checked("rms_norm", x, normalized_shape, eps, weight=weight)
    dims, dtype = tuple(range(-len(shape), 0)), x.dtype
    γ: Array | float = 1.0 if weight is None else wide(weight)
    r = (
        wide(x)
        .square()
        .mean(dim=dims, keepdim=True)
        .add_(torch.finfo(wide(x).dtype).eps if eps is None else eps)
        .rsqrt_()
    )

    def rms_norm_pullback(ȳ: Array):
        ȳ, x̂ = wide(ȳ), wide(x) * r

        def x̄() -> Array:
            x̂̄ = γ * ȳ
            return (r * (x̂̄ - x̂ * (x̂ * x̂̄).mean(dim=dims, keepdim=True))).to(dtype)

        return x̄, lambda: (ȳ * x̂).sum_to_size(shape).to(dtype)

    return (γ * (wide(x) * r)).to(dtype), rms_norm_pullback


class LayerNorm(Module):
    """Standardises the last axes of x (…, *normalized_shape), each point by itself; see `layer_norm`.

    Args:
        normalized_shape: of these axes, or the size of the last one.
        eps: added to the variance.
        elementwise_affine: whether a scale `weight` is trained, of this shape.
        bias: whether a shift `bias` is trained beside it.

    >>> LayerNorm(8)(torch.ones(2, 5, 8)).shape
    torch.Size([2, 5, 8])

    Raises:
        ValueError: a size isn't a whole number above 0, or eps not a number above 0.
    """

    def __init__(
        self, normalized_shape: Shape, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True
    ) -> None:
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps = positive("LayerNorm", "eps", eps)
        self.weight = Parameter(torch.ones(self.normalized_shape)) if elementwise_affine else None
        self.bias = Parameter(torch.zeros(self.normalized_shape)) if elementwise_affine and bias else None

    def forward(self, x: Array | Tensor) -> Tensor:
        return layer_norm(x, self.weight, self.bias, normalized_shape=self.normalized_shape, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class RMSNorm(Module):
    """Divides the last axes of x (…, *normalized_shape) by their root mean square, each point by itself; see
    `rms_norm`.

    Args:
        normalized_shape: of these axes, or the size of the last one.
        eps: added to the mean square; unless given, the smallest step from 1 to another number of x's dtype.
        elementwise_affine: whether a scale `weight` is trained, of this shape.

    Raises:
        ValueError: a size isn't a whole number above 0, or eps not a number above 0.
    """

    def __init__(self, normalized_shape: Shape, eps: float | None = None, elementwise_affine: bool = True) -> None:
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = None if eps is None else positive("RMSNorm", "eps", eps)
        self.weight = Parameter(torch.ones(self.normalized_shape)) if elementwise_affine else None

    def forward(self, x: Array | Tensor) -> Tensor:
        return rms_norm(x, self.weight, normalized_shape=self.normalized_shape, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"
