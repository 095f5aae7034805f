"""Mistakes in batch, layer, group and RMS norm, which are recognised by their values.

y = γ x̂ + β with x̂ = (x − μ) / σ, σ² = var + ε. With g = γ ȳ, and means over the axes of the statistics,

    x̄ = (g − mean g − x̂ mean(g x̂)) / σ,   γ̄ = Σ ȳ x̂,   β̄ = Σ ȳ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import torch

from ...tape import Array
from .evidence import Evidence, Hypothesis, Point


@dataclass(frozen=True)
class Norm:
    """A normalisation of variable `x` over `axes`; `centred`: μ is subtracted (RMS norm doesn't).

    Attributes:
        weight, bias: the variables that are γ and β, with the shapes in which they are broadcast; None where there
            are none.
        eps: ε.
    """

    x: int
    axes: tuple[int, ...]
    centred: bool
    weight: tuple[int, tuple[int, ...]] | None
    bias: tuple[int, tuple[int, ...]] | None
    eps: float

    def gamma(self, xs: list[Array]) -> Array:
        return torch.ones_like(xs[self.x]) if self.weight is None else xs[self.weight[0]].reshape(self.weight[1])

    def beta(self, xs: list[Array]) -> Array:
        return torch.zeros_like(xs[self.x]) if self.bias is None else xs[self.bias[0]].reshape(self.bias[1])

    def mean(self, x: Array) -> Array:
        return x.mean(self.axes, keepdim=True)

    def centre(self, xs: list[Array]) -> Array:
        x = xs[self.x]
        return x - self.mean(x) if self.centred else x

    def sigma(self, xs: list[Array]) -> Array:
        return (self.mean(self.centre(xs).square()) + self.eps).sqrt()

    @property
    def count(self) -> str:
        return f"axis {self.axes[0]}" if len(self.axes) == 1 else f"axes {self.axes}"


def recognise(xs: list[Array], y: Array) -> Norm | None:
    """The normalisation that y is of one of the xs, if it is one."""
    for k, x in enumerate(xs):
        if x.shape != y.shape or x.ndim < 1:
            continue
        places = [None, *(found for j, other in enumerate(xs) if j != k for found in _broadcast(j, other, y))]
        for axes in (a for n in range(1, x.ndim + 1) for a in combinations(range(x.ndim), n)):
            for centred in (True, False):
                for weight in places:
                    for bias in places:
                        if weight is None or bias is None or weight[0] != bias[0]:
                            norm = Norm(k, axes, centred, weight, bias, 0.0)
                            eps = _eps(norm, xs, y)
                            if eps is not None:
                                return Norm(k, axes, centred, weight, bias, eps)
    return None


def recognise_at(points: list[tuple[list[Array], Array]]) -> Norm | None:
    """The normalisation that the value is at every point; ε is the same at all of them."""
    found = [recognise(xs, y) for xs, y in points]
    first = found[0]
    if first is None or any(n is None or replace(n, eps=first.eps) != first for n in found):
        return None
    return first if all(abs(n.eps - first.eps) < 1e-6 for n in found if n is not None) else None


def _broadcast(j: int, other: Array, y: Array) -> Iterator[tuple[int, tuple[int, ...]]]:
    """How a γ or β may lie in y: along the channels, or along the last axes."""
    if other.ndim == 1 and y.ndim > 1 and other.shape[0] == y.shape[1]:
        yield j, (1, -1, *[1] * (y.ndim - 2))
    if 0 < other.ndim <= y.ndim and tuple(other.shape) == tuple(y.shape[y.ndim - other.ndim :]):
        yield j, tuple(other.shape)


def _eps(norm: Norm, xs: list[Array], y: Array) -> float | None:
    """ε, if y = γ (x − μ) / √(var + ε) + β with the same ε everywhere."""
    numerator, rest = norm.gamma(xs) * norm.centre(xs), y - norm.beta(xs)
    clear = numerator.abs() > 1e-6 * numerator.abs().max()
    if not bool(clear.any()) or y.numel() < 2:
        return None
    ratio = torch.where(clear, rest / numerator, torch.nan)
    r = ratio.nanmean(norm.axes, keepdim=True)
    if not bool(((ratio - r).abs()[clear] <= 1e-7 * r.abs().expand_as(ratio)[clear]).all()):
        return None
    variance = norm.mean(norm.centre(xs).square())
    eps = (1 / r**2 - variance)[r.isfinite()]
    if not eps.numel():
        return None
    slack = 1e-7 * variance.max().item() + 1e-12
    value = eps.median().item()
    spread = (eps - value).abs().max().item()
    if eps.numel() == 1 and value > 0.01 * variance.max().item():
        return None  # with a single group any scale is a normalisation with some ε
    return max(value, 0.0) if spread <= slack and -slack <= value < 1 and bool((r > 0).any()) else None


def normalisation(e: Evidence) -> Iterator[str]:
    norm = recognise_at([(p.xs, p.y) for p in e.points])
    if norm is None:
        return
    if norm.x == e.k:
        yield from e.those(_of_input(norm, e))
    elif norm.weight is not None and norm.weight[0] == e.k:
        yield from e.those(_of_weight(norm))
    elif norm.bias is not None and norm.bias[0] == e.k:
        yield from e.those(_of_bias(norm))


def _of_input(n: Norm, e: Evidence) -> Iterator[tuple[str, Hypothesis]]:
    mean, γ, σ = n.mean, n.gamma, n.sigma

    def x̂(p: Point) -> Array:
        return n.centre(p.xs) / σ(p.xs)

    def total(x: Array) -> Array:
        return x.sum(n.axes, keepdim=True)

    def full(p: Point, g: Array, average=mean, direction=None) -> Array:
        along = x̂(p) if direction is None else direction
        return g - (average(g) if n.centred else 0) - along * average(g * along)

    over = f"over {n.count}"
    if n.centred:
        yield (
            f"the mean's term is missing, as if μ didn't depend on x: − mean(γ ȳ) {over}",
            lambda p, v: (γ(p.xs) * v - x̂(p) * mean(γ(p.xs) * v * x̂(p))) / σ(p.xs),
        )
        yield (
            f"the variance's term is missing, as if σ didn't depend on x: − x̂ mean(γ ȳ x̂) {over}",
            lambda p, v: (γ(p.xs) * v - mean(γ(p.xs) * v)) / σ(p.xs),
        )
    both = "the mean's and the variance's terms are" if n.centred else "the variance's term is"
    yield f"{both} missing, as if μ and σ were constants", lambda p, v: γ(p.xs) * v / σ(p.xs)
    yield "1/σ is missing: the gradient isn't divided by the standard deviation", lambda p, v: full(p, γ(p.xs) * v)
    yield "1/σ is applied twice", lambda p, v: full(p, γ(p.xs) * v) / σ(p.xs) ** 2
    yield "σ is multiplied where 1/σ is due", lambda p, v: full(p, γ(p.xs) * v) * σ(p.xs)
    if n.weight is not None:
        yield "γ is forgotten: the gradient is that of x̂, not of γ x̂ + β", lambda p, v: full(p, v) / σ(p.xs)
        yield (
            "γ is outside: it multiplies the result, but belongs to ȳ before the means are taken",
            lambda p, v: γ(p.xs) * full(p, v) / σ(p.xs),
        )
        yield "γ is divided by where it should multiply", lambda p, v: full(p, v / γ(p.xs)) / σ(p.xs)
        yield "γ enters twice", lambda p, v: full(p, γ(p.xs) ** 2 * v) / σ(p.xs)
        yield (
            "γ is forgotten in the means: mean ȳ and mean(ȳ x̂) where mean(γ ȳ) and mean(γ ȳ x̂) are due",
            lambda p, v: (γ(p.xs) * v - v + full(p, v)) / σ(p.xs),
        )
        yield (
            "γ is forgotten in the variance's term: mean(ȳ x̂) where mean(γ ȳ x̂) is due",
            lambda p, v: (γ(p.xs) * v - (mean(γ(p.xs) * v) if n.centred else 0) - x̂(p) * mean(v * x̂(p))) / σ(p.xs),
        )
        if n.centred:
            yield (
                "γ is forgotten in the mean's term: mean ȳ where mean(γ ȳ) is due",
                lambda p, v: (γ(p.xs) * v - mean(v) - x̂(p) * mean(γ(p.xs) * v * x̂(p))) / σ(p.xs),
            )
        yield (
            "γ is forgotten, and the variance's term is missing",
            lambda p, v: (v - mean(v)) / σ(p.xs) if n.centred else None,
        )
    yield "the means are sums: Σ where a mean is due", lambda p, v: full(p, γ(p.xs) * v, total) / σ(p.xs)
    for what, direction in (
        ("x is", lambda p: p.x),
        ("x − μ, not divided by σ, is", lambda p: n.centre(p.xs)),
        ("y, with γ and β, is", lambda p: p.y),
    ):
        yield (
            f"{what} taken for x̂ in the variance's term",
            partial(lambda direction, p, v: full(p, γ(p.xs) * v, direction=direction(p)) / σ(p.xs), direction),
        )
    yield (
        "the variance's term has the wrong sign",
        lambda p, v: (
            (γ(p.xs) * v - (mean(γ(p.xs) * v) if n.centred else 0) + x̂(p) * mean(γ(p.xs) * v * x̂(p))) / σ(p.xs)
        ),
    )
    count = _count(e.shape, n.axes)
    if count > 1:
        yield (
            f"the means divide by n − 1 where n (={count}) is due",
            lambda p, v: full(p, γ(p.xs) * v, lambda g: mean(g) * count / (count - 1)) / σ(p.xs),
        )
    for k in range(1, len(e.shape) + 1):
        for axes in combinations(range(len(e.shape)), k):
            if axes != n.axes:
                yield (
                    f"the means run over the wrong axes: {axes if k > 1 else f'axis {axes[0]}'} where {n.count} is due",
                    partial(
                        lambda axes, p, v: full(p, γ(p.xs) * v, lambda g: g.mean(axes, keepdim=True)) / σ(p.xs), axes
                    ),
                )


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return int(torch.tensor([shape[a] for a in axes]).prod())


def _summed(x: Array, like: Array, place: tuple[int, ...]) -> Array:
    """Summed over the axes along which a weight of shape `place` is repeated."""
    return x.sum_to_size(tuple(x.shape[i - len(place)] if s == -1 else s for i, s in enumerate(place))).reshape(
        like.shape
    )


def _of_weight(n: Norm) -> Iterator[tuple[str, Hypothesis]]:
    assert n.weight is not None
    place = n.weight[1]
    for sentence, q in (
        ("x is taken for x̂: γ's gradient is Σ ȳ x̂, with x less its mean and over σ", lambda p: p.xs[n.x]),
        ("1/σ is missing: x − μ is taken for x̂ in γ's gradient Σ ȳ x̂", lambda p: n.centre(p.xs)),
        ("the mean isn't subtracted: x/σ is taken for x̂ in γ's gradient", lambda p: p.xs[n.x] / n.sigma(p.xs)),
        ("y, with γ and β, is taken for x̂ in γ's gradient", lambda p: p.y),
        ("x̂ is missing: this is β's gradient Σ ȳ, not γ's Σ ȳ x̂", lambda p: torch.ones_like(p.y)),
        ("γ x̂ is taken for x̂ in γ's own gradient", lambda p: n.gamma(p.xs) * n.centre(p.xs) / n.sigma(p.xs)),
    ):
        yield sentence, partial(lambda q, p, v: _summed(v * q(p), p.x, place), q)


def _of_bias(n: Norm) -> Iterator[tuple[str, Hypothesis]]:
    assert n.bias is not None
    place = n.bias[1]
    yield (
        "β's gradient is multiplied by γ, which β is added after: it is Σ ȳ",
        lambda p, v: _summed(v * n.gamma(p.xs), p.x, place),
    )
    yield (
        "β's gradient is multiplied by x̂, as γ's is: it is Σ ȳ",
        lambda p, v: _summed(v * n.centre(p.xs) / n.sigma(p.xs), p.x, place),
    )
