"""Boxes and arrows as SVG, in colours that stand out on light and on dark paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from ..files import replacing
from .layout import Point, arrange

#: Of the text, in the drawing's units. A character of a monospaced font is about 0.6 of its size wide.
SIZE, LINE, CHARACTER, PADDING = 12, 15.0, 7.4, 9.0
#: The longest name that is shown whole; its box's title always has all of it.
LONGEST = 44
LINES, TEXT, QUIET = "#8a919c", "#1c2128", "#4a5260"
#: The fill, the outline, the roundness of the corners and whether the outline is dashed, by kind of box.
LOOKS = {
    "operation": ("#eef0f3", LINES, 3, False),
    "parameter": ("#dbe8f8", "#4f7fb8", 12, False),
    "leaf": ("#def0e1", "#4f9360", 12, False),
    "constant": ("#fbfbfb", LINES, 12, True),
}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(eq=False)
class Box:
    """What stands in a box: its name, lines below it, and a title for who points at it or has it read aloud."""

    kind: str
    name: str
    title: str
    lines: list[str]
    sources: list[Box] = field(default_factory=list)

    @property
    def size(self) -> Point:
        longest = max(_columns(text) for text in (_short(self.name), *self.lines))
        return 2 * PADDING + CHARACTER * longest, 2 * PADDING + LINE * (1 + len(self.lines)) - 5


class Drawing:
    """An SVG picture; a notebook shows it by itself.

    Attributes:
        svg: the whole file.
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.svg)} characters; save(path) writes it>"

    def save(self, path: str | Path) -> None:
        """Write the file. Raises ValueError for a path that doesn't end in .svg, and OSError."""
        path = Path(path)
        if path.suffix.lower() != ".svg":
            raise ValueError(f"path (={path}) must end in .svg")
        with replacing(path) as draft:
            draft.write_text(self.svg, encoding="utf-8")


def render(boxes: Sequence[Box], title: str) -> Drawing:
    """The boxes, each before those that its arrows come from, as a picture."""
    number = {box: i for i, box in enumerate(boxes)}
    layout = arrange([box.size for box in boxes], [[number[source] for source in box.sources] for box in boxes])
    size = f"{_n(layout.width)} {_n(layout.height)}"
    width, height = size.split()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width}" height="{height}" '
        f'role="graphics-document" font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" '
        f'font-size="{SIZE}" fill="{TEXT}">',
        f"<title>{_escaped(title)}</title>",
        '<defs><marker id="photomend-arrow" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        f'<path d="M0,0.5 L8,4 L0,7.5 Z" fill="{LINES}"/></marker></defs>',
        f'<g fill="none" stroke="{LINES}" stroke-width="1.3">',
    ]
    ends = [(number[source], i) for i, box in enumerate(boxes) for source in box.sources]
    for (start, end), points in zip(ends, layout.arrows, strict=True):
        parts.append(
            f'<path data-from="{start}" data-to="{end}" d="{_path(points)}" marker-end="url(#photomend-arrow)"/>'
        )
    parts.append("</g>")
    parts += [_drawn(box, i, corner) for i, (box, corner) in enumerate(zip(boxes, layout.corners, strict=True))]
    return Drawing("\n".join([*parts, "</svg>", ""]))


def _drawn(box: Box, number: int, corner: Point) -> str:
    (x, y), (width, height) = corner, box.size
    fill, outline, round_, dashed = LOOKS[box.kind]
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    parts = [
        f'<g data-node="{number}" data-kind="{box.kind}" role="img">',
        f"<title>{_escaped(box.title)}</title>",
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{round_}" '
        f'fill="{fill}" stroke="{outline}"{dashes}/>',
    ]
    for i, text in enumerate((_short(box.name), *box.lines)):
        weight = 'font-weight="bold"' if i == 0 else f'fill="{QUIET}"'
        indent = CHARACTER * (len(text) - len(text.lstrip()))
        place = f'x="{_n(x + PADDING + indent)}" y="{_n(y + PADDING + 9 + LINE * i)}"'
        parts.append(f"<text {place} {weight}>{_escaped(text.lstrip())}</text>")
    return "\n".join([*parts, "</g>"])


def _path(points: list[Point]) -> str:
    """Straight down each pair of points, and in a curve from one pair to the next."""
    (x, y), path = points[0], []
    path.append(f"M{_n(x)},{_n(y)}")
    for (x0, y0), (x1, y1) in zip(points[1::2], points[2::2], strict=False):
        middle = _n((y0 + y1) / 2)
        path.append(f"V{_n(y0)} C{_n(x0)},{middle} {_n(x1)},{middle} {_n(x1)},{_n(y1)}")
    if points[-1] != points[-2]:  # a line without length would leave the arrow's head without a direction
        path.append(f"V{_n(points[-1][1])}")
    return " ".join(path)


def _n(number: float) -> str:
    return f"{round(number, 1):g}" if abs(number) < 1e5 else f"{number:.1f}"


def _columns(text: str) -> int:
    """How many characters wide a text is in a monospaced font."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _short(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2 - 1]}…{name[-LONGEST // 2 :]}"


def _escaped(text: str) -> str:
    return escape(NOT_XML.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split())))
