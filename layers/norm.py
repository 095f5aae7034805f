"""Normalisation: take away the mean, divide by the standard deviation, then scale and shift by trained numbers.

The statistics run over different axes: over the batch and all pixels, one channel at a time (batch norm), or over all
pixels of a group of channels, one image at a time (group norm). The mathematics is the same, and stands here once.

Sources: Ioffe & Szegedy, *Batch normalization* (2015); Wu & He, *Group normalization* (2018).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import HALF_PRECISION, Array, Buffer, Module, Parameter, Pullback, Tensor, primitive
from ..core.workers import parts
from .windows import integer

#: Bytes of a block, in the dtype it is computed in. Measured on two threads from 1/2 to 16 MiB: below, calling an
#: operation costs more than the cache saves; above, bfloat16 took up to twice as long.
BLOCK = 2 * 2**20
#: Takes what (N, C, 1, …) has of each channel of each image to the mean over all that share their statistics.
Average = Callable[[Array], Array]


def _standardise(
    x: Array, weight: Array | None, bias: Array | None, average: Average, eps: float
) -> tuple[Array, Array, Array, Pullback]:
    """γ x̂ + β with x̂ = (x − μ) / √(σ² + ε): returns that, μ, σ² (biased) and the pullback.

    Write s = 1 / √(σ² + ε), so that x̂ = (x − μ) s. A small change dx changes μ and s too:

        dμ = mean(dx),   dσ² = 2 mean((x − μ) dx),   ds = −½ s³ dσ² = −s² mean(x̂ dx);
        dx̂ = (dx − dμ) s + (x − μ) ds = s (dx − mean(dx) − x̂ · mean(x̂ dx)).

    Seen as a matrix that takes dx to dx̂ this is symmetric (its entries are s (δᵢⱼ − 1/n − x̂ᵢ x̂ⱼ / n)), so the pullback
    is the same formula with the cotangent in the place of dx: x̄ = s (x̂̄ − mean(x̂̄) − x̂ · mean(x̂ x̂̄)), where x̂̄ = γ ȳ.

    Pixels are gone through twice each way: once for two numbers of each channel of each image, from which all
    statistics follow, and once for the result, which is a scale and a shift. In half precision all of it is computed in
    float32, to which a few images are taken at a time.
    """
    weight, bias = (None if a is None else _wide(a) for a in (weight, bias))
    means, variances = _moments(x)
    mean = average(means)
    variance = average(variances + (means - mean).square())  # within the images and between them
    s = torch.rsqrt(variance + eps)
    scale = s if weight is None else s * _per_channel(weight, x)
    y = _combined(_shift(bias, mean, scale), (x, scale))

    def standardise_pullback(ȳ: Array):
        ȳ_mean, product_mean = _moments_with(ȳ, x, mean)  # of ȳ and of ȳ (x − μ)
        pixels = x.shape[2:].numel()

        def x̄() -> Array:
            slope = -s * s * average(scale * product_mean)
            shift = -average(scale * ȳ_mean) - slope * mean
            return _combined(shift, (ȳ, scale), (x, slope))

        return (
            x̄,
            lambda: (pixels * (s * product_mean).sum(dim=0).reshape(-1)).to(x.dtype),
            lambda: (pixels * ȳ_mean.sum(dim=0).reshape(-1)).to(x.dtype),
        )

    return y, mean, variance, standardise_pullback


def _moments(x: Array) -> tuple[Array, Array]:
    """The mean and the biased variance of each channel of each image, (N, C, 1, …) each.

    In two passes over a block that is in the cache: E[x²] − E[x]² would lose all its digits where |μ| ≫ σ.
    """
    means, variances = _per_image(x), _per_image(x)

    for images in _blocks(x):
        pixels = _wide(x[images])
        means[images] = _pixel_mean(pixels)
        variances[images] = _pixel_mean((pixels - means[images]).square_())
    return means, variances


def _moments_with(ȳ: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """The means of ȳ and of ȳ (x − μ) over the pixels of each channel of each image, (N, C, 1, …) each."""
    means, products = _per_image(x), _per_image(x)
    mean = mean.expand_as(means)

    for images in _blocks(x):
        cotangents = _wide(ȳ[images])
        means[images] = _pixel_mean(cotangents)
        products[images] = _pixel_mean((_wide(x[images]) - mean[images]).mul_(cotangents))
    return means, products


def _combined(shift: Array, *terms: tuple[Array, Array]) -> Array:
    """shift + Σ array · scale over the `terms`, in the arrays' dtype; scales and shift are (N or 1, C, 1, …)."""
    first = terms[0][0]
    result = torch.empty_like(first)
    shift, *scales = (values.expand(len(first), *values.shape[1:]) for values in (shift, *(s for _, s in terms)))

    for images in _blocks(first):
        total = shift[images]
        target = result[images] if result.dtype == total.dtype else None
        for (array, _), scale in zip(terms, scales, strict=True):
            total = torch.addcmul(total, _wide(array[images]), scale[images], out=target)
        if target is None:
            result[images] = total
    return result


def _wide(x: Array) -> Array:
    return x.to(_wide_dtype(x))


def _wide_dtype(x: Array) -> torch.dtype:
    """What is computed with: float32 for half precision."""
    return torch.float32 if x.dtype in HALF_PRECISION else x.dtype


def _blocks(x: Array) -> list[slice]:
    """The images in blocks, one image at least, that stay in the cache from one operation to the next. torch's threads
    share each operation: sharing out the blocks instead (`core.workers`) took twice as long."""
    size = x.numel() * max(4, x.element_size())
    return parts(len(x), size // BLOCK if x.device.type == "cpu" else 1)


def _per_image(x: Array) -> Array:
    """Room for a number for each channel of each image."""
    return x.new_empty((*x.shape[:2], *[1] * (x.ndim - 2)), dtype=_wide_dtype(x))


def _pixel_mean(x: Array) -> Array:
    """(N, C, …) → (N, C, 1, …)."""
    return x.mean(dim=tuple(range(2, x.ndim)), keepdim=True) if x.ndim > 2 else x


def _shift(bias: Array | None, mean: Array, scale: Array) -> Array:
    """β − μ γ s, by which y = x γ s + (β − μ γ s)."""
    return -mean * scale if bias is None else _per_channel(bias, mean) - mean * scale


def _per_channel(values: Array, x: Array) -> Array:
    """(C,) → (1, C, 1, …), to broadcast against x (N, C, …)."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def _check(op: str, x: Array, **per_channel: Array | None) -> None:
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
        TypeError: an argument's dtype or device isn't that of x; but beside x in half precision the running statistics
            may be in float32.
    """
    _check("batch_norm", x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    if not training:
        return _standardise_by(running_mean, running_var, x, weight, bias, eps)
    n = x.numel() // x.shape[1]
    if n < 2:
        raise ValueError(f"batch_norm: input of shape {tuple(x.shape)} has one value per channel in training")
    y, mean, variance, batch_norm_pullback = _standardise(x, weight, bias, lambda v: v.mean(dim=0, keepdim=True), eps)
    running_mean.lerp_(mean.reshape(-1).to(running_mean.dtype), momentum)
    running_var.lerp_((variance.reshape(-1) * (n / (n - 1))).to(running_var.dtype), momentum)
    return y, batch_norm_pullback


def _standardise_by(
    mean: Array, variance: Array, x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Pullback]:
    """γ (x − μ) / √(σ² + ε) + β with constants μ and σ² (C,): a scale and a shift of each channel."""
    wide = _wide_dtype(x)
    μ, s = _per_channel(mean.to(wide), x), _per_channel(torch.rsqrt(variance.to(wide) + eps), x)
    scale = s if weight is None else s * _per_channel(weight.to(wide), x)
    shift = _shift(None if bias is None else bias.to(wide), μ, scale)

    def standardise_pullback(ȳ: Array):
        dims = (0, *range(2, ȳ.ndim))
        return (
            lambda: _combined(torch.zeros_like(scale), (ȳ, scale)),
            lambda: (ȳ * (x - μ)).mul_(s).sum(dim=dims).to(x.dtype),
            lambda: ȳ.sum(dim=dims),
        )

    return _combined(shift, (x, scale)), standardise_pullback


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

    def group_mean(v: Array) -> Array:
        groups = v.unflatten(1, (num_groups, -1))
        return groups.mean(dim=2, keepdim=True).expand_as(groups).flatten(1, 2)

    y, _, _, group_norm_pullback = _standardise(x, weight, bias, group_mean, eps)
    return y, group_norm_pullback


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

    `num_batches_tracked` is there for torch's state dicts; nothing reads it.

    Raises:
        ValueError: num_features isn't a whole number above 0.
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

    Raises:
        ValueError: a number isn't whole and above 0, or the groups don't divide the channels.
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
