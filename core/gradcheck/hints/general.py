"""Mistakes that any pullback can have: no gradient, one without ȳ, a constant factor, another variable's gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import combinations, permutations

import torch

from .evidence import CLOSE, Evidence, Point, close


def alone(e: Evidence) -> Iterator[str]:
    """What is wrong whatever the right gradient would be."""
    if not any(g[e.k].any() for p in e.points for g in p.claimed):
        yield "the gradient is 0: it was never computed, or never added"
        return
    if not any(p.jacobian.any() for p in e.points):
        yield f"the value doesn't depend on {e.name}, whose gradient is therefore 0"
        return
    for p in e.points:
        first, again = p.pull_claimed(p.vs[0]), p.pull_claimed(p.vs[0])
        if not close(first, again):
            yield "the same call gives another gradient each time: it adds to an array that isn't cleared in between"
            return
    if all(len(p.vs) > 1 and all(close(g[e.k], p.claimed[0][e.k]) for g in p.claimed) for p in e.points):
        right = all(close(p.pull(torch.ones_like(p.y)), p.claimed[0][e.k]) for p in e.points)
        yield "ȳ is missing: the gradient doesn't depend on the cotangent" + (
            ", and is right where ȳ is 1" if right else ""
        )
    elif not e.is_linear:
        yield from _nonlinear(e)


def _nonlinear(e: Evidence) -> Iterator[str]:
    """A pullback is linear in ȳ; in which way isn't this one?"""
    p = e.points[0]
    v, g = p.vs[0], p.claimed[0][e.k]
    twice, negative = p.pull_claimed(2 * v), p.pull_claimed(-v)
    offset = p.pull_claimed(torch.zeros_like(v))
    if offset.any() and close(twice - offset, 2 * (g - offset)) and close(negative - offset, offset - g):
        yield "a term without ȳ is added: for ȳ = 0 the gradient isn't 0"
    elif close(twice, 4 * g):
        yield "ȳ enters squared"
    elif close(twice, 2 * g):
        masked = e.shape == e.value_shape and (not g[v < 0].any() or not g[v > 0].any())
        yield "a mask is taken from ȳ, not from the input: the gradient depends on the sign of ȳ" + (
            ", and nothing passes where ȳ is negative" if masked and not g[v < 0].any() else ""
        )
    else:
        yield "the gradient isn't linear in ȳ: a function of ȳ is taken, not a multiple of it"


def general(e: Evidence) -> Iterator[str]:
    yield from list(factor(e)) or [*_swapped(e), *_rearranged(e)] or _missing_mean(e)


def _swapped(e: Evidence) -> Iterator[str]:
    for j, name in enumerate(e.names):
        if j != e.k and all(
            x.shape == p.x.shape and close(p.pull(v, j), p.claimed[i][e.k])
            for p in e.points
            for x in [p.xs[j]]
            for i, v in enumerate(p.vs)
        ):
            yield f"this is the gradient of {name}: two gradients are returned in the wrong order"


def _missing_mean(e: Evidence) -> Iterator[str]:
    """Is what is missing the same along some axes, as a sum or a mean over them is?"""
    for count in range(len(e.shape), 0, -1):
        for axes in combinations(range(len(e.shape)), count):
            if math.prod(e.shape[a] for a in axes) > 1 and all(
                close(missing, missing.mean(axes, keepdim=True).expand_as(missing))
                for p in e.points
                for v, g in zip(p.vs, p.claimed, strict=True)
                for missing in [p.pull(v) - g[e.k]]
            ):
                yield f"what is missing is the same along {named(axes)}: was a sum or a mean over it dropped?"
                return


def factor(e: Evidence) -> Iterator[str]:
    """Is the gradient a multiple of the right one, and the same multiple at both points?"""
    p = e.points[0]
    true, claimed = p.pull(p.vs[0]), p.claimed[0][e.k]
    norm = true.square().sum().item()
    c = (true * claimed).sum().item() / norm if norm else 0.0
    if not math.isfinite(c) or abs(c) < CLOSE or abs(c - 1) < CLOSE:
        return
    if len(e.points) * claimed.numel() < 2 or not e.explained(lambda q, v: c * q.pull(v)):
        return
    yield factor_sentence(c, [("the value", e.value_shape), (e.name, e.shape)])


def factor_sentence(c: float, shapes: list[tuple[str, tuple[int, ...]]], what: str = "every entry") -> str:
    """How a constant factor is called, and where it may come from."""
    if abs(c + 1) < CLOSE:
        return f"{what} has the wrong sign"
    sign = " and has the wrong sign" if c < 0 else ""
    for n, words in ((abs(c), "{} times too large"), (1 / abs(c), "{} times too small")):
        large = n == abs(c)
        if abs(n - round(n)) < CLOSE * n and round(n) > 1:
            told = f"{what} is {words.format(round(n))}"
            if axes := axes_of_size(round(n), shapes):
                kind = "a sum where a mean is due" if large else "a mean where a sum is due"
                told += f", the size of {axes}: {kind}"
                told += ", or added twice?" if large and round(n) == 2 else "?"
            elif round(n) == 2:
                told += (
                    ": added twice (accumulated twice), or a factor ½ is missing"
                    if large
                    else ": a factor 2 is missing"
                )
            return told + sign
        for size in {s for _, shape in shapes for s in shape if s > 1}:
            if abs(n - math.sqrt(size)) < CLOSE * n:
                size_of = f"√{size} times too {'large' if large else 'small'}"
                return f"{what} is {size_of}: a scale of 1/√{size} is missing{sign}"
            if abs(n - size / (size - 1)) < CLOSE * n and size > 2:
                pair = ("n − 1", "n") if large else ("n", "n − 1")
                return f"{what} is divided by {pair[0]} where {pair[1]} (={size}) is due{sign}"
    return f"{what} is {c:.6g} times what it should be"


def axes_of_size(n: int, shapes: list[tuple[str, tuple[int, ...]]]) -> str:
    """Axes whose sizes multiply to n, fewest first."""
    for whose, shape in shapes:
        for count in range(1, len(shape) + 1):
            for axes in combinations(range(len(shape)), count):
                if math.prod(shape[a] for a in axes) == n:
                    return f"{named(axes)} of {whose} {shape}"
    return ""


def named(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"


def _rearranged(e: Evidence) -> Iterator[str]:
    """Is the gradient right but for the order of its entries?"""
    n = len(e.shape)
    orders = [o for o in permutations(range(n)) if n <= 4 and o != tuple(range(n))]
    for order in (o for o in orders if tuple(e.shape[a] for a in o) == e.shape):
        if e.explained(partial(lambda order, p, v: _moving(p.pull(v).permute(order), p, v), order)):
            yield "the gradient is right when transposed" + ("" if n == 2 else f": its axes are in the order {order}")
            return
    for count in range(1, min(n, 2) + 1):
        flipped = tuple(range(n - count, n))
        if e.explained(partial(lambda flipped, p, v: _moving(p.pull(v).flip(flipped), p, v), flipped)):
            yield f"the gradient is right when flipped along its last {'axis' if count == 1 else 'two axes'}"
            return


def _moving(changed, p: Point, v):
    """`changed`, unless that is the true gradient itself: then the order isn't the mistake."""
    return None if close(changed, p.pull(v)) else changed
