"""Standardisation, of which all norms are made: take away the mean and divide by the standard deviation.

Source: Ioffe & Szegedy, *Batch normalization* (2015), algorithm 1 and its derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import torch

from ..core import Array, Pullback
from ..core.ops.half import wide

#: The most bytes of images that are computed together on a CPU: they stay in its cache from one operation to the next.
CACHE_BYTES = 2 * 2**20
#: Takes what (N, C, 1, …) has of each channel of each image to the mean over all that share their statistics.
Average = Callable[[Array], Array]


def standardise(
    x: Array, weight: Array | None, bias: Array | None, average: Average, eps: float
) -> tuple[Array, Array, Array, Pullback]:
    """γ x̂ + β with x̂ = (x − μ) / √(σ² + ε): returns that, μ, σ² (biased) and the pullback.

    Write s = 1 / √(σ² + ε), so that x̂ = (x − μ) s. A small change dx changes μ and s too:

        dμ = mean(dx),   dσ² = 2 mean((x − μ) dx),   ds = −½ s³ dσ² = −s² mean(x̂ dx);
        dx̂ = (dx − dμ) s + (x − μ) ds = s (dx − mean(dx) − x̂ · mean(x̂ dx)).

    Seen as a matrix that takes dx to dx̂ this is symmetric (its entries are s (δᵢⱼ − 1/n − x̂ᵢ x̂ⱼ / n)), so the pullback
    is the same formula with the cotangent of x̂, γȳ, in the place of dx: x̄ = s (γȳ − mean(γȳ) − x̂ · mean(x̂ γȳ)).

    Pixels are read twice each way: once for two means of each channel of each image, from which all statistics follow,
    and once for the result, which is a scale and a shift. Half precision is computed in float32.
    """
    γ = 1.0 if weight is None else _per_channel(weight, x)
    β = 0.0 if bias is None else _per_channel(bias, x)
    means, variances = _by_blocks(_moments, x)
    μ = average(means)
    variance = average(variances + (means - μ).square())  # within the images and between them
    s = torch.rsqrt(variance + eps)
    scale = γ * s

    def standardise_pullback(ȳ: Array):
        ȳ_mean, product_mean = _by_blocks(_moments_with, ȳ, x, μ)  # of ȳ and of ȳ (x − μ)
        pixels = x.shape[2:].numel()

        def x̄() -> Array:
            through_mean = average(scale * ȳ_mean)  # s mean(γȳ)
            through_deviation = s * s * average(scale * product_mean)  # s² mean(x̂ γȳ), to be multiplied by x − μ
            return _combined(through_deviation * μ - through_mean, (ȳ, scale), (x, -through_deviation))

        return (
            x̄,
            lambda: (pixels * (s * product_mean).sum(dim=0).reshape(-1)).to(x.dtype),
            lambda: (pixels * ȳ_mean.sum(dim=0).reshape(-1)).to(x.dtype),
        )

    return _combined(β - μ * scale, (x, scale)), μ, variance, standardise_pullback


def standardise_by(
    mean: Array, variance: Array, x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Pullback]:
    """γ (x − μ) / √(σ² + ε) + β with constants μ and σ² (C,): a scale and a shift of each channel."""
    γ = 1.0 if weight is None else _per_channel(weight, x)
    β = 0.0 if bias is None else _per_channel(bias, x)
    μ, s = _per_channel(mean, x), torch.rsqrt(_per_channel(variance, x) + eps)
    scale = γ * s

    def standardise_pullback(ȳ: Array):
        dims = (0, *range(2, ȳ.ndim))
        return (
            lambda: _combined(torch.zeros_like(scale), (ȳ, scale)),
            lambda: (ȳ * (x - μ)).mul_(s).sum(dim=dims).to(x.dtype),
            lambda: ȳ.sum(dim=dims),
        )

    return _combined(β - μ * scale, (x, scale)), standardise_pullback


def _moments(x: Array) -> tuple[Array, Array]:
    """The mean and the biased variance of each channel of each image, (N, C, 1, …) each.

    In two passes over what is in the cache: E[x²] − E[x]² would lose all its digits where |μ| ≫ σ.
    """
    mean = _pixel_mean(x)
    return mean, _pixel_mean((x - mean).square_())


def _moments_with(ȳ: Array, x: Array, μ: Array) -> tuple[Array, Array]:
    """The means of ȳ and of ȳ (x − μ) over the pixels of each channel of each image, (N, C, 1, …) each."""
    return _pixel_mean(ȳ), _pixel_mean((x - μ).mul_(ȳ))


def _pixel_mean(x: Array) -> Array:
    """(N, C, …) → (N, C, 1, …); 0 where there are no pixels."""
    if x.ndim == 2:
        return x
    pixels = tuple(range(2, x.ndim))
    return x.mean(dim=pixels, keepdim=True) if x.numel() else x.sum(dim=pixels, keepdim=True)


def _by_blocks(moments: Callable[..., tuple[Array, ...]], *arrays: Array) -> list[Array]:
    """What `moments` makes of a few images at a time of arrays (N or 1, …), joined again."""
    found = [moments(*map(wide, block)) for block in _blocks(*arrays)]
    return [torch.cat(pieces) for pieces in zip(*found, strict=True)]


def _combined(shift: Array, *terms: tuple[Array, Array]) -> Array:
    """shift + Σ array · scale over the `terms` (array, scale), in the arrays' dtype; shift and scales are
    (N or 1, C, 1, …)."""
    result = torch.empty_like(terms[0][0])
    for target, total, *factors in _blocks(result, shift, *chain(*terms)):
        out = target if target.dtype == total.dtype else None
        for array, scale in zip(factors[::2], factors[1::2], strict=True):
            total = torch.addcmul(total, wide(array), scale, out=out)
        if out is None:
            target.copy_(total)
    return result


def _blocks(first: Array, *others: Array) -> list[tuple[Array, ...]]:
    """A few images at a time, one at least, of each array: `first` is (N, C, …), the others (N or 1, C, …)."""
    count = first.numel() * max(4, first.element_size()) // CACHE_BYTES if first.device.type == "cpu" else 1
    count = max(1, min(count, len(first)))
    arrays = (first, *(other.expand(len(first), *other.shape[1:]) for other in others))
    return list(zip(*(array.tensor_split(count) for array in arrays), strict=True))


def _per_channel(values: Array, x: Array) -> Array:
    """(C,) → (1, C, 1, …), to broadcast against x (N, C, …)."""
    return wide(values).reshape(1, -1, *[1] * (x.ndim - 2))
