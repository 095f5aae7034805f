"""What is known of a wrong gradient: what the pullback claims and what differences measure, at two points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import torch

from ...tape import Array
from ..function import CheckedFunction, normal

CLOSE = 1e-6  # far above the differences' own error, far below any mistake that it would take for explained
_MOST_ENTRIES = 500  # of the variables together
_MOST_PRODUCTS = 250_000  # entries of a Jacobian


def close(a: Array, b: Array) -> bool:
    """Whether two arrays are the same up to the error of differences, relative to the largest entry."""
    if a.shape != b.shape or not a.numel():
        return False
    scale = max(a.abs().max().item(), b.abs().max().item())
    return bool((a - b).abs().max() <= CLOSE * scale)


def _unit(like: Array, flat: int) -> Array:
    """1 at one entry of an array of that shape, 0 elsewhere."""
    found = like.new_zeros(like.numel())
    found[flat] = 1.0
    return found.reshape(like.shape)


class Point:
    """The function at one point.

    Attributes:
        xs: the variables' values; y: the function's.
        vs: cotangents; claimed: for each of them, the gradient that the pullback gives for each variable.
    """

    def __init__(self, function: CheckedFunction, k: int, xs: list[Array], v: Array | None = None) -> None:
        self._function, self.k, self.xs, self.x = function, k, xs, xs[k]
        self._jacobians: dict[int, Array] = {}
        with function.at(xs):
            self.y = function.value()
            generator = torch.Generator().manual_seed(1)
            self.vs = [normal(self.y, generator) if i or v is None else v for i in range(3)]
            self.claimed = [function.gradients(u) for u in self.vs]

    def jacobian_of(self, k: int) -> Array:
        """The true Jacobian of variable k by differences, (entries of the value, entries of the variable)."""
        if k not in self._jacobians:
            step, columns = self._function.step, []
            for flat in range(self.xs[k].numel()):
                us = [_unit(x, flat) if j == k else torch.zeros_like(x) for j, x in enumerate(self.xs)]
                with self._function.at(self.xs):
                    a, b, c, d = self._function.along(us, [f * step for f in (-2, -1, 1, 2)])
                columns.append(((a - 8 * b + 8 * c - d) / (12 * step)).reshape(-1))
            found = torch.stack(columns, 1) if columns else self.y.new_zeros(self.y.numel(), 0)
            if found.numel():  # what is 0 comes out as rounding, and patterns ask for zeros
                rounding = 8 * torch.finfo(found.dtype).eps / step * self.y.abs().max()
                found[found.abs() < torch.maximum(1e-9 * found.abs().max(), rounding)] = 0
            self._jacobians[k] = found
        return self._jacobians[k]

    @property
    def jacobian(self) -> Array:
        """The suspect's own."""
        return self.jacobian_of(self.k)

    @cached_property
    def claims(self) -> Array:
        """The Jacobian that the pullback claims for the suspect: its gradient for each entry of the value."""
        rows = []
        with self._function.at(self.xs):
            for flat in range(self.y.numel()):
                rows.append(self._function.gradients(_unit(self.y, flat))[self.k].reshape(-1))
        return torch.stack(rows)

    def pull(self, v: Array, k: int | None = None) -> Array:
        """The true gradient of variable k (the suspect) for the cotangent v."""
        k = self.k if k is None else k
        return (v.reshape(-1) @ self.jacobian_of(k)).reshape(self.xs[k].shape)

    def pull_claimed(self, v: Array) -> Array:
        with self._function.at(self.xs):
            return self._function.gradients(v)[self.k]


#: A hypothesis: the gradient that a mistake would give for a cotangent at a point; None where it makes no sense.
Hypothesis = Callable[[Point, Array], Array | None]


class Evidence:
    """Everything that a family of hypotheses may ask about.

    Attributes:
        name: the suspect's; names: all variables'; constants: the integer inputs.
        points: where it was asked, the given one first. The second has every number changed by up to a tenth.
    """

    def __init__(self, function: CheckedFunction, k: int, points: list[Point]) -> None:
        self.function, self.k, self.points = function, k, points
        self.names, self.name = function.names, function.names[k]
        self.constants = [a for a in function.arguments if isinstance(a, Array)]

    @classmethod
    def of(cls, function: CheckedFunction, k: int, v: Array) -> Evidence | None:
        """None where the arrays are too large to try every entry."""
        xs = [t.data for t in function.variables]
        entries = sum(x.numel() for x in xs)
        if entries > _MOST_ENTRIES or max(x.numel() for x in xs) * v.numel() > _MOST_PRODUCTS:
            return None
        points = [Point(function, k, xs, v)]
        generator = torch.Generator().manual_seed(2)
        moved = [x * (1 + 0.1 * normal(x, generator).clamp(-1, 1)) for x in xs]
        try:
            second = Point(function, k, moved)
            if second.y.isfinite().all():
                points.append(second)
        except Exception:  # the function may refuse other numbers, and one point must do
            pass
        return cls(function, k, points)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.points[0].x.shape)

    @property
    def value_shape(self) -> tuple[int, ...]:
        return tuple(self.points[0].y.shape)

    @cached_property
    def is_linear(self) -> bool:
        """Whether the claimed gradient is linear in the cotangent, as every pullback is."""
        return all(
            close((v.reshape(-1) @ p.claims).reshape(p.x.shape), p.claimed[i][self.k])
            for p in self.points
            for i, v in enumerate(p.vs)
        )

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether each entry of the value depends on the same entry of the suspect only, and claims to."""
        if self.shape != self.value_shape:
            return False
        return all(close(j, torch.diag(j.diagonal())) for p in self.points for j in (p.jacobian, p.claims))

    def explained(self, hypothesis: Hypothesis) -> bool:
        """Whether the claimed gradient is the hypothesis's for every cotangent at every point."""
        return all(self._fits(hypothesis, p, i) for p in self.points for i in range(len(p.vs)))

    def _fits(self, hypothesis: Hypothesis, point: Point, i: int) -> bool:
        try:
            expected = hypothesis(point, point.vs[i])
        except (RuntimeError, IndexError, ValueError):  # shapes that don't fit the hypothesis
            return False
        return expected is not None and close(expected, point.claimed[i][self.k])

    def those(self, hypotheses: Iterator[tuple[str, Hypothesis]]) -> Iterator[str]:
        """The sentences of the hypotheses that explain the gradient."""
        return (sentence for sentence, hypothesis in hypotheses if self.explained(hypothesis))
