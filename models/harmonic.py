"""The harmonic fill: the smoothest surface that joins the known pixels around a hole, Laplace's equation Δu = 0.

Every missing pixel becomes the mean of its neighbours (two to four of them: beyond the photo's edge there is none, so
nothing flows across it). For all missing pixels together this is a sparse symmetric positive definite system A u = b,
solved by the preconditioned conjugate gradient method (`conjugate_gradient.py`), all photos and colours of a batch at
once.

Two preconditioners. For deep holes that are much of their bounding rectangle, and for small solid ones of a photo that
has few, the same equation is solved exactly on that rectangle, as if all of it were missing (`rectangle.py`). For a
rectangular hole that *is* the system, and one iteration suffices; other shapes take some tens. All other holes
(scratches, noise, frames) may span a whole photo, or are many. There only the missing pixels are stored, and multigrid
(`multigrid.py`) is the preconditioner.

Holes in one photo are systems of their own: those with a rectangle are solved one by one, because together they would
be a hole of no simple shape; the others together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core import Array
from . import conjugate_gradient
from .components import Positions, components
from .conjugate_gradient import ConjugateGradient
from .holes import Bounds, Hole, distance_to_known
from .multigrid import Laplace, Pixels
from .reconstructor import Fill
from .rectangle import rectangle_solver

Colours = np.ndarray[Any, np.dtype[Any]]  # (n, 3) in [0, 1]

#: The iteration ends when the estimated error falls under 1/500 of a grey level.
TOLERANCE = 0.002 / 255
#: Steps: a hole is shallow when none of its pixels is farther than this from a known one.
SHALLOW = 12
#: A deep hole sprawls if its bounding rectangle has so many times its pixels, and more than so many pixels.
SPRAWLING, LARGE = 4, 2**17
#: A hole is small if its sides are no longer, a photo has few if it has no more, and a hole is solid if its depth is at
#: least this part of its shorter side: a disc's is half of it.
SHORT, FEW, SOLID = 256, 4, 4
#: Iterations that mostly suffice, with the rectangle and with multigrid as the preconditioner.
EXPECTED, EXPECTED_MULTIGRID = 24, 12


class HarmonicFill(Fill):
    """Every missing pixel becomes the mean of its neighbours; any hole, any size of photo, any device.

    Computes in float64: in float32 the rounding of a large hole's residual alone would exceed the tolerance.
    """

    name = "harmonic"

    def fill(self, known: Array, mask: Array) -> Array:
        filled = known.clone()
        started = _started(known, mask, filled)
        # On a CPU one after the other, for the sake of memory; another device is asked about all of them at once.
        for together in ([one] for one in started) if known.device.type == "cpu" else [list(started)]:
            conjugate_gradient.solve([solution for solution, _ in together])
            for solution, write in together:
                write(solution.u)
        return filled

    def fill_pixels(
        self, hole: Hole, shape: tuple[int, ...], colours: Callable[[Positions, Positions], Colours]
    ) -> Colours:
        """The colours (n, 3) of a hole's n pixels in a photo of this shape (H, W).

        `colours` gives those of known pixels, (m, 3) in [0, 1], at m rows and columns. Time and memory grow with n, not
        with the hole's bounding rectangle.
        """
        pixels = Pixels(hole.rows * shape[1] + hole.columns, (1, shape[0], shape[1]))
        solution = _scattered(pixels, lambda _, y, x: torch.from_numpy(colours(y, x)), torch.device("cpu"))
        conjugate_gradient.solve([solution])
        return solution.u[0, :, 0].T.numpy()[pixels.numbers]


def _started(known: Array, mask: Array, filled: Array) -> Iterator[tuple[ConjugateGradient, Callable[[Array], object]]]:
    """Every system of a batch, still to be solved for, and what writes its solution into `filled`."""
    with_rectangle, others = _systems(mask)
    for holes in with_rectangle:
        yield _solution(known, holes), partial(holes.write, filled=filled)
    if not len(others):
        return
    pixels = Pixels(others, (len(mask), *mask.shape[2:]))

    def colours(*places: Positions) -> Array:
        image, y, x = (torch.from_numpy(each).to(known.device) for each in places)
        return known[image, :, y, x]

    def write(u: Array) -> None:
        image, y, x = (torch.from_numpy(each).to(known.device) for each in pixels.positions())
        filled[image, :, y, x] = u[0, :, 0].T.to(filled)

    yield _scattered(pixels, colours, known.device), write


def _scattered(
    pixels: Pixels, colours: Callable[[Positions, Positions, Positions], Array], device: torch.device
) -> ConjugateGradient:
    """The colours (1, 3, 1, n) of missing pixels, still to be solved for; `colours` gives those of known ones, (m, 3),
    by image, row and column."""
    right_side = torch.zeros(1, 3, 1, len(pixels.places), dtype=torch.float64, device=device)
    for numbers, *places in pixels.around():
        right_side[0, :, 0, torch.from_numpy(numbers).to(device)] += colours(*places).T.to(torch.float64)
    system = Laplace(pixels, device)
    return ConjugateGradient(system, system.precondition, right_side, TOLERANCE, EXPECTED_MULTIGRID)


class _Holes(NamedTuple):
    """Holes that are solved together, one of each of some photos.

    They are those of `mask` (n, 1, H, W), in the photos of these numbers; `rectangles`: each fills its bounds.
    """

    photos: list[int]
    mask: Array
    bounds: list[Bounds]
    rectangles: bool

    def write(self, u: Array, filled: Array) -> None:
        """Put the colours u (n, 3, h, w) of the holes' bounds into the holes of all photos (N, 3, H, W)."""
        for photo, hole, (top, left, bottom, right), own in zip(self.photos, self.mask, self.bounds, u, strict=True):
            missing = hole[:, top:bottom, left:right] > 0.5
            target = filled[photo, :, top:bottom, left:right]
            target.copy_(torch.where(missing, own[:, : bottom - top, : right - left].to(filled.dtype), target))


def _systems(mask: Array) -> tuple[Iterator[_Holes], Positions]:
    """The holes that are solved with their rectangles, one of each photo at a time as long as any has another; and
    the others' pixels, as places in the photos.

    Holes that touch at a corner alone are two: the equation joins neighbours along rows and columns.
    """
    photos, _, height, width = mask.shape
    # One photo below the other, with a row of known pixels between them.
    distance = np.pad(distance_to_known(mask)[:, 0].float().cpu().numpy(), ((0, 0), (0, 1), (0, 0))).reshape(-1, width)
    found = components(distance > 0, corners=False)
    photo, y = np.divmod(found.rows, height + 1)
    own, (rows, columns) = photo[found.starts], found.spans()
    area = (rows[1] - rows[0]) * (columns[1] - columns[0])
    depth = np.maximum.reduceat(distance[found.rows, found.columns], found.starts)
    shorter, longer = np.sort([rows[1] - rows[0], columns[1] - columns[0]], axis=0)
    compact, one_of_few = area <= SPRAWLING * found.sizes, np.bincount(own, minlength=photos)[own] <= FEW
    simple = compact & (depth >= shorter / SOLID) & (longer <= SHORT) & one_of_few
    chosen = ((depth > SHALLOW) & (compact | (area <= LARGE))) | simple

    def holes(numbers: list[int]) -> _Holes:
        missing = np.zeros((len(numbers), 1, height, width), np.bool_)
        bounds = []
        for hole, number in zip(missing[:, 0], numbers, strict=True):
            pixels = slice(found.starts[number], found.starts[number] + found.sizes[number])
            hole[y[pixels], found.columns[pixels]] = True
            above = own[number] * (height + 1)
            edges = rows[0][number] - above, columns[0][number], rows[1][number] - above, columns[1][number]
            bounds.append(Bounds(*map(int, edges)))
        rectangles = bool((found.sizes[numbers] == area[numbers]).all())
        return _Holes(own[numbers].tolist(), torch.from_numpy(missing).to(mask), bounds, rectangles)

    of_photo = [np.flatnonzero(chosen & (own == i)).tolist() for i in range(photos)]
    turns = ([one for one in turn if one is not None] for turn in itertools.zip_longest(*of_photo))
    others = ~np.repeat(chosen, found.sizes)
    return map(holes, turns), np.sort(((photo * height + y) * width + found.columns)[others])


def _solution(known: Array, holes: _Holes) -> ConjugateGradient:
    """The colours (n, 3, h, w), float64, of the missing pixels of each hole's bounds, still to be solved for; h and w
    are the largest ones'. The photos `known` (N, 3, H, W) are 0 in all holes.
    """
    colour, missing, inside = _cut(known, holes.photos, holes.mask, holes.bounds)
    right_side = _neighbour_sum(colour) * missing[..., 1:-1, 1:-1]
    system = _Laplacian(missing, inside)
    rectangle = rectangle_solver(holes.bounds, holes.mask.shape[2], holes.mask.shape[3], system.unknown)
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
