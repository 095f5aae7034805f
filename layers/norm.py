"""Normalisation: take away the mean, divide by the standard deviation, then scale and shift by trained numbers.

The statistics are taken over the batch and all pixels, one channel at a time (batch norm), or over all pixels of a
group of channels, one image at a time (group norm). Forward and backward are otherwise the same, and stand with their
derivation in `standardise.py`.

Sources: Ioffe & Szegedy, *Batch normalization* (2015); Wu & He, *Group normalization* (2018).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import HALF_PRECISION, Array, Buffer, Module, Parameter, Pullback, Tensor, primitive
from .standardise import standardise, standardise_by
from .windows import integer, positive, require_array


def _check(op: str, x: Array, eps: float, **per_channel: Array | None) -> None:
    positive(op, "eps", eps)
    require_array(x, op)
    if x.ndim < 2:
        raise ValueError(f"{op}: input of shape {tuple(x.shape)} must be (N, C, …)")
    for name, values in per_channel.items():
        if values is None:
            continue
        if values.shape != x.shape[1:2]:
            raise ValueError(f"{op}: {name} of shape {tuple(values.shape)} must be ({x.shape[1]},)")
        kept_in_float32 = name.startswith("running") and x.dtype in HALF_PRECISION and values.dtype == torch.float32
        if (values.dtype != x.dtype and not kept_in_float32) or values.device != x.device:
            raise TypeError(f"{op}: {name} is {values.dtype} on {values.device}, but x is {x.dtype} on {x.device}")


@primitive
def batch_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    running_mean: Array | None,
    running_var: Array | None,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    total: Callable[[Array], Array] | None = None,
) -> tuple[Array, Pullback]:
    """γ · (x − μ) / √(σ² + ε) + β for x (N, C, …), with γ = `weight` (C,) and β = `bias` (C,).

    In training μ and σ² are the batch's own, per channel, and the running statistics (C,) move towards them by
    `momentum`, in place; the running variance takes the unbiased estimate Σ(x − μ)² / (n − 1), the normalisation the
    biased one, as in torch. Without running statistics (None) nothing is gathered, and a batch without images leaves
    them as they are. In evaluation the running statistics are used, and are constants. A batch that is spread over
    several processes has common statistics where `total` adds up an array over all of them.

    A NaN or an infinity makes all that shares its statistics NaN or infinite; which of the two is not promised.

    Raises:
        ValueError: shapes don't fit, eps isn't above 0, a channel has a single value in training (whose variance says
            nothing), or there are no running statistics in evaluation.
        TypeError: an argument's dtype or device isn't that of x; but beside x in half precision the running statistics
            may be in float32.
    """
    _check("batch_norm", x, eps, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: running_mean and running_var must be given in evaluation")
        return standardise_by(running_mean, running_var, x, weight, bias, eps)
    images = len(x) if total is None else int(total(torch.tensor(len(x))))
    n = images * x.shape[2:].numel()

    def batch_mean(v: Array) -> Array:
        return v.mean(dim=0, keepdim=True) if total is None else total(v.sum(dim=0, keepdim=True)) / images

    if n == 1:
        raise ValueError(f"batch_norm: input of shape {tuple(x.shape)} has one value per channel in training")
    y, mean, variance, batch_norm_pullback = standardise(x, weight, bias, batch_mean, eps)
    if n and running_mean is not None:
        running_mean.lerp_(mean.reshape(-1).to(running_mean.dtype), momentum)
    if n and running_var is not None:
        running_var.lerp_((variance.reshape(-1) * (n / (n - 1))).to(running_var.dtype), momentum)
    return y, batch_norm_pullback


@primitive
def group_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float = 1e-5
) -> tuple[Array, Pullback]:
    """γ · (x − μ) / √(σ² + ε) + β for x (N, C, …), with μ and σ² over each image's groups of C / `num_groups`
    channels and all their pixels; γ = `weight` (C,), β = `bias` (C,).

    A NaN or an infinity makes all that shares its statistics NaN or infinite; which of the two is not promised.

    Raises:
        ValueError: shapes don't fit, eps isn't above 0, or C isn't divisible by num_groups.
    """
    _check("group_norm", x, eps, weight=weight, bias=bias)
    num_groups = integer("group_norm", "num_groups", num_groups)
    if x.shape[1] % num_groups:
        raise ValueError(f"group_norm: channels (={x.shape[1]}) must be divisible by num_groups (={num_groups})")

    def group_mean(v: Array) -> Array:
        groups = v.unflatten(1, (num_groups, -1))
        return groups.mean(dim=2, keepdim=True).expand_as(groups).flatten(1, 2)

    y, _, _, group_norm_pullback = standardise(x, weight, bias, group_mean, eps)
    return y, group_norm_pullback


class ChannelNorm(Module):
    """What batch and instance norm share: they standardise each channel by itself, and may gather statistics."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        self.num_features = integer(type(self).__name__, "num_features", num_features)
        self.eps = positive(type(self).__name__, "eps", eps)
        self.momentum = momentum
        self.weight = Parameter(torch.ones(num_features)) if affine else None
        self.bias = Parameter(torch.zeros(num_features)) if affine and bias else None
        self.running_mean = Buffer(torch.zeros(num_features)) if track_running_stats else None
        self.running_var = Buffer(torch.ones(num_features)) if track_running_stats else None
        self.num_batches_tracked = Buffer(torch.tensor(0)) if track_running_stats else None

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class _BatchNorm(ChannelNorm):
    """What batch norm over vectors and over images share; see `BatchNorm1d` and `BatchNorm2d`."""

    axes: tuple[int, ...] = ()
    total: Callable[[Array], Array] | None = None  # `batch_norm`'s, where a batch is spread over several processes

    def forward(self, x: Array | Tensor) -> Tensor:
        require_array(x, type(self).__name__)
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: input of shape {tuple(x.shape)} must have {self.num_features} channels "
                f"(axis 1) and {' or '.join(map(str, self.axes))} axes"
            )
        momentum, batches = self.momentum, self.num_batches_tracked
        if batches is not None and self.training:
            batches.data += 1
        if momentum is None:  # the mean of all batches so far
            momentum = 1.0 if batches is None else 1 / max(1, int(batches.data))
        return batch_norm(
            x,
            self.weight,
            self.bias,
            running_mean=None if self.running_mean is None else self.running_mean.data,
            running_var=None if self.running_var is None else self.running_var.data,
            training=self.training or batches is None,
            momentum=momentum,
            eps=self.eps,
            total=self.total,
        )


class BatchNorm1d(_BatchNorm):
    """Batch norm of vectors (N, C) or sequences (N, C, L), one channel at a time over the batch (and L).

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: how far the running statistics move towards each batch's; None: they are the mean over all batches.
        affine: whether a scale `weight` (C,) is trained.
        track_running_stats: whether they are gathered; without them each batch has its own in evaluation too.
        bias: whether a shift `bias` (C,) is trained beside the scale.

    `num_batches_tracked` counts the batches, under torch's name.

    Raises:
        ValueError: num_features isn't a whole number above 0, or eps not a number above 0.
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
        affine: whether a scale `weight` (C,) is trained.
        bias: whether a shift `bias` (C,) is trained beside it.

    Raises:
        ValueError: a number isn't above 0 or a size not whole, or the groups don't divide the channels.
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, bias: bool = True
    ) -> None:
        num_groups = integer("GroupNorm", "num_groups", num_groups)
        num_channels = integer("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_channels (={num_channels}) must be divisible by num_groups (={num_groups})"
            )
        self.num_groups = num_groups
        self.eps = positive("GroupNorm", "eps", eps)
        self.weight = Parameter(torch.ones(num_channels)) if affine else None
        self.bias = Parameter(torch.zeros(num_channels)) if affine and bias else None

    def forward(self, x: Array | Tensor) -> Tensor:
        return group_norm(x, self.weight, self.bias, num_groups=self.num_groups, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, eps={self.eps}"
