"""Mistakes in functions of single entries and in gates: a missing derivative, y for x, a gate taken as constant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

from ...tape import Array
from .evidence import Evidence, Hypothesis, Point, close


def _diagonal(p: Point) -> Array:
    return p.jacobian.diagonal().reshape(p.x.shape)


def _quantities(e: Evidence) -> Iterator[tuple[str, Callable[[Point], Array]]]:
    """What a factor of a derivative may be: the input, the value, and what is often made of them."""
    yield e.name, lambda p: p.x
    yield "y", lambda p: p.y
    yield "(1 − y)", lambda p: 1 - p.y
    yield "(1 + y)", lambda p: 1 + p.y
    yield f"σ({e.name})", lambda p: torch.sigmoid(p.x)
    yield f"(1 − σ({e.name}))", lambda p: torch.sigmoid(-p.x)
    yield f"the sigmoid's derivative σ({e.name}) (1 − σ({e.name}))", lambda p: torch.sigmoid(p.x) * torch.sigmoid(-p.x)
    yield f"tanh's derivative 1 − tanh²({e.name})", lambda p: 1 - torch.tanh(p.x) ** 2
    for j, name in enumerate(e.names):
        if j != e.k:
            yield name, partial(lambda j, p: p.xs[j], j)


def elementwise(e: Evidence) -> Iterator[str]:
    if e.is_elementwise:
        yield from list(e.those(_plain(e))) or list(e.those(_substituted(e))) or e.those(_factors(e))


def _plain(e: Evidence) -> Iterator[tuple[str, Hypothesis]]:
    d = _diagonal
    yield "ȳ is passed on unchanged: the derivative itself is missing", lambda p, v: v
    yield (
        "the gate is treated as a constant: the product rule's second term is missing",
        lambda p, v: v * p.y / p.x,
    )
    yield (
        "only the gate's own derivative is there: the product rule's first term, ȳ times the gate, is missing",
        lambda p, v: v * (d(p) - p.y / p.x),
    )
    yield (
        "the mask is inverted: ȳ passes where it should be stopped",
        lambda p, v: v * (1 - d(p)) if _mask(d(p)) else None,
    )
    yield (
        "where the input is negative nothing passes: the slope there is missing",
        lambda p, v: v * d(p) * (p.x > 0) if (d(p) * (p.x < 0)).any() else None,
    )
    yield "the sign is lost where the derivative is negative", lambda p, v: v * d(p).abs() if (d(p) < 0).any() else None
    yield "the derivative is inverted: ȳ is divided by it, not multiplied", lambda p, v: v / d(p)


def _mask(d: Array) -> bool:
    return bool(((d.abs() < 1e-6) | ((d - 1).abs() < 1e-6)).all())


def _substituted(e: Evidence) -> Iterator[tuple[str, Hypothesis]]:
    """The derivative at another place: y for x, or x for y where the derivative is written in terms of the value."""
    in_terms_of_y = (lambda y: y * (1 - y), lambda y: 1 - y * y, lambda y: y, lambda y: y * y, lambda y: 1 / y)
    sentence = f"{e.name} is taken for y: the derivative is written in terms of the value"
    for t in in_terms_of_y:
        for s in (1.0, -1.0, 0.5):
            for mixed in (lambda p: t(p.x), lambda p: p.y * (1 - p.x), lambda p: p.x * (1 - p.y)):  # noqa: B023

                def hypothesis(p: Point, v: Array, t=t, s=s, mixed=mixed) -> Array | None:
                    return v * s * mixed(p) if close(s * t(p.y), _diagonal(p)) else None

                yield sentence, hypothesis

    def at_y(p: Point, v: Array) -> Array:
        xs = [p.y if j == e.k else x for j, x in enumerate(p.xs)]
        return v * _diagonal(Point(e.function, e.k, xs))

    yield f"y is taken for {e.name}: the derivative is computed at the value", at_y


def _factors(e: Evidence) -> Iterator[tuple[str, Hypothesis]]:
    yield "the value itself is taken for the derivative", lambda p, v: v * p.y
    for name, q in _quantities(e):
        for power, text in (
            (-1, f"the factor {name} of the derivative is missing"),
            (1, f"the derivative has a factor {name} too many, or lacks it in a denominator"),
            (-2, f"the factor {name} of the derivative is missing twice"),
            (2, f"the derivative has the factor {name} twice too many, or lacks its square in a denominator"),
        ):
            for c, also in (
                (1.0, ""),
                (-1.0, ", and its sign is wrong"),
                (0.5, ", and a factor 2"),
                (2.0, ", and a factor ½"),
            ):
                yield text + also, partial(_scaled, q, power, c)


def _scaled(q: Callable[[Point], Array], power: int, c: float, p: Point, v: Array) -> Array:
    return c * v * _diagonal(p) * q(p) ** power


def gate(e: Evidence) -> Iterator[str]:
    """Mistakes in x · g(x) and x + f(x), where g and f look at all of x."""
    if not e.is_elementwise:
        yield from e.those(_paths(e))


def _paths(e: Evidence) -> Iterator[tuple[str, Hypothesis]]:
    yield "the gate is treated as a constant: the path through the gate is missing", lambda p, v: v * p.y / p.x
    yield (
        "only the path through the gate is there: ȳ times the gate, the direct path, is missing",
        lambda p, v: p.pull(v) - v * p.y / p.x,
    )
    yield "the identity path is missing: a residual's ȳ itself isn't added", lambda p, v: p.pull(v) - v
    yield "only the identity path is there: the gradient through the block isn't added to ȳ", lambda p, v: v
    yield "the identity path is added twice", lambda p, v: p.pull(v) + v
