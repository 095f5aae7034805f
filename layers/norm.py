"""Normalisation: take away the mean, divide by the standard deviation, then scale and shift by trained numbers.

The statistics run over different axes: over the batch and all pixels, one channel at a time (batch norm), or over all
pixels of a group of channels, one image at a time (group norm). The mathematics is the same, and stands here once.

Sources: Ioffe & Szegedy, *Batch normalization* (2015); Wu & He, *Group normalization* (2018).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import Array, Buffer, Module, Parameter, Pullback, Tensor, primitive
from .windows import integer


def _standardise(x: Array, dims: tuple[int, ...], eps: float) -> tuple[Array, Array, Array, Callable[[Array], Array]]:
    """x̂ = (x − μ) / √(σ² + ε) with statistics over `dims`: returns x̂, μ, σ² (biased) and x̂'s pullback.

    Write s = 1 / √(σ² + ε), so that x̂ = (x − μ) s. A small change dx changes μ and s too:

        dμ = mean(dx),   dσ² = 2 mean((x − μ) dx),   ds = −½ s³ dσ² = −s² mean(x̂ dx);
        dx̂ = (dx − dμ) s + (x − μ) ds = s (dx − mean(dx) − x̂ · mean(x̂ dx)).

    Seen as a matrix that takes dx to dx̂ this is symmetric (its entries are s (δᵢⱼ − 1/n − x̂ᵢ x̂ⱼ / n)), so the pullback
    is the same formula with the cotangent in the place of dx: x̄ = s (x̂̄ − mean(x̂̄) − x̂ · mean(x̂ x̂̄)).
    """
    variance, mean = torch.var_mean(x, dim=dims, correction=0, keepdim=True)
    inverse_deviation = torch.rsqrt(variance + eps)
    x̂ = (x - mean) * inverse_deviation

    def standardise_pullback(x̂̄: Array) -> Array:
        mean_part = x̂̄.mean(dim=dims, keepdim=True)
        variance_part = (x̂̄ * x̂).mean(dim=dims, keepdim=True)
        return (x̂̄ - mean_part - x̂ * variance_part) * inverse_deviation

    return x̂, mean, variance, standardise_pullback


def _per_channel(values: Array, x: Array) -> Array:
    """(C,) → (1, C, 1, …), to broadcast against x (N, C, …)."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def _affine(x̂: Array, weight: Array | None, bias: Array | None) -> Array:
    if weight is not None:
        x̂ = x̂ * _per_channel(weight, x̂)
    return x̂ if bias is None else x̂ + _per_channel(bias, x̂)


def _check(op: str, x: Array, **per_channel: Array | None) -> None:
    if x.ndim < 2:
        raise ValueError(f"{op}: input of shape {tuple(x.shape)} must be (N, C, …)")
    for name, values in per_channel.items():
        if values is None:
            continue
        if values.shape != x.shape[1:2]:
            raise ValueError(f"{op}: {name} of shape {tuple(values.shape)} must be ({x.shape[1]},)")
        if values.dtype != x.dtype or values.device != x.device:
            raise TypeError(f"{op}: {name} is {values.dtype} on {values.device}, but x is {x.dtype} on {x.device}")


@primitive
def batch_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    running_mean: Array,
    running_var: Array,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Array, Pullback]:
    """γ · (x − μ) / √(σ² + ε) + β for x (N, C, …), with γ = `weight` (C,) and β = `bias` (C,).

    In training μ and σ² are the batch's own, per channel, and the running statistics (C,) move towards them by
    `momentum`, in place; the running variance takes the unbiased estimate Σ(x − μ)² / (n − 1), the normalisation the
    biased one, as in torch. In evaluation the running statistics are used, and are constants.

    Raises:
        ValueError: shapes don't fit, or a channel has a single value in training (its variance says nothing).
        TypeError: an argument's dtype or device isn't that of x.
    """
    _check("batch_norm", x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    dims = (0, *range(2, x.ndim))
    n = x.numel() // x.shape[1]
    if training:
        if n < 2:
            raise ValueError(f"batch_norm: input of shape {tuple(x.shape)} has one value per channel in training")
        x̂, mean, variance, standardise_pullback = _standardise(x, dims, eps)
        running_mean.lerp_(mean.reshape(-1), momentum)
        running_var.lerp_(variance.reshape(-1) * (n / (n - 1)), momentum)
    else:
        inverse_deviation = _per_channel(torch.rsqrt(running_var + eps), x)
        x̂ = (x - _per_channel(running_mean, x)) * inverse_deviation

        def standardise_pullback(x̂̄: Array) -> Array:
            return x̂̄ * inverse_deviation

    def batch_norm_pullback(ȳ: Array):
        return (
            lambda: standardise_pullback(ȳ if weight is None else ȳ * _per_channel(weight, ȳ)),
            lambda: (ȳ * x̂).sum(dim=dims),
            lambda: ȳ.sum(dim=dims),
        )

    return _affine(x̂, weight, bias), batch_norm_pullback


@primitive
def group_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float = 1e-5
) -> tuple[Array, Pullback]:
    """γ · (x − μ) / √(σ² + ε) + β for x (N, C, …), with μ and σ² over each image's groups of C / `num_groups`
    channels and all their pixels; γ = `weight` (C,), β = `bias` (C,).

    Raises:
        ValueError: shapes don't fit, or C isn't divisible by num_groups.
    """
    _check("group_norm", x, weight=weight, bias=bias)
    num_groups = integer("group_norm", "num_groups", num_groups)
    if x.shape[1] % num_groups:
        raise ValueError(f"group_norm: channels (={x.shape[1]}) must be divisible by num_groups (={num_groups})")
    grouped = x.unflatten(1, (num_groups, -1))
    dims = tuple(range(2, grouped.ndim))
    x̂_grouped, _, _, standardise_pullback = _standardise(grouped, dims, eps)
    x̂ = x̂_grouped.flatten(1, 2)
    channel_dims = (0, *range(2, x.ndim))

    def group_norm_pullback(ȳ: Array):
        def x̄() -> Array:
            x̂̄ = ȳ if weight is None else ȳ * _per_channel(weight, ȳ)
            return standardise_pullback(x̂̄.unflatten(1, (num_groups, -1))).flatten(1, 2)

        return x̄, lambda: (ȳ * x̂).sum(dim=channel_dims), lambda: ȳ.sum(dim=channel_dims)

    return _affine(x̂, weight, bias), group_norm_pullback


class _BatchNorm(Module):
    """What batch norm over vectors and over images share; see `BatchNorm1d` and `BatchNorm2d`."""

    axes: tuple[int, ...] = ()

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        num_features = integer(type(self).__name__, "num_features", num_features)
        self.eps = eps
        self.momentum = momentum
        self.weight = Parameter(torch.ones(num_features)) if affine else None
        self.bias = Parameter(torch.zeros(num_features)) if affine else None
        self.running_mean = Buffer(torch.zeros(num_features))
        self.running_var = Buffer(torch.ones(num_features))
        self.num_batches_tracked = Buffer(torch.tensor(0))

    def forward(self, x: Array | Tensor) -> Tensor:
        num_features = self.running_mean.data.numel()
        if x.ndim not in self.axes or x.shape[1] != num_features:
            raise ValueError(
                f"{type(self).__name__}: input of shape {tuple(x.shape)} must have {num_features} channels (axis 1) "
                f"and {' or '.join(map(str, self.axes))} axes"
            )
        if self.training:
            self.num_batches_tracked.data += 1
        return batch_norm(
            x,
            self.weight,
            self.bias,
            running_mean=self.running_mean.data,
            running_var=self.running_var.data,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )

    def extra_repr(self) -> str:
        return f"{self.running_mean.data.numel()}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Batch norm of vectors (N, C) or sequences (N, C, L), one channel at a time over the batch (and L).

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: how far the running statistics move towards each batch's.
        affine: whether a scale `weight` (C,) and a shift `bias` (C,) are trained.
    """

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch norm of images (N, C, H, W), one channel at a time over the batch and all pixels; see `BatchNorm1d`."""

    axes = (4,)


class GroupNorm(Module):
    """Normalises groups of channels of each image by themselves, so that the batch's size doesn't matter.

    Args:
        num_groups: how many groups the channels are cut into (1: layer norm; num_channels: instance norm).
        num_channels: C, divisible by `num_groups`.
        eps: added to the variance.
        affine: whether a scale `weight` (C,) and a shift `bias` (C,) are trained.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        num_groups = integer("GroupNorm", "num_groups", num_groups)
        num_channels = integer("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_channels (={num_channels}) must be divisible by num_groups (={num_groups})"
            )
        self.num_groups = num_groups
        self.eps = eps
        self.weight = Parameter(torch.ones(num_channels)) if affine else None
        self.bias = Parameter(torch.zeros(num_channels)) if affine else None

    def forward(self, x: Array | Tensor) -> Tensor:
        return group_norm(x, self.weight, self.bias, num_groups=self.num_groups, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, eps={self.eps}"
