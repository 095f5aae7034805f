"""The loss of a classifier: how improbable it finds what the target says, −Σ q ln p.

Sources: Goodfellow, Bengio & Courville, *Deep Learning* (2016), §6.2.2; Szegedy et al., *Rethinking the Inception
architecture for computer vision* (2016), §7, for label smoothing.
"""

from __future__ import annotations

import torch

from ..core import Array, Constant, Pullback, Tensor, primitive
from ..core.ops.half import wide
from .loss import Loss, array, buffer, check_reduction, reduced
from .softmax import log_softmax_along


@primitive
def cross_entropy(
    input: Array,
    target: Array,
    weight: Constant | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Array, Pullback]:
    """−Σ_c q_c ln p_c, where p is the softmax of the logits `input` and q what the target says of each class c.

    By log-softmax's rule d ln p_c = dx_c − Σ_k p_k dx_k, so

        dℓ = −Σ_c q_c dx_c + Σ_c q_c · Σ_k p_k dx_k,   x̄_c = ȳ (p_c Σ_k q_k − q_c):

    where the target is a class, of weight 1, simply ȳ (p − 1) at that class and ȳ p at the others. If the target is
    probabilities, t̄_c = −ȳ w_c (1 − ε) ln p_c, because q_c = w_c ((1 − ε) t_c + ε / C). (0 · ln 0 counts as 0.)

    Args:
        input: logits (N, C, …), or (C,) of a single point.
        target: the class of each point, integers (N, …); or t, a probability of each class, of the input's shape.
        weight: w (C,), of each class; a constant.
        ignore_index: points of this class don't count.
        reduction: "mean" divides by the number of points; if targets are classes, by the sum of their weights.
        label_smoothing: ε.

    >>> cross_entropy(torch.tensor([[2.0, 2.0], [-1000.0, 1000.0]]), torch.tensor([0, 1]), reduction="none")
    tensor([0.6931, 0.0000])

    Raises:
        ValueError: shapes don't fit, there is no such reduction, or label_smoothing is outside [0, 1].
        IndexError: a target is no class (on a CPU; to ask a GPU is to wait for it, and torch stops there itself).
    """
    check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing (={label_smoothing}) must be in [0, 1]")
    axis, dtype, ε = _class_axis("cross_entropy", input, weight), input.dtype, label_smoothing
    log_p, classes = log_softmax_along(wide(input), axis), input.shape[axis]
    w = 1.0 if weight is None else wide(weight).reshape(-1, *[1] * (input.ndim - axis - 1))
    number: Array | float
    if target.is_floating_point() and target.shape == input.shape:
        places, number = None, input.numel() / classes
        q = w * ((1 - ε) * wide(target) + ε / classes)
    else:  # q is 0 but for one class of each point, so only that one is kept, and its place
        places, counts = _places("cross_entropy", input, target, ignore_index)
        q = counts if weight is None else counts * wide(weight)[places]
        number = q.sum()
        if ε > 0:
            one_hot = torch.zeros_like(log_p).scatter_(axis, places, counts)
            places, q = None, w * ((1 - ε) * one_hot + counts * ε / classes)
    y, to_each = reduced(_expected(log_p, q, places, axis), reduction, number)

    def cross_entropy_pullback(ȳ: Array):
        ℓ̄ = _at_points(to_each(ȳ), q, axis)

        def x̄() -> Array:
            p = log_p.exp().mul_(q.sum(dim=axis, keepdim=True) * ℓ̄)
            return (p.sub_(q * ℓ̄) if places is None else p.scatter_add_(axis, places, -q * ℓ̄)).to(dtype)

        return x̄, lambda: (-(1 - ε) * w * log_p * ℓ̄).to(dtype), None

    return y.to(dtype), cross_entropy_pullback


@primitive
def nll_loss(
    input: Array, target: Array, weight: Constant | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    """−w_t · input_t, where t is a point's class and `input` its log-probabilities: the negative log-likelihood.

    The cotangent is −w_t ȳ at a point's class and 0 elsewhere. Arguments and errors are those of `cross_entropy`, but
    a target is a class.
    """
    check_reduction("nll_loss", reduction)
    axis, dtype = _class_axis("nll_loss", input, weight), input.dtype
    places, counts = _places("nll_loss", input, target, ignore_index)
    q = counts if weight is None else counts * wide(weight)[places]
    y, to_each = reduced(_expected(wide(input), q, places, axis), reduction, q.sum())

    def nll_loss_pullback(ȳ: Array):
        at_class = -q * _at_points(to_each(ȳ), q, axis)
        return at_class.new_zeros(input.shape).scatter_(axis, places, at_class).to(dtype), None, None

    return y.to(dtype), nll_loss_pullback


def _class_axis(op: str, input: Array, weight: Array | None) -> int:
    """Where the classes are: axis 1 of (N, C, …), axis 0 of (C,). Checks that their weights are (C,)."""
    if input.ndim < 1:
        raise ValueError(f"{op}: input of shape () must be (N, C, …) or (C,)")
    axis = min(1, input.ndim - 1)
    if weight is not None and weight.shape != input.shape[axis : axis + 1]:
        raise ValueError(f"{op}: weight of shape {tuple(weight.shape)} must be ({input.shape[axis]},)")
    return axis


def _places(op: str, input: Array, target: Array, ignore_index: int) -> tuple[Array, Array]:
    """The class of each point, and 1 if the point counts; 0, and class 0, if it is ignored. Both are (N, 1, …)."""
    axis = min(1, input.ndim - 1)
    points, classes = input.shape[:axis] + input.shape[axis + 1 :], input.shape[axis]
    if target.shape != points or target.is_floating_point() or target.dtype == torch.bool:
        raise ValueError(
            f"{op}: target of shape {tuple(target.shape)} and {target.dtype} must be classes, "
            f"integers of shape {tuple(points)}, for an input of shape {tuple(input.shape)}"
        )
    counts = target != ignore_index
    strange = counts & ((target < 0) | (target >= classes))
    if target.device.type == "cpu" and strange.any():
        raise IndexError(
            f"{op}: target (={target[strange][0].item()}) must be in [0, {classes}), or ignore_index (={ignore_index})"
        )
    places = torch.where(counts, target, 0).long()
    return places.unsqueeze(axis), wide(counts.to(input.dtype)).unsqueeze(axis)


def _expected(log_p: Array, q: Array, places: Array | None, axis: int) -> Array:
    """−Σ q ln p over the classes; q is of all classes, or of the one class that `places` says. A class that can't be
    and isn't (q = 0) adds 0, though its ln p is −∞."""
    chosen = log_p if places is None else log_p.gather(axis, places)
    return torch.where(q == 0, 0, -q * chosen).sum(dim=axis)


def _at_points(ℓ̄: Array, q: Array, axis: int) -> Array:
    """The cotangent of each point's loss, to broadcast against the classes; 0 where a point counts for nothing, though
    all points together may do so, and their mean be 0 / 0."""
    return torch.where((q == 0).all(dim=axis, keepdim=True), 0, ℓ̄.unsqueeze(axis) if ℓ̄.ndim else ℓ̄)


class CrossEntropyLoss(Loss):
    """Softmax and its cross entropy with the targets; see `cross_entropy`.

    Args:
        weight: (C,), of each class; a buffer, which moves with the module.
        ignore_index: points of this class don't count.
        reduction: "none", "mean" or "sum".
        label_smoothing: ε.

    Raises:
        ValueError: there is no such reduction.
    """

    def __init__(
        self,
        weight: Array | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction=reduction)
        self.weight = buffer(weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Array | Tensor, target: Array | Tensor) -> Tensor:
        return cross_entropy(
            input,
            target,
            array(self.weight),
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(Loss):
    """The negative log-likelihood of the targets, from log-probabilities; see `nll_loss`.

    Arguments and errors are those of `CrossEntropyLoss`, but for label_smoothing.
    """

    def __init__(self, weight: Array | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.weight = buffer(weight)
        self.ignore_index = ignore_index

    def forward(self, input: Array | Tensor, target: Array) -> Tensor:
        return nll_loss(input, target, array(self.weight), ignore_index=self.ignore_index, reduction=self.reduction)
