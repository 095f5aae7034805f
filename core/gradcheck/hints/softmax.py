"""Mistakes in softmax, its logarithm and the cross-entropy, which are recognised by their values and derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from ...tape import Array
from .evidence import Evidence, Hypothesis, Point, close


def softmax(e: Evidence) -> Iterator[str]:
    n = len(e.shape)
    for axis in range(n):
        if e.shape[axis] < 2:
            continue
        if all(close(p.y, torch.softmax(p.x, axis)) for p in e.points):
            yield from e.those(_softmax(axis, n))
        elif all(close(p.y, torch.log_softmax(p.x, axis)) for p in e.points):
            yield from e.those(_log_softmax(axis))
        elif all(_one_hot(p, axis) is not None for p in e.points):
            yield from e.those(_cross_entropy(e, axis))


def _softmax(axis: int, ndim: int) -> Iterator[tuple[str, Hypothesis]]:
    """x̄ = y (ȳ − Σ ȳ y)."""

    def total(x: Array) -> Array:
        return x.sum(axis, keepdim=True)

    yield (
        "softmax's diagonal only: the terms −yᵢ yⱼ between different entries are missing",
        lambda p, v: v * p.y * (1 - p.y),
    )
    yield (
        "softmax's sum Σ ȳ y is missing: only ȳ y is there, as if the denominator were a constant",
        lambda p, v: v * p.y,
    )
    yield "softmax's sum Σ ȳ y is added where it should be subtracted", lambda p, v: p.y * (v + total(v * p.y))
    yield "softmax's sum is Σ ȳ where Σ ȳ y is due: y is missing in it", lambda p, v: p.y * (v - total(v))
    yield "softmax's sum is a mean where a sum is due", lambda p, v: p.y * (v - (v * p.y).mean(axis, keepdim=True))
    yield "the factor y outside the bracket of y (ȳ − Σ ȳ y) is missing", lambda p, v: v - total(v * p.y)
    yield "y is squared outside the bracket of y (ȳ − Σ ȳ y)", lambda p, v: p.y**2 * (v - total(v * p.y))
    yield "softmax's ȳ is missing: only the sum is there", lambda p, v: -p.y * total(v * p.y)
    for other in (*[(a,) for a in range(ndim) if a != axis], tuple(range(ndim))):
        if ndim > 1:
            yield (
                f"softmax's sum Σ ȳ y runs over {_axes(other)}, the wrong axis: it should be axis {axis}",
                partial(lambda other, p, v: p.y * (v - (v * p.y).sum(other, keepdim=True)), other),
            )


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"


def _log_softmax(axis: int) -> Iterator[tuple[str, Hypothesis]]:
    """x̄ = ȳ − eʸ Σ ȳ."""

    def total(x: Array) -> Array:
        return x.sum(axis, keepdim=True)

    yield "log-softmax's sum is missing: ȳ is passed on without −softmax(x) Σ ȳ", lambda p, v: v
    yield "log-softmax's value is taken for the probabilities: eʸ is due", lambda p, v: v - p.y * total(v)
    yield "softmax's gradient is taken for log-softmax's", lambda p, v: p.y.exp() * (v - total(v * p.y.exp()))
    yield "log-softmax's sum is Σ ȳ y where Σ ȳ is due", lambda p, v: v - p.y.exp() * total(v * p.y.exp())
    yield "log-softmax's Σ ȳ is missing: ȳ − ȳ softmax(x), entry by entry", lambda p, v: v - p.y.exp() * v
    yield "log-softmax's Σ ȳ is a mean where a sum is due", lambda p, v: v - p.y.exp() * v.mean(axis, keepdim=True)


def _one_hot(p: Point, axis: int) -> tuple[Array, float] | None:
    """The labels as one-hot vectors and the number of samples, if the value is a cross-entropy of logits x.

    Its gradient is (softmax(x) − one-hot) / N, so softmax(x) less N times the gradient is 1 once along the axis.
    """
    if p.y.numel() != 1:
        return None
    gradient = p.pull(torch.ones_like(p.y))
    samples = p.x.numel() / p.x.shape[axis]
    for n in {1.0, samples}:
        labels = torch.softmax(p.x, axis) - n * gradient
        rounded = labels.round()
        if (labels - rounded).abs().max() < 1e-6 and bool((rounded.sum(axis) == 1).all() and (rounded >= 0).all()):
            return rounded, n
    return None


def _cross_entropy(e: Evidence, axis: int) -> Iterator[tuple[str, Hypothesis]]:
    """x̄ = ȳ (softmax(x) − one-hot) / N."""

    def of(make):
        def hypothesis(p: Point, v: Array) -> Array | None:
            found = _one_hot(p, axis)
            return None if found is None else v * make(torch.softmax(p.x, axis), found[0], p) / found[1]

        return hypothesis

    def unscaled(make):
        def hypothesis(p: Point, v: Array) -> Array | None:
            found = _one_hot(p, axis)
            return None if found is None or found[1] == 1 else v * make(torch.softmax(p.x, axis), found[0], p)

        return hypothesis

    for scaled, also in ((of, ""), (unscaled, ", and 1/N is missing too")):
        yield (
            "the one-hot labels are forgotten: softmax(x) is there without − one-hot" + also,
            scaled(lambda s, t, p: s),
        )
        yield (
            "only the labels are there: softmax(x) is missing in softmax(x) − one-hot" + also,
            scaled(lambda s, t, p: -t),
        )
        yield (
            "the logits are taken for probabilities: softmax is missing in softmax(x) − one-hot" + also,
            scaled(lambda s, t, p: p.x - t),
        )
        yield (
            "log-softmax is taken for softmax in softmax(x) − one-hot" + also,
            scaled(lambda s, t, p: torch.log_softmax(p.x, axis) - t),
        )
        yield (
            "the cross-entropy's sign is wrong: one-hot − softmax(x) where softmax(x) − one-hot is due" + also,
            scaled(lambda s, t, p: t - s),
        )
        yield (
            "only the true classes get a gradient: softmax − 1 there, and nothing for the others" + also,
            scaled(lambda s, t, p: (s - t) * t),
        )
        for other in range(len(e.shape)):
            if other != axis:
                yield (
                    f"softmax runs over axis {other}, the wrong axis: it should be axis {axis}" + also,
                    scaled(lambda s, t, p, other=other: torch.softmax(p.x, other) - t),
                )
    yield (
        "1/N, the mean over the samples, is missing: a sum where a mean is due",
        unscaled(lambda s, t, p: s - t),
    )
    yield (
        "the mean is over all entries, classes as well, where only the samples count",
        of(lambda s, t, p: (s - t) / s.shape[axis]),
    )
