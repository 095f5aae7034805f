"""Losses: how far a prediction is from its target, as one number that training makes smaller.

There is a loss for every number or every point, and a reduction: "none" keeps them all, "sum" adds them, "mean" divides
the sum by their number. So a pullback has two steps: each loss receives ȳ, or ȳ divided by the number, and passes its
share on. Half precision is computed in float32.

The loss of classes has a file of its own, `cross_entropy.py`.

Source: Goodfellow, Bengio & Courville, *Deep Learning* (2016), §5.5 and §6.2.2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import Array, Buffer, Constant, Module, Pullback, Tensor, primitive
from ..core.ops.half import wide
from .windows import broadcasts


def check_reduction(op: str, reduction: str) -> None:
    """Raise ValueError if there is no such reduction."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{op}: reduction (={reduction!r}) must be 'none', 'mean' or 'sum'")


def check_shapes(op: str, reduction: str, input: Array, target: Array) -> None:
    """Raise ValueError if there is no such reduction, or input and target differ in shape."""
    check_reduction(op, reduction)
    if target.shape != input.shape:
        raise ValueError(f"{op}: target of shape {tuple(target.shape)} must be {tuple(input.shape)}, as input")


def reduced(
    losses: Array, reduction: str, count: Array | float | None = None
) -> tuple[Array, Callable[[Array], Array]]:
    """The losses, their sum, or that divided by `count` (how many there are, unless given); and what takes the
    cotangent of this to that of every loss, one number for all or one for each."""
    if reduction == "none":
        return losses, wide
    total = losses.sum()
    if reduction == "sum":
        return total, wide
    number = losses.numel() if count is None else count
    return total / number, lambda ȳ: wide(ȳ) / number


@primitive
def mse_loss(input: Array, target: Array, *, reduction: str = "mean") -> tuple[Array, Pullback]:
    """d² with d = input − target, of arrays of one shape; the input's cotangent is 2 d ȳ, the target's −2 d ȳ.

    >>> mse_loss(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 2.0]))
    tensor(2.)

    Raises:
        ValueError: shapes differ (torch would repeat the smaller array), or there is no such reduction.
    """
    check_shapes("mse_loss", reduction, input, target)
    d, dtype = wide(input) - wide(target), input.dtype
    y, to_each = reduced(d.square(), reduction)

    def mse_loss_pullback(ȳ: Array):
        ℓ̄ = to_each(ȳ)
        return lambda: (2 * ℓ̄ * d).to(dtype), lambda: (-2 * ℓ̄ * d).to(dtype)

    return y.to(dtype), mse_loss_pullback


@primitive
def l1_loss(input: Array, target: Array, *, reduction: str = "mean") -> tuple[Array, Pullback]:
    """|d| with d = input − target, of arrays of one shape; the input's cotangent is ȳ sign d, the target's −ȳ sign d.

    At the kink d = 0 the derivative is taken as 0, as in torch.

    >>> l1_loss(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 2.0]))
    tensor(1.)

    Raises:
        ValueError: shapes differ (torch would repeat the smaller array), or there is no such reduction.
    """
    check_shapes("l1_loss", reduction, input, target)
    d, dtype = wide(input) - wide(target), input.dtype
    y, to_each = reduced(d.abs(), reduction)

    def l1_loss_pullback(ȳ: Array):
        ℓ̄ = to_each(ȳ)
        return lambda: (ℓ̄ * d.sign()).to(dtype), lambda: (-ℓ̄ * d.sign()).to(dtype)

    return y.to(dtype), l1_loss_pullback


@primitive
def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Constant | None = None,
    pos_weight: Constant | None = None,
    *,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    """w (−v t ln σ(x) − (1 − t) ln(1 − σ(x))) for logits x = input and targets t in [0, 1], of one shape.

    With −ln σ(x) = ln(1 + e⁻ˣ) = s and −ln(1 − σ(x)) = x + s this is

        ℓ = w ((1 − t) x + (1 + (v − 1) t) s),   dℓ/dx = w ((1 − t) − (1 + (v − 1) t) σ(−x)),

    which for v = 1 is w (σ(x) − t); and dℓ/dt = w ((v − 1) s − x). s = max(−x, 0) + ln(1 + e^−|x|) never overflows.
    With v given and an infinite x, dℓ/dt may be NaN (∞ − ∞) where torch's is infinite.

    Args:
        input, target: any shape.
        weight, pos_weight: w and v, both 1 unless given; of a shape that broadcasts to the input's. They are constants.
        reduction: "mean" divides by the number of elements, whatever their weights.

    >>> binary_cross_entropy_with_logits(torch.tensor([200.0, 0.0]), torch.tensor([0.0, 1.0]), reduction="none")
    tensor([200.0000,   0.6931])

    Raises:
        ValueError: shapes don't fit, or there is no such reduction.
    """
    op = "binary_cross_entropy_with_logits"
    check_shapes(op, reduction, input, target)
    for name, array in (("weight", weight), ("pos_weight", pos_weight)):
        if array is not None and not broadcasts(array.shape, input.shape):
            raise ValueError(f"{op}: {name} of shape {tuple(array.shape)} doesn't broadcast to {tuple(input.shape)}")
    x, t, dtype = wide(input), wide(target), input.dtype
    w = 1.0 if weight is None else wide(weight)
    v = 1.0 if pos_weight is None else wide(pos_weight)
    s = (-x).clamp_min_(0) + torch.log1p((-x.abs()).exp_())
    gain = 1.0 if pos_weight is None else 1 + (v - 1) * t
    y, to_each = reduced(w * ((1 - t) * x + gain * s), reduction)

    def binary_cross_entropy_with_logits_pullback(ȳ: Array):
        ℓ̄ = to_each(ȳ) * w
        return (
            lambda: (ℓ̄ * ((1 - t) - gain * torch.sigmoid(-x))).to(dtype),
            lambda: (ℓ̄ * (-x if pos_weight is None else (v - 1) * s - x)).to(dtype),
            None,
            None,
        )

    return y.to(dtype), binary_cross_entropy_with_logits_pullback


@primitive
def binary_cross_entropy(
    input: Array, target: Array, weight: Constant | None = None, *, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    """w (−t ln p − (1 − t) ln(1 − p)) for probabilities p = input and targets t in [0, 1], of one shape.

    dℓ/dp = w (p − t) / (p (1 − p)) and dℓ/dt = w (ln(1 − p) − ln p). As in torch, no logarithm counts as less than −100
    and p (1 − p) as no less than 10⁻¹², so p = 0 and p = 1 give numbers. From logits,
    `binary_cross_entropy_with_logits` is exact.

    >>> binary_cross_entropy(torch.tensor([0.5, 0.0]), torch.tensor([1.0, 1.0]), reduction="none")
    tensor([  0.6931, 100.0000])

    Raises:
        ValueError: shapes don't fit, or there is no such reduction; on a CPU, an input isn't in [0, 1].
    """
    op = "binary_cross_entropy"
    check_shapes(op, reduction, input, target)
    if weight is not None and not broadcasts(weight.shape, input.shape):
        raise ValueError(f"{op}: weight of shape {tuple(weight.shape)} doesn't broadcast to {tuple(input.shape)}")
    if not input.is_cuda and input.numel() and not 0 <= input.min() <= input.max() <= 1:
        raise ValueError(f"{op}: input must be in [0, 1]; binary_cross_entropy_with_logits takes logits")
    p, t, dtype = wide(input), wide(target), input.dtype
    w = 1.0 if weight is None else wide(weight)
    ln_p, ln_q = p.log().clamp_min_(-100), (-p).log1p_().clamp_min_(-100)
    y, to_each = reduced(w * ((t - 1) * ln_q - t * ln_p), reduction)

    def binary_cross_entropy_pullback(ȳ: Array):
        ℓ̄ = to_each(ȳ) * w
        return (
            lambda: (ℓ̄ * (p - t) / (p * (1 - p)).clamp_min_(1e-12)).to(dtype),
            lambda: (ℓ̄ * (ln_q - ln_p)).to(dtype),
            None,
        )

    return y.to(dtype), binary_cross_entropy_pullback


class Loss(Module):
    """What all losses share: a reduction, "none", "mean" or "sum".

    Raises:
        ValueError: there is no such reduction.
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        check_reduction(type(self).__name__, reduction)
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class MSELoss(Loss):
    """The mean squared error between `input` and `target`; see `mse_loss`."""

    def forward(self, input: Array | Tensor, target: Array | Tensor) -> Tensor:
        return mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """The mean absolute error between `input` and `target`, whose derivative at 0 is 0; see `l1_loss`."""

    def forward(self, input: Array | Tensor, target: Array | Tensor) -> Tensor:
        return l1_loss(input, target, reduction=self.reduction)


class BCELoss(Loss):
    """The cross entropy of yes-or-no questions, from probabilities; see `binary_cross_entropy`."""

    def __init__(self, weight: Array | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.weight = buffer(weight)

    def forward(self, input: Array | Tensor, target: Array | Tensor) -> Tensor:
        return binary_cross_entropy(input, target, array(self.weight), reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """The cross entropy of yes-or-no questions, from logits; see `binary_cross_entropy_with_logits`.

    `weight` and `pos_weight` are buffers, and move with the module.
    """

    def __init__(
        self, weight: Array | None = None, *, pos_weight: Array | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.weight = buffer(weight)
        self.pos_weight = buffer(pos_weight)

    def forward(self, input: Array | Tensor, target: Array | Tensor) -> Tensor:
        weight, pos_weight = array(self.weight), array(self.pos_weight)
        return binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction=self.reduction)


def buffer(constant: Array | None) -> Buffer | None:
    """A constant that belongs to a loss's state, or none."""
    return None if constant is None else Buffer(constant)


def array(constant: Buffer | None) -> Array | None:
    """What a buffer holds, if there is one."""
    return None if constant is None else constant.data
