"""Laplace's equation on whole rectangles, solved exactly: sines and cosines are its eigenvectors there.

Source: Strang, *The discrete cosine transform* (1999), for the eigenvectors under both kinds of boundary.
"""

from __future__ import annotations

import math

import torch

from ..core import Array
from .conjugate_gradient import Operator
from .holes import Bounds


def rectangle_solver(
    bounds: list[Bounds], photo_height: int, photo_width: int, unknown: Array, pull: Array | float = 0.0
) -> Operator:
    """The preconditioner for deep holes: A's inverse as if all of each rectangle were missing; `pull` is added to A's
    diagonal. It computes in the dtype of `unknown`, (N, 1, h, w).
    """
    h, w = unknown.shape[2:]
    rows = [(b.bottom - b.top, b.top == 0, b.bottom == photo_height, h) for b in bounds]
    columns = [(b.right - b.left, b.left == 0, b.right == photo_width, w) for b in bounds]
    row_modes, row_values = (each[:, None].to(unknown) for each in _all_modes(rows))
    column_modes, column_values = (each[:, None].to(unknown) for each in _all_modes(columns))
    eigenvalues = row_values[..., None] + column_values[..., None, :] + pull
    # A hole whose rectangle is the whole photo has the eigenvalue 0 (a constant costs nothing); any positive number in
    # its place keeps the preconditioner positive definite.
    inverse = torch.where(eigenvalues > 0, eigenvalues, 1 / (h * w)).reciprocal()

    def solve(r: Array) -> Array:
        return (row_modes @ ((row_modes.mT @ r @ column_modes) * inverse) @ column_modes.mT) * unknown

    return solve


def _all_modes(sides: list[tuple[int, bool, bool, int]]) -> tuple[Array, Array]:
    """The `modes` of these sides, one after the other; many specks have few different ones."""
    different = {side: modes(*side) for side in set(sides)}
    vectors, values = zip(*(different[side] for side in sides), strict=True)
    return torch.stack(vectors), torch.stack(values)


def modes(n: int, open_low: bool, open_high: bool, size: int) -> tuple[Array, Array]:
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
