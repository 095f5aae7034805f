"""Smooth activations beside those of `activation.py`: made of ln(1 + eˣ), or of a quotient. Computed in float32 at
least."""

from __future__ import annotations

import torch

from ..core import Array, Module, Pullback, Tensor, primitive
from ..core.ops.half import wide


@primitive
def logsigmoid(x: Array) -> tuple[Array, Pullback]:
    """ln σ(x) = min(x, 0) − ln(1 + e^−|x|), which never overflows; d ln σ(x) = (1 − σ(x)) dx = σ(−x) dx."""
    z = wide(x)
    y = z.clamp_max(0) - torch.log1p((-z.abs()).exp_())

    def logsigmoid_pullback(ȳ: Array):
        return (-wide(x)).sigmoid_().mul_(ȳ).to(x.dtype)

    return y.to(x.dtype), logsigmoid_pullback


@primitive
def softsign(x: Array) -> tuple[Array, Pullback]:
    """y = x / (1 + |x|), which lies within ±1; x̄ = ȳ / (1 + |x|)².

    At ±∞ the value is NaN, as in torch; x̄ is promised only where torch's gradient is no NaN.
    """

    def softsign_pullback(ȳ: Array):
        return (ȳ / (1 + wide(x).abs()).square_()).to(x.dtype)

    return (wide(x) / (1 + wide(x).abs())).to(x.dtype), softsign_pullback


@primitive
def mish(x: Array) -> tuple[Array, Pullback]:
    """y = x t with t = tanh(ln(1 + eˣ)); as d ln(1 + eˣ) = σ(x) dx, dy = (t + x (1 − t²) σ(x)) dx.

    Source: Misra, *Mish: a self regularized non-monotonic activation function* (2019).
    """

    def gate(z: Array) -> Array:
        return torch.logaddexp(z, z.new_zeros(())).tanh_()

    def mish_pullback(ȳ: Array):
        z = wide(x)
        t = gate(z)
        return (t + z * (1 - t * t) * torch.sigmoid(z)).mul_(ȳ).to(x.dtype)

    return (wide(x) * gate(wide(x))).to(x.dtype), mish_pullback


class LogSigmoid(Module):
    """ln σ(x); see `logsigmoid`."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return logsigmoid(x)


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return softsign(x)


class Mish(Module):
    """x · tanh(ln(1 + eˣ)); see `mish`."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return mish(x)
