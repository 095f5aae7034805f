"""The harmonic fill: the smoothest surface that joins the known pixels around a hole, Laplace's equation Δu = 0.

Every missing pixel becomes the mean of its neighbours (two to four of them: beyond the photo's edge there is none, so
nothing flows across it). For all missing pixels together this is a sparse symmetric positive definite system A u = b,
solved by the preconditioned conjugate gradient method (`conjugate_gradient.py`), all photos and colours of a batch at
once.

Two preconditioners. For deep holes the same equation is solved exactly on the hole's bounding rectangle, as if all of
it were missing: there sines and cosines are A's eigenvectors. For a rectangular hole that *is* the system, and one
iteration suffices; other shapes take some tens. Shallow holes (scratches, noise) may span a whole photo, but no pixel
of theirs is far from a known one: there A is nearly diagonal already, and dividing by the diagonal does it.

Holes in one photo are systems of their own: deep ones are solved one by one, because together they would be a hole of
no simple shape; shallow ones together.

Source: Strang, *The discrete cosine transform* (1999), for the eigenvectors under both kinds of boundary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage

from ..core import Array
from . import conjugate_gradient
from .conjugate_gradient import ConjugateGradient, Operator
from .holes import Bounds, distance_to_known, hole_bounds
from .reconstructor import Fill

#: The iteration ends when the estimated error falls under 1/500 of a grey level.
TOLERANCE = 0.002 / 255
#: Steps: a hole is shallow when none of its pixels is farther than this from a known one.
SHALLOW = 12
#: Iterations: deep holes made of a few rectangles take 21 at most, shallow ones no more than so many times their depth.
EXPECTED, EXPECTED_BY_DEPTH = 24, 12


class HarmonicFill(Fill):
    """Every missing pixel becomes the mean of its neighbours; any hole, any size of photo, any device.

    Computes in float64: in float32 the rounding of a large hole's residual alone would exceed the tolerance.
    """

    name = "harmonic"

    def fill(self, known: Array, mask: Array) -> Array:
        filled = known.clone()
        started = ((holes, _solution(known, holes)) for holes in _systems(mask))
        # On a CPU one after the other, for the sake of memory; another device is asked about all of them at once.
        for together in ([one] for one in started) if known.device.type == "cpu" else [list(started)]:
            conjugate_gradient.solve([solution for _, solution in together])
            for holes, solution in together:
                holes.write(solution.u, filled)
        return filled


class _Holes(NamedTuple):
    """Holes that are solved together: one of each of some photos, or all that are shallow.

    They are those of `mask` (n, 1, H, W), in the photos of these numbers; `rectangles`: each fills its bounds.
    """

    photos: list[int]
    mask: Array
    bounds: list[Bounds]
    depth: float
    rectangles: bool

    def write(self, u: Array, filled: Array) -> None:
        """Put the colours u (n, 3, h, w) of the holes' bounds into the holes of all photos (N, 3, H, W)."""
        for photo, hole, (top, left, bottom, right), own in zip(self.photos, self.mask, self.bounds, u, strict=True):
            missing = hole[:, top:bottom, left:right] > 0.5
            target = filled[photo, :, top:bottom, left:right]
            target.copy_(torch.where(missing, own[:, : bottom - top, : right - left].to(filled.dtype), target))


def _systems(mask: Array) -> Iterator[_Holes]:
    """Deep holes, one of each photo at a time as long as any has another, then all shallow ones of each photo together.

    Holes that touch at a corner alone are two: the equation joins neighbours along rows and columns.
    """

    def holes(photos: list[int], missing: list[np.ndarray], depth: float) -> _Holes:
        own = torch.from_numpy(np.stack(missing))[:, None]
        bounds = hole_bounds(own)
        areas = [(b.bottom - b.top) * (b.right - b.left) for b in bounds]
        return _Holes(photos, own.to(mask), bounds, depth, own.sum(dim=(1, 2, 3)).tolist() == areas)

    distance = distance_to_known(mask)[:, 0].float().cpu().numpy()
    labelled = [ndimage.label(d > 0) for d in distance]
    # The depth of each hole by its label; label 0 is what is known, at depth 0.
    depths = [ndimage.maximum(d, own, np.arange(n + 1)) for d, (own, n) in zip(distance, labelled, strict=True)]
    deep = [np.flatnonzero(depth > SHALLOW) for depth in depths]
    for turn in range(max(map(len, deep))):
        photos = [i for i, numbers in enumerate(deep) if len(numbers) > turn]
        yield holes(photos, [labelled[i][0] == deep[i][turn] for i in photos], float(distance.max()))
    shallow = [np.flatnonzero((depth > 0) & (depth <= SHALLOW)) for depth in depths]
    if photos := [i for i, numbers in enumerate(shallow) if len(numbers)]:
        deepest = max(depths[i][shallow[i]].max() for i in photos)
        yield holes(photos, [np.isin(labelled[i][0], shallow[i]) for i in photos], float(deepest))


def _solution(known: Array, holes: _Holes) -> ConjugateGradient:
    """The colours (n, 3, h, w), float64, of the missing pixels of each hole's bounds, still to be solved for; h and w
    are the largest ones'. The photos `known` (N, 3, H, W) are 0 in all holes.
    """
    colour, missing, inside = _cut(known, holes.photos, holes.mask, holes.bounds)
    right_side = _neighbour_sum(colour) * missing[..., 1:-1, 1:-1]
    system, depth = _Laplacian(missing, inside), holes.depth
    if depth <= SHALLOW:
        # Jacobi's preconditioner; here the residual underestimates the error, by up to the square of the depth.
        tolerance, expected = TOLERANCE / depth**2, round(EXPECTED_BY_DEPTH * depth)
        return ConjugateGradient(system, lambda r: r / system.neighbours, right_side, tolerance, expected)
    rectangle = _rectangle_solver(holes.bounds, holes.mask.shape[2], holes.mask.shape[3], system.unknown)
    return ConjugateGradient(system, rectangle, right_side, TOLERANCE, 1 if holes.rectangles else EXPECTED)


def _cut(known: Array, photos: list[int], mask: Array, bounds: list[Bounds]) -> tuple[Array, Array, Array]:
    """Each hole's rectangle with one pixel around it, all in arrays of the largest one's size.

    Returns the colours (n, C, h + 2, w + 2) in float64, and whether each pixel (n, 1, h + 2, w + 2) is missing, and
    whether it lies inside the photo at all.
    """
    height = 2 + max(b.bottom - b.top for b in bounds)
    width = 2 + max(b.right - b.left for b in bounds)
    colour = known.new_zeros(len(mask), known.shape[1], height, width, dtype=torch.float64)
    missing = mask.new_zeros(len(mask), 1, height, width, dtype=torch.bool)
    inside = torch.zeros_like(missing)
    for i, (photo, hole) in enumerate(zip(photos, bounds, strict=True)):
        rows, columns = hole.window(1, mask.shape[2:])
        place = (
            *(i, slice(None)),
            slice(rows.start - hole.top + 1, rows.stop - hole.top + 1),
            slice(columns.start - hole.left + 1, columns.stop - hole.left + 1),
        )
        colour[place] = known[photo, :, rows, columns]
        missing[place] = mask[i, :, rows, columns] > 0.5
        inside[place] = True
    return colour, missing, inside


def _neighbour_sum(x: Array) -> Array:
    """(…, h + 2, w + 2) → (…, h, w): the sum of the four neighbours of every inner pixel."""
    return x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]


class _Laplacian:
    """The operator A on arrays (N, C, h, w) over the holes' rectangles."""

    def __init__(self, missing: Array, inside: Array) -> None:
        self.unknown = missing[..., 1:-1, 1:-1].to(torch.float64)
        self.neighbours = _neighbour_sum(inside.to(torch.float64)).clamp_min(1)  # 1 where an array has no photo

    def __call__(self, u: Array) -> Array:
        """A u: each missing pixel times the number of its neighbours, minus the missing ones among them."""
        framed = u.new_zeros(*u.shape[:2], u.shape[2] + 2, u.shape[3] + 2)
        framed[..., 1:-1, 1:-1] = u
        return (self.neighbours * u - _neighbour_sum(framed)) * self.unknown


def _rectangle_solver(bounds: list[Bounds], photo_height: int, photo_width: int, unknown: Array) -> Operator:
    """The preconditioner for deep holes: A's inverse as if all of each rectangle were missing."""
    h, w = unknown.shape[2:]
    rows = [_modes(b.bottom - b.top, b.top == 0, b.bottom == photo_height, h) for b in bounds]
    columns = [_modes(b.right - b.left, b.left == 0, b.right == photo_width, w) for b in bounds]
    row_modes, row_values = (torch.stack(each)[:, None].to(unknown.device) for each in zip(*rows, strict=True))
    column_modes, column_values = (torch.stack(each)[:, None].to(unknown.device) for each in zip(*columns, strict=True))
    eigenvalues = row_values[..., None] + column_values[..., None, :]
    # A hole whose rectangle is the whole photo has the eigenvalue 0 (a constant costs nothing); any positive number in
    # its place keeps the preconditioner positive definite.
    inverse = torch.where(eigenvalues > 0, eigenvalues, 1 / (h * w)).reciprocal()

    def solve(r: Array) -> Array:
        return (row_modes @ ((row_modes.mT @ r @ column_modes) * inverse) @ column_modes.mT) * unknown

    return solve


def _modes(n: int, open_low: bool, open_high: bool, size: int) -> tuple[Array, Array]:
    """The eigenvectors (size, size) and eigenvalues (size,) of the second difference on n points, zero-padded.

    At an open end (the photo's edge) nothing flows; at the other kind a known pixel, here 0, lies beyond.
    """
    j = torch.arange(n, dtype=torch.float64)[:, None]
    k = torch.arange(n, dtype=torch.float64)[None, :]
    if open_low and open_high:
        θ = math.pi * k / n
        basis = torch.cos((j + 0.5) * θ)
    elif open_low or open_high:
        θ = math.pi * (k + 0.5) / (n + 0.5)
        basis = torch.sin((j + 1) * θ)
        basis = basis.flip(0) if open_low else basis
    else:
        θ = math.pi * (k + 1) / (n + 1)
        basis = torch.sin((j + 1) * θ)
    padded, values = torch.zeros(size, size, dtype=torch.float64), torch.ones(size, dtype=torch.float64)
    padded[:n, :n] = basis / basis.norm(dim=0)
    values[:n] = 2 - 2 * torch.cos(θ[0])
    return padded, values
