"""A place for every box of a graph, and a way for every arrow: rows from top to bottom, along the flow of data.

Four steps: each box goes into a row above all boxes that use it; an arrow that passes rows gets a wire in each, a cell
of its own; the cells of a row are ordered so that few arrows cross, and moved sideways to where their neighbours are.

Source: Sugiyama, Tagawa & Toda, *Methods for visual understanding of hierarchical system structures* (1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]
#: Room between neighbours, between rows, around everything, and the width that an arrow takes where it passes a row.
ACROSS, DOWN, MARGIN, WIRE = 18.0, 36.0, 12.0, 4.0
#: How often the rows are ordered, and then moved, downwards and upwards.
SWEEPS = 12


@dataclass(eq=False)
class Cell:
    """A box, or a wire of an arrow, in its row."""

    row: int
    width: float
    height: float = 0.0
    above: list[Cell] = field(default_factory=list)
    below: list[Cell] = field(default_factory=list)
    place: int = 0  # in its row
    x: float = 0.0  # of its middle


@dataclass
class Layout:
    """Left upper corners of the boxes, the points of the arrows, and the size of the whole.

    An arrow's points come in pairs, the ends of vertical lines; between two pairs it crosses the room between two rows.
    """

    corners: list[Point]
    arrows: list[list[Point]]
    width: float
    height: float


def arrange(sizes: Sequence[Point], sources: Sequence[Sequence[int]]) -> Layout:
    """Place boxes of these sizes (width, height).

    Args:
        sources: for each box those that its arrows come from, all of which stand behind it in the list.
    """
    boxes = [Cell(row, *size) for row, size in zip(_rows(sources), sizes, strict=True)]
    wires = [[_wired(boxes[s], box) for s in theirs] for box, theirs in zip(boxes, sources, strict=True)]
    rows: list[list[Cell]] = [[] for _ in range(1 + max(box.row for box in boxes))]
    for cell in [*boxes, *(cell for each in wires for chain in each for cell in chain)]:
        rows[cell.row].append(cell)
    _order(rows)
    _move(rows)
    left = MARGIN - min(cell.x - cell.width / 2 for row in rows for cell in row)
    for row in rows:
        for cell in row:
            cell.x += left
    tall = [max(cell.height for cell in row) for row in rows]
    tops = [MARGIN + sum(tall[:i]) + DOWN * i for i in range(len(rows))]
    corners = [(b.x - b.width / 2, tops[b.row] + (tall[b.row] - b.height) / 2) for b in boxes]
    arrows = []
    for target, (theirs, chains) in enumerate(zip(sources, wires, strict=True)):
        ends = _ends(boxes[target], [(chain or [boxes[s]])[-1] for s, chain in zip(theirs, chains, strict=True)])
        for source, chain, end in zip(theirs, chains, ends, strict=True):
            column = [boxes[source], *chain]
            lines = [[(cell.x, tops[cell.row]), (cell.x, tops[cell.row] + tall[cell.row])] for cell in column]
            lines[0][0] = column[0].x, corners[source][1] + column[0].height
            arrow = [point for line in lines for point in line]
            arrows.append([*arrow, (end, tops[boxes[target].row]), (end, corners[target][1])])
    width = MARGIN + max(cell.x + cell.width / 2 for row in rows for cell in row)
    return Layout(corners, arrows, width, tops[-1] + tall[-1] + MARGIN)


def _rows(sources: Sequence[Sequence[int]]) -> list[int]:
    """Each box as far down as its users allow: by the longest way to the first box, which is in the last row."""
    depth = [0] * len(sources)
    for box, theirs in enumerate(sources):
        for source in theirs:
            depth[source] = max(depth[source], depth[box] + 1)
    return [max(depth) - own for own in depth]


def _wired(source: Cell, target: Cell) -> list[Cell]:
    """Join two boxes, with a wire in each row between them; returns the wires from top to bottom."""
    wires = [Cell(row, WIRE) for row in range(source.row + 1, target.row)]
    column = [source, *wires, target]
    for upper, lower in pairwise(column):
        upper.below.append(lower)
        lower.above.append(upper)
    return wires


def _order(rows: list[list[Cell]]) -> None:
    """Sort each row by the mean place of its cells' neighbours in the row before (the barycentre), again and again."""
    for row in rows:
        _number(row)
    for _ in range(SWEEPS):
        for row in rows[1:]:
            row.sort(key=lambda cell: _mean([other.place for other in cell.above], cell.place))
            _number(row)
        for row in reversed(rows[:-1]):
            row.sort(key=lambda cell: _mean([other.place for other in cell.below], cell.place))
            _number(row)


def _number(row: list[Cell]) -> None:
    for place, cell in enumerate(row):
        cell.place = place


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _move(rows: list[list[Cell]]) -> None:
    """Bring each cell as near to the middle of its neighbours as those beside it allow."""
    for row in rows:
        _apart(row, [0.0] * len(row))
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _apart(row, [_mean([other.x for other in (*cell.above, *cell.below)], cell.x) for cell in row])


def _apart(row: list[Cell], wishes: list[float]) -> None:
    """Place a row's cells, in their order and without overlap, with the least sum of squared distances to `wishes`.

    Less the room that the cells to the left take, places need only rise, so this is an isotonic regression: whoever
    would stand left of the one before joins it, and both stand at the mean of their wishes (pool adjacent violators;
    Barlow et al., *Statistical inference under order restrictions*, 1972).
    """
    taken, offsets = 0.0, []
    for before, cell in zip([row[0], *row], row, strict=False):
        if cell is not row[0]:
            taken += (before.width + cell.width) / 2 + ACROSS
        offsets.append(taken)
    pools: list[tuple[float, int]] = []  # the mean of the wishes of how many cells
    for wish, offset in zip(wishes, offsets, strict=True):
        mean, count = wish - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
    places = [mean for mean, count in pools for _ in range(count)]
    for cell, place, offset in zip(row, places, offsets, strict=True):
        cell.x = place + offset


def _ends(target: Cell, previous: list[Cell]) -> list[float]:
    """Where arrows arrive at the upper side of a box: spread over it, from left to right as they come."""
    order = sorted(range(len(previous)), key=lambda i: (previous[i].x, i))
    step = target.width / (len(previous) + 1)
    ends = [0.0] * len(previous)
    for place, i in enumerate(order):
        ends[i] = target.x - target.width / 2 + step * (place + 1)
    return ends
