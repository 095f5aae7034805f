"""What the page on the harmonic fill draws: a hole that is relaxed sweep by sweep, and iterations counted."""

from __future__ import annotations

from collections.abc import Collection

import torch
from IPython.display import HTML
from photomend.core import Array
from photomend.models import conjugate_gradient, harmonic
from photomend.models.conjugate_gradient import ConjugateGradient
from photomend.models.holes import Bounds
from photomend.models.multigrid import Laplace, Pixels
from pictures import grid, stepper


def sweep_steps(photo: Array, missing: Array, shown: Collection[int]) -> HTML:
    """Sweeps over the missing pixels of a grey photo (H, W), each pixel the mean of its four neighbours in turn.

    Args:
        photo, missing: its colours, and True where they are missing; none of these at the edge.
        shown: the numbers of the sweeps after which it is drawn; 0 is before the first.
    """
    hole = [(r, c) for r, c in missing.nonzero().tolist()]
    y = torch.where(missing, 0.0, photo)
    frames = []
    for sweep in range(max(shown) + 1):
        change = 0.0
        for r, c in hole if sweep else []:
            mean = (y[r - 1, c] + y[r + 1, c] + y[r, c - 1] + y[r, c + 1]).item() / 4
            change = max(change, abs(mean - y[r, c].item()))
            y[r, c] = mean
        if sweep in shown:
            said = f"After {sweep} sweeps; the last one changed no pixel by more than {change:.2g}."
            frames.append((grid("u", y.round(decimals=1), {"seen": hole}), said if sweep else "The hole starts at 0."))
    return stepper("A hole is relaxed, sweep by sweep", frames)


def errors_by_iteration(photo: Array, mask: Array, most: int) -> dict[str, list[float]]:
    """The largest error over a hole, in grey levels, after each of up to `most` iterations of four methods.

    Args:
        photo: (1, 3, H, W) in [0, 1].
        mask: (1, 1, H, W), 1 = missing: one deep hole that isn't at the photo's edge.
    """
    known = torch.where(mask > 0.5, 0.0, photo)
    (holes,), _ = harmonic._systems(mask)
    system = harmonic._solution(known, holes)
    a, b = system.a, system.residual
    exact = ConjugateGradient(a, system.precondition, b, 1e-12, 24)
    conjugate_gradient.solve([exact])

    def error(u: Array) -> float:
        return 255 * (u - exact.u).abs().max().item()

    swept = [torch.zeros_like(b)]
    for _ in range(most):
        swept.append(swept[-1] + (b - a(swept[-1])) / 4)
    found = {"means of neighbours": [error(u) for u in swept]}
    own, multigrid = _pixels(mask, holes.bounds[0])
    for name, operator, precondition, right_side in (
        ("conjugate gradients", a, lambda r: r, b),
        ("… with the rectangle's inverse", a, system.precondition, b),
        ("… with multigrid", multigrid, multigrid.precondition, b[..., *own][:, :, None]),
    ):
        solution = ConjugateGradient(operator, precondition, right_side, 1e-12, 24)
        u, errors = torch.zeros_like(b), [error(torch.zeros_like(b))]
        while len(errors) <= most and errors[-1] > 1e-4:
            solution.advance()
            if operator is multigrid:
                u[..., *own] = solution.u[:, :, 0]
            errors.append(error(u if operator is multigrid else solution.u))
        found[name] = errors
    return found


def _pixels(mask: Array, bounds: Bounds) -> tuple[tuple[Array, Array], Laplace]:
    """A hole's pixels as rows and columns of its bounds, in the order in which multigrid keeps them; its equations."""
    places = mask.flatten().nonzero()[:, 0].numpy()
    pixels = Pixels(places, (1, *mask.shape[2:]))
    own = torch.from_numpy(pixels.y - bounds.top), torch.from_numpy(pixels.x - bounds.left)
    return own, Laplace(pixels, mask.device)
