"""Mistakes in a forward pass, told from the value and what a reference expects.

Most are found by asking the reference something else: the value that it gives for a transposed argument, for a bias of
0, or along another axis is the one that a transposed argument, a forgotten bias or a wrong axis would give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import torch

from ...tape import Array
from .evidence import CLOSE, close
from .general import factor_sentence
from .normalisation import Norm, recognise_at

Reference = Callable[[list[Array]], Array]


@dataclass(frozen=True)
class ValuePoint:
    """All arguments at one point (integers too), what the reference expects there, and what was computed."""

    xs: list[Array]
    expected: Array
    got: Array


Values = Callable[[ValuePoint], Array | None]


def value_hint(points: list[ValuePoint], names: list[str], reference: Reference) -> str:
    """The mistake that explains a wrong value at every point, in a sentence; empty if none does."""
    p = points[0]
    if not bool(p.got.isfinite().all()) and bool(p.expected.isfinite().all()):
        return (
            "the value isn't finite where the reference's is: an overflow (subtract the largest entry before exp), "
            "or a division by 0 (ε is missing)"
        )
    for family in (_norms(points, names), _arguments(points, names, reference), _functions(points, names)):
        found = [s for s, value in family if all(_fits(value, q) for q in points)]
        if found := list(dict.fromkeys(found)):
            return found[0] if len(found) == 1 else f"either {found[0]}; or {found[1]}"
    return _factor(points, names) or _region(points)


def _fits(value: Values, p: ValuePoint) -> bool:
    try:
        found = value(p)
    except Exception:  # a reference may refuse what it is asked, which says nothing about the value
        return False
    return found is not None and close(found, p.got) and not close(found, p.expected)


def _norms(points: list[ValuePoint], names: list[str]) -> Iterator[tuple[str, Values]]:
    """Variants of a normalisation, where what the reference expects is one."""
    p = points[0]
    floating = [i for i, x in enumerate(p.xs) if x.is_floating_point()]
    norm = recognise_at([([q.xs[i] for i in floating], q.expected) for q in points])
    if norm is None:
        return

    def of(n: Norm, make: Callable[[Norm, list[Array]], Array]) -> Values:
        def value(q: ValuePoint) -> Array:
            xs = [q.xs[i] for i in floating]
            return n.gamma(xs) * make(n, xs) + n.beta(xs)

        return value

    def over(spread: Callable[[Array], Array]) -> Callable[[Norm, list[Array]], Array]:
        return lambda n, xs: n.centre(xs) / spread(n.mean(n.centre(xs).square()))

    plain = over(lambda variance: (variance + norm.eps).sqrt())
    count = math.prod(p.expected.shape[a] for a in norm.axes)
    forms = {
        "ε stands outside the root: √var + ε where √(var + ε) is due": over(lambda v: v.sqrt() + norm.eps),
        "ε is missing: √var where √(var + ε) is due": over(torch.sqrt),
        "the root is missing: it is divided by the variance, not by the standard deviation": over(
            lambda v: v + norm.eps
        ),
        "μ isn't subtracted": lambda n, xs: xs[n.x] / n.sigma(xs),
        "it isn't divided by σ": lambda n, xs: n.centre(xs),
        "it is multiplied by σ where 1/σ is due": lambda n, xs: n.centre(xs) * n.sigma(xs),
    }
    if count > 1:
        biased = over(lambda v: (v * count / (count - 1) + norm.eps).sqrt())
        forms[f"the variance is divided by n − 1 where n (={count}) is due"] = biased
    for sentence, make in forms.items():
        yield sentence, of(norm, make)
    if norm.weight is not None:
        yield "γ is forgotten", of(replace(norm, weight=None), plain)
    if norm.bias is not None:
        yield "β is forgotten", of(replace(norm, bias=None), plain)
    if norm.weight is not None or norm.bias is not None:
        yield "γ and β are forgotten", of(replace(norm, weight=None, bias=None), plain)
    for size in range(1, p.expected.ndim + 1):
        for axes in combinations(range(p.expected.ndim), size):
            if axes != norm.axes:
                said = f"axis {axes[0]}" if size == 1 else f"axes {axes}"
                yield (
                    f"the wrong axis: the statistics are taken over {said} where {norm.count} is due",
                    of(replace(norm, axes=axes), plain),
                )


def _arguments(points: list[ValuePoint], names: list[str], reference: Reference) -> Iterator[tuple[str, Values]]:
    """The reference's answer to other arguments."""
    xs = points[0].xs

    def asked(change: Callable[[list[Array]], list[Array]]) -> Values:
        return lambda q: reference(change(list(q.xs)))

    def one(k: int, change: Callable[[Array], Array]) -> Values:
        return asked(lambda all_: [change(x) if j == k else x for j, x in enumerate(all_)])

    for k, x in enumerate(xs):
        name = names[k]
        if not x.is_floating_point():
            continue
        if x.ndim >= 2:
            yield f"{name} is transposed", one(k, lambda a: a.mT)
            yield f"{name} is flipped along its last two axes", one(k, lambda a: a.flip(-2, -1))
        if x.ndim == 4:
            yield f"{name}'s first two axes are exchanged", one(k, lambda a: a.transpose(0, 1))
        if len(xs) > 1:
            yield f"{name} is forgotten: the value is that for {name} = 0", one(k, torch.zeros_like)
            yield f"{name} is forgotten: the value is that for {name} = 1", one(k, torch.ones_like)
            yield f"{name} has the wrong sign", one(k, torch.neg)
            yield f"{name} is added twice", one(k, lambda a: 2 * a)
    for i, j in combinations(range(len(xs)), 2):
        if xs[i].shape == xs[j].shape and xs[i].dtype == xs[j].dtype:
            exchanged = [j if n == i else i if n == j else n for n in range(len(xs))]
            yield (
                f"{names[i]} and {names[j]} are swapped",
                asked(partial(lambda order, all_: [all_[n] for n in order], exchanged)),
            )
    for k, x in enumerate(xs):
        for a, b in combinations(range(x.ndim), 2) if x.is_floating_point() else ():

            def along(q: ValuePoint, k: int = k, a: int = a, b: int = b) -> Array:
                turned = [x.transpose(a, b) if j == k else x for j, x in enumerate(q.xs)]
                y = reference(turned)
                return y.transpose(a, b) if y.shape != q.got.shape or y.ndim == x.ndim else y

            yield f"the wrong axis: it runs over axis {a} where axis {b} is due, or the other way round", along


def _functions(points: list[ValuePoint], names: list[str]) -> Iterator[tuple[str, Values]]:
    """A function too many or too few after what is expected."""
    yield "the logarithm is missing", lambda q: q.expected.exp()
    yield "the logarithm of what is expected is returned: exp is missing", lambda q: q.expected.log()
    yield "the root is missing: this is the square of what is expected", lambda q: q.expected.square()
    yield "a root too many: this is the root of what is expected", lambda q: q.expected.sqrt()
    yield "this is 1 over what is expected", lambda q: 1 / q.expected
    yield "this is 1 less what is expected", lambda q: 1 - q.expected
    yield "0 wins over negative values, as if padded with 0 or cut off at 0", lambda q: q.expected.clamp_min(0)
    yield "the value is transposed", lambda q: q.expected.mT if q.expected.ndim > 1 else None
    for k, x in enumerate(points[0].xs):
        if x.is_floating_point():
            yield f"{names[k]} is added once too often", partial(lambda k, q: q.expected + q.xs[k], k)
            yield f"{names[k]} isn't added (a residual's identity path)", partial(lambda k, q: q.expected - q.xs[k], k)
            yield f"a factor {names[k]} is missing", partial(lambda k, q: q.expected / q.xs[k], k)
            yield f"a factor {names[k]} too many", partial(lambda k, q: q.expected * q.xs[k], k)


def _factor(points: list[ValuePoint], names: list[str]) -> str:
    """A constant factor or a constant difference, the same at every point."""
    p = points[0]
    norm = p.expected.square().sum().item()
    c = (p.expected * p.got).sum().item() / norm if norm else 0.0
    if not math.isfinite(c) or len(points) * p.got.numel() < 2:
        return ""
    if all(close(c * q.expected, q.got) for q in points) and abs(c - 1) > CLOSE and abs(c) > CLOSE:
        shapes = [(name, tuple(x.shape)) for name, x in zip(names, p.xs, strict=True)]
        return factor_sentence(c, shapes, "the value")
    off = (p.got - p.expected).mean()
    if all(close(q.expected + off, q.got) for q in points):
        return f"a constant {off.item():.6g} is added to every entry"
    return ""


def _region(points: list[ValuePoint]) -> str:
    """Where the value is wrong, if only there."""
    p = points[0]
    wrong = (p.got - p.expected).abs() > CLOSE * p.expected.abs().max()
    if 0 < (p.got - p.expected).abs().max() < 5e-3 * p.expected.abs().max():
        worst = ((p.got - p.expected).abs().max() / p.expected.abs().max()).item()
        return f"close everywhere, to {worst:.1e} of the largest value: an approximation, or another ε"
    first = next((x for x in p.xs if x.is_floating_point() and x.shape == p.got.shape), None)
    if first is not None and first.lt(0).any() and first.gt(0).any():
        for sign, side in (("negative", first < 0), ("positive", first > 0)):
            if all_in := bool(wrong[side].all()) and not bool(wrong[~side].any()):
                return f"only entries where the input is {sign} are wrong" if all_in else ""
    if p.got.ndim >= 2 and min(p.got.shape[-2:]) > 2 and not bool(wrong[..., 1:-1, 1:-1].any()) and bool(wrong.any()):
        return "only entries along the border are wrong: look at the padding"
    return ""
