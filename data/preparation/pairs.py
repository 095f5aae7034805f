"""Photos in pairs, `x.jpg` and a copy with a black rectangle, `x_masked.jpg`, from which the hole is found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core import PhotomendError
from ..masks import Box
from ..photos import LUMINANCE, Photo, PhotoError, decode_photo, find_photos
from ..sources import FolderSource

MASKED = "_masked"
# Cells a side of the coarse grid on which the search for a hole begins.
CELLS = 32
# Two or three turns find the edges; rounding may move them between equals for ever.
MOST_TURNS = 10
# Subtracted from each pixel's score, in squared grey levels: of rectangles that differ by noise, the smaller is taken.
LEAST_SCORE = 1.0
# In grey levels: how bright 95 % of a hole's pixels may be, and how far half of the others may be from the photo. JPEG
# at quality 40 comes to 19 and 4; the masked half of another photo to more than 28 outside.
MOST_INSIDE, MOST_OUTSIDE = 30.0, 10.0
NO_HOLE = "its masked half has no black rectangle, or isn't the same photo around it"

Scores = NDArray[np.float64]


def find_pairs(root: Path) -> list[tuple[Path, Path]]:
    """The pairs under the folder `root`, photo and masked photo, in the order of `find_photos`.

    `x.jpg` and `x_masked.jpg` lie in one folder; they may have different suffixes.

    Raises:
        PhotomendError: there are no photos, or a half is missing or is there twice.
    """
    halves: dict[tuple[Path, str], Path] = {}
    for path in find_photos(root):
        other = halves.setdefault((path.parent, path.stem), path)
        if other != path:
            raise PhotomendError(f"{path}: {other.name} has the same name; which of them is in the pair?")
    pairs, alone = [], []
    for (folder, stem), path in halves.items():
        partner = stem.removesuffix(MASKED) if stem.endswith(MASKED) else stem + MASKED
        if (folder, partner) not in halves:
            alone.append(f"{path}: its other half, {partner}{path.suffix}, is missing")
        elif not stem.endswith(MASKED):
            pairs.append((path, halves[folder, partner]))
    if alone:
        raise PhotomendError(alone[0] + (f"; {len(alone)} photos lack a half" if len(alone) > 1 else ""))
    return pairs


class PairSource(FolderSource):
    """The photos of the `pairs` under the folder `root`, with the holes that their masked halves show."""

    def __init__(self, pairs: Sequence[tuple[Path, Path]], root: Path) -> None:
        super().__init__([photo for photo, _ in pairs], root)
        self.pairs = list(pairs)

    def files(self, index: int) -> tuple[Path, ...]:
        return self.pairs[index]

    def box(self, index: int) -> Box:
        """The hole. Raises PhotoError if a half can't be read, or the pair shows no hole."""
        path, masked = self.pairs[index]
        photo, half = self.read(index), decode_photo(masked, f"{path}: its masked half {masked.name}")
        try:
            return find_hole(photo, half)
        except PhotomendError as error:
            raise PhotoError(f"{path}: {error}") from error


def find_hole(photo: Photo, masked: Photo) -> Box:
    """The rectangle that is black in `masked` and isn't in `photo`, both `uint8 (H, W, 3)`.

    With luminances p of the photo and m of the masked one, a pixel of the hole has m = 0 and any other m = p, but for
    the noise of compression. The rectangle with the least squared error of that model has the largest sum of

        (m − p)² − m² = p (p − 2m),

    which is p² in the hole and −p² around it. Where the photo itself is black it is 0, so that black areas don't move
    the edges. If one lies along a whole edge of the hole, how far the hole reaches into it can't be told, and the
    smallest rectangle is taken: the pixels left out are black in both, so nothing wrong is taken for known.

    If the two differ only in pixels that are pure black in `masked`, as in lossless files, the hole is their bounding
    box and exact. Otherwise the best rectangle on a coarse grid is found by trying all (Bentley, Programming Pearls,
    column 8: the maximum subarray, for all pairs of top and bottom rows at once), and its edges are then moved to the
    best pixels, rows and columns in turn, until none moves: right within a pixel for JPEG at quality 75. Some rectangle
    is always the best, even in the masked half of another photo or in a darker copy; so the one found must be nearly
    black, and most of what is around it nearly the photo.

    Raises:
        PhotomendError: the two differ in size, or there is no such rectangle.
    """
    if photo.shape != masked.shape:
        sizes = (f"{pixels.shape[1]}x{pixels.shape[0]}" for pixels in (photo, masked))
        raise PhotomendError(f"its masked half has another size ({', '.join(sizes)})")
    differs = (photo != masked).any(axis=2)
    if not differs.any():
        raise PhotomendError("its masked half is the same, without a hole")
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    if masked[top:bottom, left:right].any():
        p, m = photo @ LUMINANCE, masked @ LUMINANCE
        top, bottom, left, right = _best_rectangle(p * (p - 2 * m) - LEAST_SCORE)
        inside = np.zeros(p.shape, bool)
        inside[top:bottom, left:right] = True
        bright = inside.all() or np.percentile(m[inside], 95) > MOST_INSIDE
        if bright or np.median(np.abs(m - p)[~inside]) > MOST_OUTSIDE:
            raise PhotomendError(NO_HOLE)
    return Box(int(left), int(top), int(right - left), int(bottom - top))


def _best_rectangle(score: Scores) -> tuple[int, int, int, int]:
    """Top, bottom, left and right (both ends open) of the rectangle with the largest sum, which is above 0."""
    height, width = score.shape
    cell = -(-max(height, width) // CELLS)
    coarse = np.add.reduceat(score, np.arange(0, height, cell), axis=0)
    coarse = np.add.reduceat(coarse, np.arange(0, width, cell), axis=1)
    above = np.pad(coarse.cumsum(axis=0), ((1, 0), (0, 0)))
    tops, bottoms = np.triu_indices(len(above), k=1)
    sums, lefts, rights = _best_runs(above[bottoms] - above[tops])
    best = sums.argmax()
    if sums[best] <= 0:
        raise PhotomendError(NO_HOLE)
    edges = (tops[best] * cell, bottoms[best] * cell, lefts[best] * cell, rights[best] * cell)
    for _ in range(MOST_TURNS):
        before = edges
        _, (top,), (bottom,) = _best_runs(score[:, edges[2] : edges[3]].sum(axis=1)[None])
        _, (left,), (right,) = _best_runs(score[top:bottom].sum(axis=0)[None])
        edges = (top, bottom, left, right)
        if edges == before:
            break
    return edges


def _best_runs(values: Scores) -> tuple[Scores, NDArray[np.intp], NDArray[np.intp]]:
    """Of each row of `values` the run with the largest sum: that sum, where the run starts, and where it has ended."""
    sums = np.pad(values.cumsum(axis=1), ((0, 0), (1, 0)))
    lowest = np.minimum.accumulate(sums, axis=1)[:, :-1]
    gains = sums[:, 1:] - lowest
    lasts, each = gains.argmax(axis=1), np.arange(len(values))
    starts = (sums[:, :-1] == lowest[each, lasts][:, None]).argmax(axis=1)
    return gains[each, lasts], starts, lasts + 1
