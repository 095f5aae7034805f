"""A drawing of a network from its parts (`architecture.py`): boxes in columns and rows, and arrows between them.

A row holds parts whose results are of one size, the smaller the further down. In it, a part stands to the right of all
that it was made of; one that changes the size stands above or below its source, if there is room.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from . import templates
from .architecture import INPUT, OUTPUT, Part, count

#: The least width of a box, the height of a line, and the room between boxes, in the drawing's own units.
BOX, LINE, ACROSS, DOWN = 84.0, 14.0, 20.0, 34.0
#: The width of a character, by the class of its line: of a wide font, for the reader's isn't known.
CHARACTER = {"part-name": 8.1, "layer": 6.4, "shape": 6.4}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'


class Box(NamedTuple):
    """A part in its place: its column and row, its left side, its middle, and its size."""

    column: int
    row: int
    left: float
    middle: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        return self.left + self.width / 2

    def edge(self, downwards: bool) -> float:
        """Its lower or its upper side."""
        return self.middle + self.height / 2 * (1 if downwards else -1)


def draw(parts: list[Part], title: str, key: str = "1", style: str = "") -> Markup:
    """The drawing as an SVG element.

    `key` tells its arrow heads from those of others on the page. With a `style` sheet it can be a file of its own.
    """
    shown = [Part(INPUT, [], parts[-1].shape, 0, []), *parts]
    boxes = arrange(shown)
    tall = {box.row: max(other.height for other in boxes.values() if other.row == box.row) for box in boxes.values()}
    arrows = [arrow(boxes[source], boxes[part.name], tall) for part in parts for source in part.sources]
    drawn = [
        {"x": x, "top": middle - height / 2, "width": width, "height": height, "line": LINE, "lines": lines_of(part)}
        for part, (_, _, x, middle, width, height) in ((part, boxes[part.name]) for part in shown)
    ]
    width = max(box.left + box.width for box in boxes.values()) + 2
    height = sum(tall.values()) + DOWN * (len(tall) + 0.5)
    size = {"width": round(width, 1), "height": round(height, 1)}
    template = templates().get_template("architecture.svg.jinja")
    return Markup(template.render(**size, title=title, key=key, style=Markup(style), arrows=arrows, boxes=drawn))


def arrange(parts: Sequence[Part]) -> dict[str, Box]:
    """Each part's box, by name."""
    sides = sorted({part.side for part in parts}, reverse=True)
    cells = _cells(parts, sides)
    heights = [max(height_of(part) for part in parts if part.side == side) for side in sides]
    middles = [DOWN * (i + 1) + sum(heights[:i]) + heights[i] / 2 for i in range(len(sides))]
    widths = [BOX] * (1 + max(column for column, _ in cells.values()))
    for part in parts:
        longest = max(len(text) * CHARACTER[kind] for text, kind in lines_of(part))
        column = cells[part.name][0]
        widths[column] = max(widths[column], longest + 8)
    lefts = [2 + sum(widths[:i]) + i * ACROSS for i in range(len(widths))]
    return {
        part.name: Box(column, row, lefts[column], middles[row], widths[column], height_of(part))
        for part, (column, row) in ((part, cells[part.name]) for part in parts)
    }


def _cells(parts: Sequence[Part], sides: list[int]) -> dict[str, tuple[int, int]]:
    """Each part's column and row, no two in the same place; `sides` are the rows' heights."""
    steps: dict[str, int] = {}  # from the input, at most: what is made first is placed first
    for part in parts:
        steps[part.name] = 1 + max((steps[source] for source in part.sources), default=-1)
    cells: dict[str, tuple[int, int]] = {}
    for part in sorted(parts, key=lambda part: steps[part.name]):
        row, column = sides.index(part.side), 0
        for at, level in (cells[source] for source in part.sources):
            between = range(min(row, level) + 1, max(row, level))
            straight = level != row and not any((at, crossed) in cells.values() for crossed in between)
            column = max(column, at if straight else at + 1)
        while (column, row) in cells.values():
            column += 1
        cells[part.name] = column, row
    return cells


def arrow(start: Box, end: Box, tall: dict[int, float]) -> str:
    """The path from one box to another; `tall` are the heights of the rows.

    Straight up or down in one column, to the right into the next one; farther, through the room above or below the
    start's row.
    """
    down, level = end.row > start.row, end.row == start.row
    if start.column == end.column:
        return f"M{start.centre},{start.edge(down)} V{end.edge(not down) + (-3 if down else 3)}"
    enter = f"H{end.left - ACROSS / 2} V{end.middle - 8 * level} H{end.left - 3}"
    if end.column == start.column + 1:
        return f"M{start.left + start.width},{start.middle} H{end.left - ACROSS / 2} V{end.middle} H{end.left - 3}"
    room = start.middle + (tall[start.row] + DOWN) / 2 * (1 if down else -1)
    return f"M{start.centre},{start.edge(down)} V{room} {enter}"


def height_of(part: Part) -> float:
    return LINE * len(lines_of(part)) + 10


def lines_of(part: Part) -> list[tuple[str, str]]:
    """What stands in a part's box, with the class of each line: its name, layers, result and number of weights."""
    counted = ((name, len(list(same))) for name, same in groupby(part.layers))  # equal neighbours
    layers = [(f"{times} × {name}" if times > 1 else name, "layer") for name, times in counted]
    lines = [(part.name, "part-name"), *layers, (" × ".join(map(str, part.shape)), "shape")]
    if not part.parameters:
        return lines
    return [*lines, (f"{count(part.parameters)} weights{' in all' * (part.name == OUTPUT)}", "shape")]


def file_style(dark: bool) -> str:
    """The style sheet of a drawing that is a file of its own, on paper of its own.

    The colours are those of the report's page, light or, where the reader wants that and `dark` allows it, dark.
    Renderers that know no variables take the light ones.
    """
    texts = {name: resources.files(__package__).joinpath(name).read_text(encoding="utf-8") for name in _SHEETS}
    palettes = [dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in _ROOT.findall(texts["style.css"])[:2]]
    rules = texts["architecture.css"] + f".paper {{ fill: var(--paper); }}\n.architecture {{ font-family: {FONT}; }}\n"

    def coloured(palette: dict[str, str]) -> str:
        return re.sub(r"var\(--([\w-]+)\)", lambda found: palette[found[1]], rules)

    light, night = map(coloured, palettes)
    return f"\n{light}@media (prefers-color-scheme: dark) {{\n{night}}}\n" if dark else f"\n{light}"


_SHEETS = ("style.css", "architecture.css")
_ROOT = re.compile(r":root \{(.*?)\}", re.DOTALL)
