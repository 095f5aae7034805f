"""The biharmonic fill: the surface Δ²u = 0 that continues colours *and* slopes from the known pixels around a hole.

Δ is taken between neighbours along rows and columns, and there is none beyond the photo's edge: it is −G, with

    (G u)_i  =  (neighbours of i) · u_i  −  Σ over its neighbours j of u_j.

G is symmetric, so Δ² = G², and the equations of the missing pixels M, with K for the known ones, are

    (G²)_MM u_M  =  −(G²)_MK u_K.

G² reaches two pixels far. So only the missing pixels and those up to two steps away are looked at, and the sparse
system is solved directly. A thin hole's is banded: time and memory grow with the number of missing pixels. In a deep
hole they grow faster.

Source: Damelin & Hoang, *On surface completion and image inpainting by biharmonic functions* (2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..core import Array
from .holes import hole_bounds
from .multigrid import Pixels
from .reconstructor import Fill

if TYPE_CHECKING:
    from scipy import sparse

#: What overshoots is clipped to the colours of the known pixels that are at most so far from the hole's bounds, pixels.
CONTEXT = 16


class BiharmonicFill(Fill):
    """The surface Δ²u = 0 through the two rows of known pixels around the hole: it continues colours *and* slopes.

    What overshoots is clipped to the range of the known pixels around each photo's holes.
    """

    name = "biharmonic"

    def fill(self, known: Array, mask: Array) -> Array:
        missing = (mask[:, 0] > 0.5).cpu().numpy()
        pixels = Pixels(np.flatnonzero(missing), missing.shape)
        image, y, x = pixels.positions()
        colours = known.movedim(1, -1).double().cpu().numpy()
        solved = solve(pixels, colours)
        for i, bounds in enumerate(hole_bounds(mask)):
            rows, columns = bounds.window(CONTEXT, missing.shape[1:])
            around, own = colours[i, rows, columns][~missing[i, rows, columns]], image == i
            if len(around):
                solved[own] = solved[own].clip(around.min(axis=0), around.max(axis=0))
        colours[image, y, x] = solved
        return torch.from_numpy(colours).movedim(-1, 1).to(known)


def solve(pixels: Pixels, colours: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The colours (n, C) of these missing pixels of images (N, H, W, C)."""
    from scipy.sparse.linalg import splu  # takes a moment to import, and most repairs don't need it

    near = _widened(pixels)
    far = _widened(near)
    g = _differences(near, far)
    own = far.find(pixels.places)
    rows = g[:, own].T @ g  # G is symmetric: its rows of the missing pixels are its columns
    system = rows[:, own].tocsc()
    known = np.setdiff1d(np.arange(len(far.places)), own)
    image, y, x = (each[known] for each in far.positions())
    right_side = -(rows[:, known] @ colours[image, y, x])
    return splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True}).solve(
        right_side
    )


def _widened(pixels: Pixels) -> Pixels:
    """The pixels and those beside them."""
    _, height, width = pixels.shape
    beside = [(image * height + y) * width + x for _, image, y, x in pixels.around()]
    return Pixels(np.unique(np.concatenate([pixels.places, *beside])), pixels.shape)


def _differences(inner: Pixels, outer: Pixels) -> sparse.csr_array:
    """G's rows of the pixels `inner` and its columns of `outer`, which has all of their neighbours."""
    from scipy import sparse

    n = len(inner.places)
    own = outer.find(inner.places)
    neighbours = outer.neighbours[:, own]
    there = neighbours < len(outer.places)
    rows = np.broadcast_to(np.arange(n), neighbours.shape)[there]
    values = np.concatenate([there.sum(axis=0), np.full(len(rows), -1.0)])
    places = np.concatenate([np.arange(n), rows]), np.concatenate([own, neighbours[there]])
    return sparse.csr_array((values, places), shape=(n, len(outer.places)))
