"""The harmonic fill: the smoothest surface that joins the known pixels around a hole, Laplace's equation Δu = 0.

Every missing pixel becomes the mean of its neighbours (two to four of them: beyond the photo's edge there is none, so
nothing flows across it). For all missing pixels together this is a sparse symmetric positive definite system A u = b,
solved by the preconditioned conjugate gradient method, all photos and colours of a batch at once.

Two preconditioners. For deep holes the same equation is solved exactly on the hole's bounding rectangle, as if all of
it were missing: there sines and cosines are A's eigenvectors. For a rectangular hole that *is* the system, and one
iteration suffices; other shapes take some tens. Shallow holes (scratches, noise) may span a whole photo, but no pixel
of theirs is far from a known one: there A is nearly diagonal already, and dividing by the diagonal does it.

Holes in one photo are systems of their own: deep ones are solved one by one, because together they would be a hole of
no simple shape; shallow ones together.

Sources: Shewchuk, *An introduction to the conjugate gradient method without the agonizing pain* (1994), B3; Strang,
*The discrete cosine transform* (1999), for the eigenvectors under both kinds of boundary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy import ndimage

from ..core import Array
from .holes import Bounds, distance_to_known, hole_bounds
from .reconstructor import Fill

#: The iteration ends when the estimated error falls under 1/500 of a grey level.
TOLERANCE = 0.002 / 255
#: Steps: a hole is shallow when none of its pixels is farther than this from a known one.
SHALLOW = 12
#: What has been found by then is taken.
MAX_ITERATIONS = 1000


class HarmonicFill(Fill):
    """Every missing pixel becomes the mean of its neighbours; any hole, any size of photo, any device.

    Computes in float64: in float32 the rounding of a large hole's residual alone would exceed the tolerance.
    """

    name = "harmonic"

    def fill(self, known: Array, mask: Array) -> Array:
        filled = known.clone()
        for photos, holes, depth in _systems(mask):
            bounds = hole_bounds(holes)
            solved = _solve(known, photos, holes, bounds, depth)
            for photo, hole, (top, left, bottom, right), u in zip(photos, holes, bounds, solved, strict=True):
                missing = hole[:, top:bottom, left:right] > 0.5
                target = filled[photo, :, top:bottom, left:right]
                target.copy_(torch.where(missing, u[:, : bottom - top, : right - left].to(known.dtype), target))
        return filled


def _systems(mask: Array) -> Iterator[tuple[list[int], Array, float]]:
    """Deep holes, one of each photo at a time as long as any has another, then all shallow ones of each photo together.

    Yields the numbers of the photos, masks (n, 1, H, W) and the largest depth. Holes that touch at a corner alone are
    two: the equation joins neighbours along rows and columns.
    """

    def masks(missing: list[np.ndarray]) -> Array:
        return torch.from_numpy(np.stack(missing))[:, None].to(mask)

    distance = distance_to_known(mask)[:, 0].float().cpu().numpy()
    labelled = [ndimage.label(d > 0) for d in distance]
    # The depth of each hole by its label; label 0 is what is known, at depth 0.
    depths = [ndimage.maximum(d, own, np.arange(n + 1)) for d, (own, n) in zip(distance, labelled, strict=True)]
    deep = [np.flatnonzero(depth > SHALLOW) for depth in depths]
    for turn in range(max(map(len, deep))):
        photos = [i for i, numbers in enumerate(deep) if len(numbers) > turn]
        yield photos, masks([labelled[i][0] == deep[i][turn] for i in photos]), float(distance.max())
    shallow = [np.flatnonzero((depth > 0) & (depth <= SHALLOW)) for depth in depths]
    if photos := [i for i, numbers in enumerate(shallow) if len(numbers)]:
        deepest = max(depths[i][shallow[i]].max() for i in photos)
        yield photos, masks([np.isin(labelled[i][0], shallow[i]) for i in photos]), float(deepest)


def _solve(known: Array, photos: list[int], mask: Array, bounds: list[Bounds], depth: float) -> Array:
    """The colours (n, 3, h, w), float64, of the missing pixels of each hole's rectangle; h and w are the largest one's.

    The holes are those of masks (n, 1, H, W), in these `photos` of `known` (N, 3, H, W), which is 0 in all holes.
    """
    colour, missing, inside = _cut(known, photos, mask, bounds)
    right_side = _neighbour_sum(colour) * missing[..., 1:-1, 1:-1]
    system = _Laplacian(missing, inside)
    if depth <= SHALLOW:
        # Jacobi's preconditioner; here the residual underestimates the error, by up to the square of the depth.
        return _conjugate_gradient(system, lambda r: r / system.neighbours, right_side, TOLERANCE / depth**2)
    rectangle = _rectangle_solver(bounds, mask.shape[2], mask.shape[3], system.unknown)
    return _conjugate_gradient(system, rectangle, right_side, TOLERANCE)


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


def _rectangle_solver(
    bounds: list[Bounds], photo_height: int, photo_width: int, unknown: Array
) -> Callable[[Array], Array]:
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


def _conjugate_gradient(
    system: _Laplacian, precondition: Callable[[Array], Array], b: Array, tolerance: float
) -> Array:
    """Solve A u = b for every photo and colour (the leading two axes) at once.

    Ends when no element of the preconditioned residual is above `tolerance`, or after MAX_ITERATIONS.
    """

    def dot(p: Array, q: Array) -> Array:
        return (p * q).sum(dim=(2, 3), keepdim=True)

    def ratio(p: Array, q: Array) -> Array:
        return torch.where(q > 0, p / q, 0.0)  # a system already solved has 0 / 0

    u = torch.zeros_like(b)
    residual = b
    z = precondition(residual)
    direction, decrease = z, dot(residual, z)
    for _ in range(MAX_ITERATIONS):
        if z.abs().max() <= tolerance:
            break
        image = system(direction)
        α = ratio(decrease, dot(direction, image))
        u = u + α * direction
        residual = residual - α * image
        z = precondition(residual)
        previous, decrease = decrease, dot(residual, z)
        direction = z + ratio(decrease, previous) * direction
    return u
