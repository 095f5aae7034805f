"""Softmax and what belongs to it: numbers as probabilities, their logarithms, and the logarithm of Σ eˣ.

All three need Σ eˣ, and e⁸⁹ is more than float32 holds. The largest number m is taken away first:

    ln Σ eˣ = m + ln Σ eˣ⁻ᵐ,

where no exponent is above 0 and one of them is 0, so the sum lies between 1 and the number of terms. Half precision is
computed in float32, in which a sum of thousands of terms keeps its digits.

Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), §4.1 (overflow) and §6.2.2.3 (softmax).
"""

from __future__ import annotations

import torch

from ..core import Array, Module, Pullback, Tensor, primitive
from ..core.ops.half import wide
from .windows import axis


def _largest(x: Array, dim: int | tuple[int, ...]) -> Array:
    """The largest number along the axes `dim`, which stay; 0 where there is none."""
    return x.amax(dim=dim, keepdim=True) if x.numel() else x.sum(dim=dim, keepdim=True)


def softmax_along(x: Array, dim: int) -> Array:
    """eˣ / Σ eˣ along the axis `dim`, in x's own dtype."""
    y = (x - _largest(x, dim)).exp_()
    return y.div_(y.sum(dim=dim, keepdim=True))


def softmax_cotangent(ȳ: Array, y: Array, dim: int) -> Array:
    """x̄ = y ∘ (ȳ − Σ ȳ y) for y = softmax(x); see `softmax`."""
    x̄ = ȳ * y
    return x̄.addcmul_(y, x̄.sum(dim=dim, keepdim=True), value=-1)


def log_softmax_along(x: Array, dim: int) -> Array:
    """x − ln Σ eˣ along the axis `dim`, in x's own dtype."""
    y = x - _largest(x, dim)
    return y.sub_(y.exp().sum(dim=dim, keepdim=True).log_())


def log_softmax_cotangent(ȳ: Array, y: Array, dim: int) -> Array:
    """x̄ = ȳ − eʸ Σ ȳ for y = log_softmax(x); see `log_softmax`."""
    probabilities = y.exp()
    return torch.addcmul(ȳ, probabilities, ȳ.sum(dim=dim, keepdim=True), value=-1, out=probabilities)


@primitive
def softmax(x: Array, dim: int) -> tuple[Array, Pullback]:
    """yᵢ = e^xᵢ / Σⱼ e^xⱼ along the axis `dim`: positive numbers that sum to 1.

    A small change dx changes the numerator of yᵢ by the factor 1 + dxᵢ, and the denominator by 1 + Σⱼ yⱼ dxⱼ:

        dyᵢ = yᵢ (dxᵢ − Σⱼ yⱼ dxⱼ).

    Seen as a matrix that takes dx to dy this is diag(y) − y yᵀ, which is symmetric, so the pullback is the same formula
    with the cotangent in the place of dx: x̄ᵢ = yᵢ (ȳᵢ − Σⱼ yⱼ ȳⱼ). Adding the same number to all ȳ changes nothing.

    Where every x along the axis is −∞, or one is +∞, the result is NaN, as in torch.

    >>> softmax(torch.tensor([1000.0, 1000.0, -1000.0]), 0)
    tensor([0.5000, 0.5000, 0.0000])

    Raises:
        ValueError: x has no axis `dim`.
    """
    dim, dtype = axis("softmax", "dim", dim, x.ndim), x.dtype
    y = softmax_along(wide(x), dim).to(dtype)

    def softmax_pullback(ȳ: Array):
        return softmax_cotangent(wide(ȳ), wide(y), dim).to(dtype), None

    return y, softmax_pullback


@primitive
def log_softmax(x: Array, dim: int) -> tuple[Array, Pullback]:
    """yᵢ = xᵢ − ln Σⱼ e^xⱼ along the axis `dim`: the logarithm of softmax, finite where softmax itself rounds to 0.

    The sum's logarithm changes by Σⱼ pⱼ dxⱼ with p = softmax(x) = eʸ, so

        dyᵢ = dxᵢ − Σⱼ pⱼ dxⱼ,   x̄ⱼ = ȳⱼ − pⱼ Σᵢ ȳᵢ.

    Where every x along the axis is −∞, or one is +∞, the result is NaN, as in torch.

    >>> log_softmax(torch.tensor([1000.0, -1000.0]), dim=0)
    tensor([    0., -2000.])

    Raises:
        ValueError: x has no axis `dim`.
    """
    dim, dtype = axis("log_softmax", "dim", dim, x.ndim), x.dtype
    y = log_softmax_along(wide(x), dim).to(dtype)

    def log_softmax_pullback(ȳ: Array):
        return log_softmax_cotangent(wide(ȳ), wide(y), dim).to(dtype), None

    return y, log_softmax_pullback


@primitive
def logsumexp(x: Array, *, dim: int | tuple[int, ...], keepdim: bool = False) -> tuple[Array, Pullback]:
    """y = ln Σ eˣ over the axes `dim`, a smooth maximum; dy = Σ p dx with p = softmax(x) = eˣ⁻ʸ, so x̄ = ȳ p.

    Of nothing but −∞ the value is −∞, as it is of nothing at all, and with +∞ among them it is +∞; the derivative is
    NaN there, as in torch.

    >>> logsumexp(torch.tensor([[200.0, 200.0], [0.0, -torch.inf]]), dim=1)
    tensor([200.6931,   0.0000])

    Raises:
        ValueError: x has no axis `dim`.
    """
    dims = tuple(axis("logsumexp", "dim", d, x.ndim) for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    exact = wide(x)
    largest = _largest(exact, dims)
    largest = torch.where(largest.isinf(), 0, largest)  # ∞ − ∞ would be NaN
    y = (exact - largest).exp_().sum(dim=dims, keepdim=True).log_().add_(largest)

    def logsumexp_pullback(ȳ: Array):
        return (wide(x) - y).exp_().mul_(ȳ.reshape(y.shape)).to(x.dtype)

    return (y if keepdim else y.squeeze(dims)).to(x.dtype), logsumexp_pullback


class Softmax(Module):
    """eˣ / Σ eˣ along the axis `dim`; see `softmax`."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array | Tensor) -> Tensor:
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """x − ln Σ eˣ along the axis `dim`; see `log_softmax`."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array | Tensor) -> Tensor:
        return log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(Module):
    """e⁻ˣ / Σ e⁻ˣ along the axis `dim`: the softmax of −x."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array | Tensor) -> Array | Tensor:
        return softmax(-x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
