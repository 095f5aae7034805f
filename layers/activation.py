"""Activations: elementwise non-linearities, each with its derivative, and the gated linear unit."""

from __future__ import annotations

import math

import torch

from ..core import Array, Module, Pullback, Tensor, primitive
from ..core.ops.half import rounded_once, wide
from ..core.ops.masking import where_not_zero
from .windows import axis

#: GELU's approximation by tanh: √(2/π), and the weight of x³.
_SLOPE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def indicator(x: Array) -> Array:
    """1 where x > 0, else 0, in x's own dtype, with which torch multiplies several times faster than with booleans."""
    return torch.gt(x, 0, out=torch.empty_like(x))


@primitive
def relu(x: Array) -> tuple[Array, Pullback]:
    """max(x, 0); x̄ = ȳ where x > 0. At the kink x = 0 the derivative is taken as 0, as in torch.

    NaN stays NaN and passes ȳ on, as in torch.
    """
    y = torch.threshold(x, 0, 0)  # makes +0 of −0, which a clamp doesn't

    def relu_pullback(ȳ: Array):
        return where_not_zero(ȳ, y)

    return y, relu_pullback


@primitive
@rounded_once
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> tuple[Array, Pullback]:
    """x where x > 0, else a·x with a = `negative_slope`; x̄ = ȳ or a·ȳ. At x = 0 the slope is a, as in torch.

    Source: Maas, Hannun & Ng, *Rectifier nonlinearities improve neural network acoustic models* (2013).
    """
    y = x * negative_slope
    y = torch.maximum(x, y, out=y) if negative_slope <= 1 else torch.minimum(x, y, out=y)
    kept = y if negative_slope >= 0 else x  # y has the sign of x then, and the next layer keeps it anyway
    slope, one = x.new_full((), negative_slope), x.new_ones(())

    def leaky_relu_pullback(ȳ: Array):
        return torch.lerp(slope, one, indicator(kept)).mul_(ȳ)

    return y, leaky_relu_pullback


@primitive
def sigmoid(x: Array) -> tuple[Array, Pullback]:
    """σ(x) = 1 / (1 + e⁻ˣ); dσ = σ(1 − σ)."""
    y = torch.sigmoid(x)

    def sigmoid_pullback(ȳ: Array):
        return torch.addcmul(y, y, y, value=-1).mul_(ȳ)

    return y, sigmoid_pullback


@primitive
def tanh(x: Array) -> tuple[Array, Pullback]:
    """tanh x; d tanh = 1 − tanh²."""
    y, one = torch.tanh(x), x.new_ones(())

    def tanh_pullback(ȳ: Array):
        return torch.addcmul(one, y, y, value=-1).mul_(ȳ)

    return y, tanh_pullback


@primitive
@rounded_once
def silu(x: Array) -> tuple[Array, Pullback]:
    """y = x · σ(x), also called swish. Its derivative σ (1 + x (1 − σ)) is y + σ (1 − y), so the pullback keeps y,
    which the next layer keeps anyway, and not x.

    Source: Elfwing, Uchibe & Doya, *Sigmoid-weighted linear units* (2018).
    """
    σ = torch.sigmoid(x)
    y, one = x * σ, x.new_ones(())

    def silu_pullback(ȳ: Array):
        return torch.lerp(y, one, σ).mul_(ȳ)

    return y, silu_pullback


@primitive
def gelu(x: Array, *, approximate: str = "none") -> tuple[Array, Pullback]:
    """y = x · Φ(x), where Φ is the normal distribution function ½ (1 + erf(x / √2)): dy = (Φ(x) + x φ(x)) dx with its
    density φ(x) = Φ′(x) = e^(−x²/2) / √(2π).

    ``approximate="tanh"`` takes Φ(x) = ½ (1 + tanh u) with u = √(2/π) (x + 0.044715 x³), of which the density is
    Φ′(x) = ½ (1 − tanh² u) u′ = 2 Φ (1 − Φ) u′ with u′ = √(2/π) (1 + 0.134145 x²). Computed in float32 at least.
    At ∞ y is ∞, where torch's is NaN.

    Source: Hendrycks & Gimpel, *Gaussian error linear units* (2016).

    Raises:
        ValueError: there is no such approximation.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate (={approximate!r}) must be 'none' or 'tanh'")
    exact, z = approximate == "none", wide(x)
    Φ = ((z * math.sqrt(0.5)).erf_() if exact else ((z + _CUBIC * z**3) * _SLOPE).tanh_()).add_(1).mul_(0.5)

    def gelu_pullback(ȳ: Array):
        z = wide(x)
        if exact:
            zφ = z.square().mul_(-0.5).exp_().mul_(z).mul_(1 / math.sqrt(2 * math.pi))
        else:
            zφ = z.square().mul_(3 * _CUBIC).add_(1).mul_(2 * _SLOPE).mul_(z).mul_(Φ).mul_(1 - Φ)
        return zφ.add_(Φ).mul_(ȳ).to(x.dtype)

    return (z * Φ).to(x.dtype), gelu_pullback


@primitive
@rounded_once
def glu(x: Array, *, dim: int = -1) -> tuple[Array, Pullback]:
    """y = a · σ(g) for x = (a, g), the two halves along the axis `dim`: ā = ȳ σ(g), ḡ = ȳ y (1 − σ(g)).

    With an infinite a, ḡ is NaN (∞ − ∞) where torch's may be infinite.

    Source: Dauphin et al., *Language modeling with gated convolutional networks* (2017), eq. 1.

    Raises:
        ValueError: x has no axis `dim`, or its length is odd.
    """
    dim = axis("glu", "dim", dim, x.ndim)
    if not x.ndim or x.shape[dim] % 2:
        raise ValueError(f"glu: input of shape {tuple(x.shape)} must have an even length along dim (={dim})")
    a, g = x.chunk(2, dim=dim)
    σ = g.clone().sigmoid_()  # torch's sigmoid of a slice takes twice as long as of a contiguous array
    y, like_x = a * σ, torch.empty_like(x, device="meta")  # its shape and layout without its memory

    def glu_pullback(ȳ: Array):
        x̄ = torch.empty_like(like_x, device=ȳ.device)
        ā, ḡ = x̄.chunk(2, dim=dim)
        torch.mul(ȳ, σ, out=ā)
        torch.addcmul(y, y, σ, value=-1, out=ḡ).mul_(ȳ)
        return x̄

    return y, glu_pullback


class ReLU(Module):
    """max(x, 0); at the kink see `relu`."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return relu(x)


class LeakyReLU(Module):
    """x where x > 0, else ``negative_slope · x``; at the kink see `leaky_relu`."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Array | Tensor) -> Tensor:
        return leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class SiLU(Module):
    """x · σ(x)."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return silu(x)


class GELU(Module):
    """x · Φ(x), or its approximation by tanh; see `gelu`."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Array | Tensor) -> Tensor:
        return gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """a · σ(g), where a and g are the two halves of x along the axis `dim`; see `glu`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Array | Tensor) -> Tensor:
        return glu(x, dim=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return sigmoid(x)


class Tanh(Module):
    """tanh x."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return tanh(x)
