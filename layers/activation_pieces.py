"""Activations in pieces, each with its own formula: linear, constant, exponential. At a kink the derivative is the one
that torch takes.

A NaN stays NaN; what gradient it gets is not promised, and depends in torch on the dtype and the array's length.
"""

from __future__ import annotations

import torch

from ..core import Array, Module, Parameter, Pullback, Tensor, primitive
from ..core.ops.half import rounded_once, wide
from .windows import integer

#: SELU's α and scale, for which mean 0 and variance 1 stay from layer to layer.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@primitive
def elu(x: Array, *, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> tuple[Array, Pullback]:
    """y = s x where x > 0, else s α (eᵏˣ − 1), with s = `scale` and k = `input_scale`; x̄ = s ȳ, or s α k eᵏˣ ȳ, also at
    x = 0. Computed in float32 at least.

    Source: Clevert, Unterthiner & Hochreiter, *Fast and accurate deep network learning by exponential linear units*
    (2016).
    """
    z = wide(x)
    y = torch.where(z > 0, scale * z, scale * alpha * torch.expm1(input_scale * z))

    def elu_pullback(ȳ: Array):
        z = wide(x)
        below = scale * alpha * input_scale * torch.exp(input_scale * z)
        return torch.where(z > 0, scale, below).mul_(ȳ).to(x.dtype)

    return y.to(x.dtype), elu_pullback


def celu(x: Array | Tensor, alpha: float = 1.0) -> Array | Tensor:
    """x where x > 0, else α (e^(x/α) − 1), without a kink for any α: an `elu`.

    Source: Barron, *Continuously differentiable exponential linear units* (2017).
    """
    return elu(x, alpha=alpha, input_scale=1 / alpha)


def selu(x: Array | Tensor) -> Array | Tensor:
    """1.0507 · elu(x) with α = 1.6733: an `elu` that keeps mean 0 and variance 1 from layer to layer.

    Source: Klambauer et al., *Self-normalizing neural networks* (2017).
    """
    return elu(x, alpha=_SELU_ALPHA, scale=_SELU_SCALE)


@primitive
def hardtanh(x: Array, *, min_val: float = -1.0, max_val: float = 1.0) -> tuple[Array, Pullback]:
    """x held within [min_val, max_val]; x̄ = ȳ between them, and 0 elsewhere and at both edges.

    Raises:
        ValueError: max_val is below min_val.
    """
    _check_edges("hardtanh", min_val, max_val)
    y = x.clamp(min_val, max_val)

    def hardtanh_pullback(ȳ: Array):
        return torch.where((y > min_val) & (y < max_val), ȳ, 0)

    return y, hardtanh_pullback


def _check_edges(op: str, min_val: float, max_val: float) -> None:
    if max_val < min_val:
        raise ValueError(f"{op}: max_val (={max_val}) must not be below min_val (={min_val})")


@primitive
@rounded_once
def hardswish(x: Array) -> tuple[Array, Pullback]:
    """y = x · clamp(x + 3, 0, 6) / 6, a SiLU of straight pieces; x̄ = ȳ (x / 3 + ½) for −3 < x < 3, 0 below and ȳ above.

    Source: Howard et al., *Searching for MobileNetV3* (2019), §5.2.
    """
    y = (x + 3).clamp_(0, 6).mul_(x).div_(6)

    def hardswish_pullback(ȳ: Array):
        slope = torch.where(x < 3, x / 3 + 0.5, 1)
        return torch.where(x > -3, slope.mul_(ȳ), 0)

    return y, hardswish_pullback


@primitive
def prelu(x: Array, weight: Array) -> tuple[Array, Pullback]:
    """x where x > 0, else a x with the slope a = `weight`: one for all (1,), or one for each channel (C,), axis 1.

    x̄ = ȳ, or a ȳ; ā = Σ ȳ x over the x ≤ 0 of its channel.

    Source: He et al., *Delving deep into rectifiers* (2015), eq. 1.

    Raises:
        ValueError: weight is neither (1,) nor (C,).
    """
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.shape not in ((1,), (channels,)):
        raise ValueError(f"prelu: weight of shape {tuple(weight.shape)} must be (1,) or ({channels},)")
    dims = tuple(d for d in range(x.ndim) if d != 1 or len(weight) == 1)
    a = weight.reshape([-1 if d == 1 else 1 for d in range(x.ndim)])
    y = torch.where(x > 0, x, a * x)

    def prelu_pullback(ȳ: Array):
        return (
            lambda: torch.where(x > 0, ȳ, a * ȳ),
            lambda: wide(torch.where(x > 0, 0, ȳ * x)).sum(dim=dims).reshape(weight.shape).to(x.dtype),
        )

    return y, prelu_pullback


class ELU(Module):
    """x where x > 0, else ``alpha · (eˣ − 1)``; see `elu`."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Array | Tensor) -> Array | Tensor:
        return elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class CELU(ELU):
    """x where x > 0, else ``alpha · (e^(x / alpha) − 1)``; see `celu`."""

    def forward(self, x: Array | Tensor) -> Array | Tensor:
        return celu(x, self.alpha)


class SELU(Module):
    """An ELU that keeps mean 0 and variance 1; see `selu`."""

    def forward(self, x: Array | Tensor) -> Array | Tensor:
        return selu(x)


class Hardtanh(Module):
    """x held within [min_val, max_val]; see `hardtanh`.

    Raises:
        ValueError: max_val is below min_val.
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        _check_edges(type(self).__name__, min_val, max_val)
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Array | Tensor) -> Tensor:
        return hardtanh(x, min_val=self.min_val, max_val=self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    """x held within [0, 6]."""

    def __init__(self) -> None:
        super().__init__(0.0, 6.0)


class Hardswish(Module):
    """x · clamp(x + 3, 0, 6) / 6; see `hardswish`."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return hardswish(x)


class PReLU(Module):
    """x where x > 0, else a x with trained slopes a, `weight` (num_parameters,); see `prelu`.

    Args:
        num_parameters: 1, a slope for all, or the number of channels.
        init: what the slopes start from.

    Raises:
        ValueError: num_parameters isn't a whole number above 0.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters = integer("PReLU", "num_parameters", num_parameters)
        self.weight = Parameter(torch.full((num_parameters,), float(init)))

    def forward(self, x: Array | Tensor) -> Tensor:
        return prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
