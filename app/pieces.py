"""What of a photo is worked on in one piece: a hole with its surroundings, or a stretch of one that sprawls.

A scratch from edge to edge, a frame or a net of cracks has the whole photo in its bounding rectangle, and hardly a
pixel of it. It is cut into overlapping squares along its length. Each is rebuilt with what is around it, and where
two overlap their answers are blended, with weights that fall to nothing at a square's edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..models.components import Positions
from ..models.holes import Hole, Window, window_around
from .photo.canvas import Canvas, Colours

#: What the sides of a crop are rounded up to, pixels: networks halve them up to three times.
MULTIPLE = 16
#: Pixels of surroundings that a model gets on each side of a hole, at least, where the photo has them.
CONTEXT = 32
#: Sides of the squares, and how far neighbours overlap, pixels.
SQUARE, OVERLAP = 512, 96
#: A hole sprawls if it is longer than a square, and so many times its pixels are fewer than its length squared.
SPRAWLING = 4


class Piece(NamedTuple):
    """Pixels of a hole that are rebuilt together.

    Attributes:
        own: which of the hole's pixels they are, by their numbers.
        weights: how much its answer counts for each, float32 (n, 1), beside those of pieces that overlap with it.
        window: the smallest one that holds them.
    """

    own: Positions
    weights: np.ndarray[Any, np.dtype[np.float32]]
    window: Window


def sprawls(hole: Hole) -> bool:
    """Whether a hole is long, and thin for its length."""
    length = max(side.stop - side.start for side in hole.window)
    return length > SQUARE and SPRAWLING * len(hole.rows) < length**2


def pieces(hole: Hole) -> Iterator[Piece]:
    """A hole as a whole, or the pieces of one that sprawls."""
    if not sprawls(hole):
        everything = np.arange(len(hole.rows))
        yield Piece(everything, np.ones((len(everything), 1), np.float32), hole.window)
        return
    for square in hole.squares(SQUARE, OVERLAP):
        own = hole.inside(square)
        part = Hole(hole.rows[own], hole.columns[own])
        steps = [  # to the nearest side of the square
            np.minimum(positions - side.start + 1, side.stop - positions)
            for positions, side in zip(part, square, strict=True)
        ]
        weights = np.prod(np.minimum(steps, OVERLAP) / np.float32(OVERLAP), axis=0, dtype=np.float32)
        yield Piece(own, weights[:, None], part.window)


def crop_around(hole: Window, shape: tuple[int, ...], context: int | None = None) -> Window:
    """The hole with `context` pixels around it, or else half its longer side, at least CONTEXT, in a photo (H, W).

    Sides are rounded up to a multiple of MULTIPLE, by pixels behind the hole, where the photo has them.
    """
    if context is None:
        context = max(CONTEXT, (max(side.stop - side.start for side in hole) + 1) // 2)
    lengths = [side.stop - side.start + 2 * context for side in hole]
    height, width = (length + -length % MULTIPLE for length in lengths)
    rows, columns = (slice(side.start, side.stop + -n % MULTIPLE) for side, n in zip(hole, lengths, strict=True))
    return window_around((rows, columns), height, width, shape)


class Blend:
    """The colours of a hole's n pixels, of which the pieces come one by one."""

    def __init__(self, pieces: int, n: int) -> None:
        self.missing, self.total, self.weights = pieces, np.zeros((n, 3), np.float32), np.zeros((n, 1), np.float32)

    def add(self, piece: Piece, colours: Colours) -> None:
        self.missing -= 1
        self.total[piece.own] += piece.weights * colours
        self.weights[piece.own] += piece.weights

    def colours(self) -> Colours:
        return self.total / self.weights


def colours_at(canvas: Canvas, rows: Positions, columns: Positions) -> Colours:
    """The colours (n, 3) of n pixels of a canvas, wherever they are; it shows windows."""
    order = np.lexsort((columns, rows))
    pixels, found = Hole(rows[order], columns[order]), np.empty((len(rows), 3), np.float32)
    for square in pixels.squares(SQUARE):
        own = pixels.inside(square)
        part = Hole(pixels.rows[own], pixels.columns[own])
        window = part.window
        crop = canvas.colours(window)
        found[order[own]] = crop[part.rows - window[0].start, part.columns - window[1].start]
    return found
