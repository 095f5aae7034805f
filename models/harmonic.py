"""The harmonic fill: the smoothest surface that joins the known pixels around a hole, Laplace's equation Δu = 0.

Every missing pixel becomes the mean of its neighbours (two to four of them: beyond the photo's edge there is none, so
nothing flows across it). For all missing pixels together this is a sparse symmetric positive definite system A u = b,
solved by the preconditioned conjugate gradient method, all photos and colours of a batch at once.

Two preconditioners. For thick holes the same equation is solved exactly on the hole's bounding rectangle, as if all of
it were missing: there sines and cosines are A's eigenvectors. For a rectangular hole that *is* the system, and one
iteration suffices; other shapes take some tens. Thin holes (scratches, noise) may span a whole photo, but no pixel of
theirs is far from a known one: there A is nearly diagonal already, and dividing by the diagonal does it.

Sources: Shewchuk, *An introduction to the conjugate gradient method without the agonizing pain* (1994), B3; Strang,
*The discrete cosine transform* (1999), for the eigenvectors under both kinds of boundary.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ..core import Array
from .geometry import Bounds, distance_to_known, hole_bounds, require_hole

#: The iteration ends when the estimated error falls under 1/500 of a grey level.
TOLERANCE = 0.002 / 255
#: A hole is thin when none of its pixels is more steps than this away from a known one.
THIN = 12
MAX_ITERATIONS = 1000


class HarmonicFill:
    """The harmonic fill as a reconstructor; any hole, any size of photo, any device."""

    name = "harmonic"

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """See `harmonic_fill`."""
        return harmonic_fill(masked, mask)


def harmonic_fill(masked: Array, mask: Array) -> Array:
    """Fill the missing pixels of `masked` (N, 3, H, W) so that each is the mean of its neighbours.

    Args:
        masked: photos; what stands in the missing pixels is ignored.
        mask: (N, 1, H, W), 1 = missing; each has at least one missing and one known pixel.

    Returns:
        (N, 3, H, W); known pixels are bit-identical to `masked`. The sums run in float64: in float32 the rounding of
        a large hole's residual alone would exceed the tolerance.

    Raises:
        ValueError: shapes don't fit, or a mask is empty or covers its photo.
    """
    require_hole(masked, mask)
    bounds = hole_bounds(mask)
    colour, missing, inside = _cut(masked, mask, bounds)
    right_side = _neighbour_sum(torch.where(missing, 0.0, colour)) * missing[..., 1:-1, 1:-1]
    thickness = distance_to_known(mask).max().item()
    system = _Laplacian(missing, inside)
    if thickness <= THIN:
        # Here the residual underestimates the error, by up to the square of the thickness.
        u = _conjugate_gradient(system, system.divide_by_diagonal, right_side, TOLERANCE / thickness**2)
    else:
        rectangle = _RectangleSolver(bounds, mask.shape[2], mask.shape[3], system.unknown)
        u = _conjugate_gradient(system, rectangle, right_side, TOLERANCE)
    filled = masked.clone()
    for i, (top, left, bottom, right) in enumerate(bounds):
        hole = mask[i, :, top:bottom, left:right] > 0.5
        target = filled[i, :, top:bottom, left:right]
        target.copy_(torch.where(hole, u[i, :, : bottom - top, : right - left].to(masked.dtype), target))
    return filled


def _cut(masked: Array, mask: Array, bounds: list[Bounds]) -> tuple[Array, Array, Array]:
    """Each hole's rectangle with one pixel around it, all in arrays of the largest one's size.

    Returns the colours (N, C, h + 2, w + 2) in float64, and whether each pixel (N, 1, h + 2, w + 2) is missing, and
    whether it lies inside the photo at all.
    """
    n, c, photo_height, photo_width = masked.shape
    height = 2 + max(b.bottom - b.top for b in bounds)
    width = 2 + max(b.right - b.left for b in bounds)
    colour = masked.new_zeros(n, c, height, width, dtype=torch.float64)
    missing = mask.new_zeros(n, 1, height, width, dtype=torch.bool)
    inside = torch.zeros_like(missing)
    for i, (top, left, bottom, right) in enumerate(bounds):
        rows = slice(max(top - 1, 0), min(bottom + 1, photo_height))
        columns = slice(max(left - 1, 0), min(right + 1, photo_width))
        to_rows = slice(rows.start - top + 1, rows.stop - top + 1)
        to_columns = slice(columns.start - left + 1, columns.stop - left + 1)
        colour[i, :, to_rows, to_columns] = masked[i, :, rows, columns]
        missing[i, :, to_rows, to_columns] = mask[i, :, rows, columns] > 0.5
        inside[i, :, to_rows, to_columns] = True
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

    def divide_by_diagonal(self, r: Array) -> Array:
        """The preconditioner for thin holes (Jacobi's)."""
        return r / self.neighbours


class _RectangleSolver:
    """The preconditioner for thick holes: A's inverse as if all of each rectangle were missing."""

    def __init__(self, bounds: list[Bounds], photo_height: int, photo_width: int, unknown: Array) -> None:
        self.unknown = unknown
        h, w = unknown.shape[2:]
        rows = [_modes(b.bottom - b.top, b.top == 0, b.bottom == photo_height, h) for b in bounds]
        columns = [_modes(b.right - b.left, b.left == 0, b.right == photo_width, w) for b in bounds]
        self.row_modes = torch.stack([basis for basis, _ in rows])[:, None].to(unknown.device)
        self.column_modes = torch.stack([basis for basis, _ in columns])[:, None].to(unknown.device)
        row_values = torch.stack([values for _, values in rows])[:, None, :, None]
        eigenvalues = row_values + torch.stack([values for _, values in columns])[:, None, None, :]
        # A hole whose rectangle is the whole photo has the eigenvalue 0 (a constant costs nothing); any positive
        # number in its place keeps the preconditioner positive definite.
        self.inverse_eigenvalues = eigenvalues.clamp_min(1 / (h * w)).reciprocal().to(unknown.device)

    def __call__(self, r: Array) -> Array:
        modes = self.row_modes.mT @ r @ self.column_modes
        return (self.row_modes @ (modes * self.inverse_eigenvalues) @ self.column_modes.mT) * self.unknown


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

    Ends when no element of the preconditioned residual is above `tolerance`.
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
