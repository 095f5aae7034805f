"""To take away the mean and divide by the standard deviation, over whatever axes: what all norms are made of.

Source: Ioffe & Szegedy, *Batch normalization* (2015), algorithm 1 and its derivative.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import HALF_PRECISION, Array, Pullback
from ..core.workers import parts

#: Bytes of a block, in the dtype it is computed in. Measured on two threads from 1/2 to 16 MiB: below, calling an
#: operation costs more than the cache saves; above, bfloat16 took up to twice as long.
BLOCK = 2 * 2**20
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


def _moments(x: Array) -> list[Array]:
    """The mean and the biased variance of each channel of each image, (N, C, 1, …) each.

    In two passes over a block that is in the cache: E[x²] − E[x]² would lose all its digits where |μ| ≫ σ.
    """

    def moments(pixels: Array) -> tuple[Array, Array]:
        mean = _pixel_mean(pixels)
        return mean, _pixel_mean((pixels - mean).square_())

    return _by_blocks(moments, x)


def _moments_with(ȳ: Array, x: Array, mean: Array) -> list[Array]:
    """The means of ȳ and of ȳ (x − μ) over the pixels of each channel of each image, (N, C, 1, …) each."""

    def moments(cotangents: Array, pixels: Array, mean: Array) -> tuple[Array, Array]:
        return _pixel_mean(cotangents), _pixel_mean((pixels - mean).mul_(cotangents))

    return _by_blocks(moments, ȳ, x, mean.expand(len(x), *mean.shape[1:]))


def _by_blocks(moments: Callable[..., tuple[Array, ...]], *arrays: Array) -> list[Array]:
    """What `moments` makes of some images of each array at a time, put together again."""
    found = [moments(*(_wide(a[images]) for a in arrays)) for images in _blocks(arrays[0])]
    return [pieces[0] if len(pieces) == 1 else torch.cat(pieces) for pieces in zip(*found, strict=True)]


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


def _pixel_mean(x: Array) -> Array:
    """(N, C, …) → (N, C, 1, …)."""
    return x.mean(dim=tuple(range(2, x.ndim)), keepdim=True) if x.ndim > 2 else x


def _shift(bias: Array | None, mean: Array, scale: Array) -> Array:
    """β − μ γ s, by which y = x γ s + (β − μ γ s)."""
    return -mean * scale if bias is None else _per_channel(bias, mean) - mean * scale


def _per_channel(values: Array, x: Array) -> Array:
    """(C,) → (1, C, 1, …), to broadcast against x (N, C, …)."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def standardise_by(
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
