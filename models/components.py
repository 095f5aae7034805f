"""Connected components of a mask: which of its pixels hang together.

Missing pixels that follow each other in a row are a run, and runs of neighbouring rows that touch belong together. So
the work grows with the missing pixels, of which a large photo may have few.

The runs are joined as in the algorithm of Shiloach & Vishkin, *An O(log n) parallel connectivity algorithm* (1982):
each points to a run of its component with a lower number, at first to itself; where two that touch point to different
ones, the higher of these is pointed to the lower, and then all follow the pointers to their ends.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Positions = np.ndarray[Any, np.dtype[np.int64]]


class Components(NamedTuple):
    """The pixels of a mask, component by component, each in reading order.

    Attributes:
        rows, columns: of the pixels.
        starts: the number of each component's first pixel.
    """

    rows: Positions
    columns: Positions
    starts: Positions

    @property
    def sizes(self) -> Positions:
        """How many pixels each has."""
        return np.diff(self.starts, append=len(self.rows))

    def spans(self) -> tuple[tuple[Positions, Positions], tuple[Positions, Positions]]:
        """The first row of each and the one behind its last; the same of its columns."""
        rows, columns = (
            (np.minimum.reduceat(positions, self.starts), np.maximum.reduceat(positions, self.starts) + 1)
            for positions in (self.rows, self.columns)
        )
        return rows, columns


def components(mask: Mask, corners: bool) -> Components:
    """The components of a mask (H, W); pixels that touch at a corner alone hang together if `corners` says so."""
    width = mask.shape[1] + 2  # with a column on each side, places of different rows are never neighbours
    rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])
    places = rows * width + columns + 1
    if not len(places):
        return Components(rows, columns, rows)
    begins = np.flatnonzero(np.diff(places, prepend=-1) != 1)
    first, last = places[begins], places[np.append(begins[1:], len(places)) - 1]
    # Each run with those of the next row that it touches: they follow each other.
    from_, to = (
        np.searchsorted(last, first + width - corners),
        np.searchsorted(first, last + width + corners, side="right"),
    )
    count = to - from_
    upper = np.repeat(np.arange(len(first)), count)
    lower = np.arange(len(upper)) + np.repeat(from_ - np.cumsum(count) + count, count)
    label = np.repeat(_joined(len(first), upper, lower), np.diff(begins, append=len(places)))
    order = np.argsort(label, kind="stable")
    return Components(rows[order], columns[order], np.flatnonzero(np.diff(label[order], prepend=-1)))


def _joined(n: int, a: Positions, b: Positions) -> Positions:
    """For each of n things, of which a[i] and b[i] belong together, the lowest one that it is joined with."""
    lowest = np.arange(n)
    while (apart := lowest[a] != lowest[b]).any():
        a, b = a[apart], b[apart]
        np.minimum.at(lowest, np.maximum(lowest[a], lowest[b]), np.minimum(lowest[a], lowest[b]))
        while not np.array_equal(lowest, further := lowest[lowest]):
            lowest = further
    return lowest
