"""Wrong rules: the mistakes that only one exercise can make, with what is said of each.

A variant computes what the mistake would; see `rules.check_rule`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from ....core import Array, Pullback
from .rules import Rule

Ruled = tuple[Array, Pullback]


def no_pullback(ȳ: Array) -> None:
    """The pullback of a mistake in the value, whose gradients say nothing."""


# Addition


def _over_copies(reduce: str, only_new: bool = False, only_repeated: bool = False) -> Rule:
    def shrink(g: Array, shape: torch.Size) -> Array:
        new = g.ndim - len(shape)
        repeated = [new + i for i, n in enumerate(shape) if n == 1]
        axes = ([] if only_repeated else [*range(new)]) + ([] if only_new else repeated)
        return getattr(g, reduce)(axes).reshape(shape) if axes else g

    return lambda a, b: (a + b, lambda ȳ: (shrink(ȳ, a.shape), shrink(ȳ, b.shape)))


ADD: Mapping[str, Rule] = {
    "averaged over the copies: each copy of an entry counts fully, so a sum is due where you take a mean": _over_copies(
        "mean"
    ),
    "the largest of the copies' gradients is taken where their sum is due": _over_copies("amax"),
}

# The linear layer

LINEAR: Mapping[str, Rule] = {
    "untransposed: x @ w, where row o of w belongs to output o: w is transposed in the value": (
        lambda x, w, b: (x @ w + b, no_pullback)
    ),
    "transposed once too often: x̄ is ȳ w, since the value had wᵀ": (
        lambda x, w, b: (x @ w.mT + b, lambda ȳ: (ȳ @ w.mT, ȳ.mT @ x, ȳ.sum(0)))
    ),
    "w̄ is untransposed: xᵀ ȳ is (I, O), and w is (O, I)": (
        lambda x, w, b: (x @ w.mT + b, lambda ȳ: (ȳ @ w, x.mT @ ȳ, ȳ.sum(0)))
    ),
    "b̄ is averaged over the points, where a sum is due: b is added to every point": (
        lambda x, w, b: (x @ w.mT + b, lambda ȳ: (ȳ @ w, ȳ.mT @ x, ȳ.mean(0)))
    ),
    "the bias is forgotten": lambda x, w, b: (x @ w.mT, lambda ȳ: (ȳ @ w, ȳ.mT @ x, ȳ.sum(0))),
}

# Activations


def _tanh_gelu(x: Array) -> Ruled:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), no_pullback


def _gelu(slope: str) -> Rule:
    def rule(x: Array) -> Ruled:
        gate = (1 + torch.erf(x / math.sqrt(2))) / 2
        density = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        slopes = {
            "constant": gate,
            "gate only": x * density,
            "without x": gate + density,
            "without root": gate + x * torch.exp(-x * x / 2),
            "cotangent": (gate + x * density) + 0 * x,
        }
        return x * gate, lambda ȳ: slopes[slope] * (1 if slope == "cotangent" else ȳ)

    return rule


GELU: Mapping[str, Rule] = {
    "this is tanh's approximation of GELU; the exact one, with erf, is asked for": _tanh_gelu,
    "the gate Φ(x) is treated as a constant: by the product rule there is a second term, x φ(x)": _gelu("constant"),
    "only the gate's own derivative x φ(x) is there: the product rule's first term, Φ(x), is missing": _gelu(
        "gate only"
    ),
    "the factor x of the second term is missing: (x Φ)′ = Φ + x φ": _gelu("without x"),
    "the density's factor 1/√(2π) is missing": _gelu("without root"),
    "ȳ is forgotten: the derivative itself is returned": _gelu("cotangent"),
}

# Softmax and cross-entropy


def _softmax(dim: int | None, shifted: bool) -> Rule:
    def rule(x: Array) -> Ruled:
        e = (x - x.amax(-1, keepdim=True)).exp() if shifted else x.exp()
        return e / (e.sum() if dim is None else e.sum(dim, keepdim=True)), no_pullback

    return rule


def _backwards_over_axis_0(x: Array) -> Ruled:
    y = torch.softmax(x, -1)
    return y, lambda ȳ: y * (ȳ - (ȳ * y).sum(0, keepdim=True))


_WRONG_AXIS = "the sum runs over axis 0, the points: each row must sum to 1, so it runs over the last axis"
SOFTMAX: Mapping[str, Rule] = {
    _WRONG_AXIS: _softmax(0, shifted=True),
    _WRONG_AXIS + ", and so does the largest entry": _softmax(0, shifted=False),
    "the sum in the pullback runs over axis 0, the points, where the last axis is due": _backwards_over_axis_0,
    "the sum runs over all entries: each row must sum to 1, so it runs over the last axis": _softmax(
        None, shifted=True
    ),
    "the sum runs over all entries: each row must sum to 1, so it, and the largest entry, run over the last axis": (
        _softmax(None, shifted=False)
    ),
}


def _summed(x: Array, labels: Array) -> Ruled:
    return -torch.log_softmax(x, 1)[torch.arange(len(x)), labels].sum(), no_pullback


def _signed(x: Array, labels: Array) -> Ruled:
    return torch.log_softmax(x, 1)[torch.arange(len(x)), labels].mean(), no_pullback


CROSS_ENTROPY: Mapping[str, Rule] = {
    "1/N is missing in the value: a mean over the points is due, and this is their sum": _summed,
    "the sign is lost in the value: the loss is −ln p, above 0": _signed,
}
