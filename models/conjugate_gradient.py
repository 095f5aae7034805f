"""The preconditioned conjugate gradient method: A u = b for a symmetric positive definite A, by products with A alone.

Source: Shewchuk, *An introduction to the conjugate gradient method without the agonizing pain* (1994), B3.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import Array

Operator = Callable[[Array], Array]

#: What has been found by then is taken.
MAX_ITERATIONS = 1000


class ConjugateGradient:
    """The solution `u` of A u = b, iteration by iteration, for systems (n, c, h, w): one for each of the leading two
    axes, all at once.

    Args:
        a: the product with A.
        precondition: the product with about its inverse.
        tolerance: it is `done` (a boolean on the device) when no element of the preconditioned residual is above that.
            From there on u stays as it is.
        expected: iterations that this will probably take; 1 where the preconditioner is the inverse itself.
    """

    def __init__(self, a: Operator, precondition: Operator, b: Array, tolerance: float, expected: int) -> None:
        self.a, self.precondition, self.tolerance, self.expected = a, precondition, tolerance, expected
        self.u, self.residual, self.z = torch.zeros_like(b), b, precondition(b)
        self.direction, self.decrease = self.z, _dot(b, self.z)
        self.iterations, self.done = 0, self._is_small()

    def advance(self) -> None:
        """One more iteration."""
        image = self.a(self.direction)
        α = _ratio(self.decrease, _dot(self.direction, image))
        self.u = self.u + α.masked_fill(self.done, 0) * self.direction
        self.iterations += 1
        if self.expected == 1:
            return
        self.residual = self.residual - α * image
        self.z = self.precondition(self.residual)
        previous, self.decrease = self.decrease, _dot(self.residual, self.z)
        self.direction = self.z + _ratio(self.decrease, previous) * self.direction
        self.done = self.done | self._is_small()

    def _is_small(self) -> Array:
        return self.z.abs().max() <= self.tolerance


def _dot(p: Array, q: Array) -> Array:
    return (p * q).sum(dim=(2, 3), keepdim=True)


def _ratio(p: Array, q: Array) -> Array:
    return torch.where(q > 0, p / q, 0.0)  # a system already solved has 0 / 0


def solve(solutions: list[ConjugateGradient]) -> None:
    """Go on until all are done, or have taken MAX_ITERATIONS.

    A CPU is asked after every iteration. Another device has to be waited for each time; so it is asked about all
    solutions in one read-back, when they are expected to be done. The iterations that it has taken too many by then
    have changed nothing.
    """
    while solutions:
        for solution in solutions:
            ahead = 1 if solution.u.device.type == "cpu" else solution.expected
            for _ in range(min(ahead, MAX_ITERATIONS - solution.iterations)):
                solution.advance()
        solutions = [s for s in solutions if s.expected > 1 and s.iterations < MAX_ITERATIONS]
        if solutions:
            done = torch.stack([solution.done for solution in solutions]).tolist()
            solutions = [solution for solution, ended in zip(solutions, done, strict=True) if not ended]
