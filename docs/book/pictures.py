"""What the textbook's pages draw: numbers in grids, shapes as rectangles, and pictures to step through.

Everything is HTML and SVG made from real runs while the site is built; `docs/_static/` has the few lines of script that
go from one frame to the next, and the colours for light and dark.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import torch
from IPython.display import HTML
from photomend.core import Tensor
from photomend.core.drawing.svg import Box, render
from photomend.core.tape import Array, Node, topological_order

Place = tuple[int, ...]


def stepper(label: str, frames: Sequence[tuple[str, str]]) -> HTML:
    """Frames of (picture, caption) to step through; without scripts the last one is shown."""
    items = "".join(f"<li><div>{picture}</div><p>{caption}</p></li>" for picture, caption in frames)
    return HTML(f'<div class="stepper" role="group" aria-label="{escape(label)}"><ol>{items}</ol></div>')


def number(x: float) -> str:
    """A number in as few digits as a reader can add up, with the minus sign of the formulas."""
    return f"{round(x, 3) + 0.0:g}".replace("-", "−")


def grid(name: str, values: Any, marks: Mapping[str, Collection[Place]] | None = None) -> str:
    """A vector or a matrix as a table under its name; `marks` gives classes of CSS to some of its places."""
    rows = torch.as_tensor(values).reshape(-1, torch.as_tensor(values).shape[-1]).tolist()
    body = ""
    for r, row in enumerate(rows):
        cells = ""
        for c, value in enumerate(row):
            classes = " ".join(kind for kind, places in (marks or {}).items() if (r, c) in places)
            cells += f'<td class="{classes}">{value if isinstance(value, str) else number(value)}</td>'
        body += f"<tr>{cells}</tr>"
    return f'<table class="numbers"><caption>{name}</caption>{body}</table>'


def side_by_side(*parts: str) -> str:
    """Grids, with the signs of a formula between them; where the row is broken a sign begins the next."""
    made, sign = "", ""
    for part in parts:
        if part[0] != "<":
            sign = f"<span>{escape(part)}</span>"
        else:
            made, sign = made + (f"<div>{sign}{part}</div>" if sign else part), ""
    return f'<div class="grids">{made}</div>'


def show(*parts: str) -> HTML:
    """A row of grids and signs as a cell's output."""
    return HTML(side_by_side(*parts))


def columns(**named: Any) -> HTML:
    """Vectors beside each other, a row for each position."""
    vectors = {name: torch.as_tensor(values).reshape(-1).tolist() for name, values in named.items()}
    head = "".join(f"<th>{escape(name)}</th>" for name in vectors)
    rows = "".join(
        f"<tr>{''.join(f'<td>{number(x)}</td>' for x in row)}</tr>" for row in zip(*vectors.values(), strict=True)
    )
    return HTML(f'<div class="grids"><table class="numbers columns"><tr>{head}</tr>{rows}</table></div>')


@dataclass(frozen=True)
class Shape:
    """An array as a rectangle: its name, what its sides are called, and how long they are drawn (in letters).

    `deep` is how many more rectangles stand behind it, for channels or images.
    """

    name: str
    rows: str
    columns: str
    height: float
    width: float
    deep: int = 0
    behind: str = ""


def shapes(label: str, *parts: Shape | str) -> HTML:
    """Arrays as rectangles, with signs between them, and the sizes of their sides beside them."""
    unit, gap, x, end, drawn = 14.0, 5.0, 12.0, 0.0, []
    tallest = max(p.height * unit + p.deep * gap for p in parts if isinstance(p, Shape))
    middle = tallest / 2 + 26
    for part in parts:
        if isinstance(part, str):
            room = 10.0 * len(part) + 14
            drawn.append(f'<text x="{x + room / 2:g}" y="{middle + 5:g}" class="sign">{escape(part)}</text>')
            x += room
            continue
        # The widths of letters are those of a wide font, for the reader's isn't known.
        w, h = max(part.width * unit, 9.8 * len(part.name)), part.height * unit
        x += 9.0 * len(part.rows) + 6
        top = middle - h / 2 + part.deep * gap / 2
        for behind in range(part.deep, -1, -1):
            drawn.append(
                f'<rect x="{x + behind * gap:g}" y="{top - behind * gap:g}" width="{w:g}" height="{h:g}" rx="2"/>'
            )
        drawn.append(f'<text x="{x + w / 2:g}" y="{top + h / 2 + 5:g}" class="name">{escape(part.name)}</text>')
        drawn.append(f'<text x="{x - 6:g}" y="{top + h / 2 + 4:g}" class="rows">{escape(part.rows)}</text>')
        drawn.append(f'<text x="{x + w / 2:g}" y="{top + h + 16:g}">{escape(part.columns)}</text>')
        if part.behind:
            above = top - part.deep * gap - 6
            drawn.append(f'<text x="{x + w / 2 + part.deep * gap:g}" y="{above:g}">{escape(part.behind)}</text>')
            end = x + w / 2 + part.deep * gap + 4.3 * len(part.behind)
        x += w + part.deep * gap + 8
    size = f"{max(x, end) + 8:g} {tallest + 56:g}"
    width, height = size.split()
    return HTML(
        f'<svg class="shapes" role="img" aria-label="{escape(label)}" viewBox="0 0 {size}" width="{width}" '
        f'height="{height}"><title>{escape(label)}</title>{"".join(drawn)}</svg>'
    )


def tape_steps(result: Tensor, computed: Sequence[tuple[str, str, Tensor]]) -> HTML:
    """The backward pass over a small tape, one gradient a step, in the order of `photomend.core.tape.walk`.

    Args:
        result: where it starts, with the cotangent 1.
        computed: what every node is called, how it was computed, and its Tensor, in the order of the computation.
    """
    order = topological_order(result.node)
    known = {tensor.node: (name, formula, tensor.data) for name, formula, tensor in computed}
    boxes = {node: Box("leaf" if node.leaf else "operation", known[node][1], known[node][1], []) for node in order}
    for node, box in boxes.items():
        box.sources = [boxes[parent] for parent in node.parents if parent is not None]
    held: dict[Node, Array] = {order[0]: torch.ones_like(result.data)}
    frames = []

    def frame(current: Node, caption: str) -> None:
        for node, box in boxes.items():
            name, _, value = known[node]
            box.lines = [f"value {number(value.item())}"]
            box.lines += [f"{_barred(name)} = {number(held[node].item()) if node in held else '?'}"]
        at = f'data-node="{order.index(current)}"'
        svg = render(list(boxes.values()), caption).svg.replace(at, f'{at} data-current="yes"')
        frames.append((re.sub(r'(width|height)="([\d.]+)"', _larger, svg, count=2), caption))

    frame(order[0], f"All values are known. The backward pass starts with {_barred(known[order[0]][0])} = 1.")
    for node in order:
        name = known[node][0]
        if node.pullback is None:
            frame(node, f"{name} is a leaf. Its cotangent is complete: it becomes {name}.grad.")
            continue
        returned: Any = node.pullback(held[node])
        for place, parent, gradient in zip(("first", "second"), node.parents, returned, strict=True):
            assert parent is not None
            given = gradient() if callable(gradient) else gradient
            held[parent] = held[parent] + given if parent in held else given
            to = known[parent][0]
            frame(
                node,
                f"The pullback of {known[node][1]} gives {number(given.item())} to its {place} argument. "
                f"Now {_barred(to)} = {number(held[parent].item())}.",
            )
    return stepper("The backward pass, step by step", frames)


def _larger(size: re.Match[str]) -> str:
    return f'{size[1]}="{1.4 * float(size[2]):g}"'


def _barred(name: str) -> str:
    return f"{name}\N{COMBINING MACRON}"


def window_steps(x: Array, w: Array, y: Array, ȳ: Array, x̄: Array) -> tuple[HTML, HTML]:
    """A kernel's window over a small image (H, W), forwards and its adjoint, one output a step; stride 1, no padding.

    Args:
        x, w, y: the image, the kernel and their convolution.
        ȳ, x̄: the cotangent of y, and the gradient that the steps must arrive at.
    """
    rows, columns = w.shape
    outputs = [(r, c) for r in range(y.shape[0]) for c in range(y.shape[1])]
    sum_so_far = torch.zeros_like(x)
    forward, backward = [], []
    for step, (r, c) in enumerate(outputs):
        seen = {(r + i, c + j) for i in range(rows) for j in range(columns)}
        later = set(outputs[step + 1 :])
        window = x[r : r + rows, c : c + columns]
        products = zip(w.flatten().tolist(), window.flatten().tolist(), strict=True)
        terms = " + ".join(f"{number(a)}·{number(b)}" for a, b in products)
        forward.append(
            (
                side_by_side(
                    grid("x", x, {"seen": seen}),
                    "∗",
                    grid("w", w),
                    "=",
                    grid("y", y, {"made": {(r, c)}, "later": later}),
                ),
                f"y at row {r}, column {c}: {terms} = {number(y[r, c].item())}",
            )
        )
        given = ȳ[r, c] * w
        sum_so_far[r : r + rows, c : c + columns] += given
        laid = ", ".join(number(v) for v in given.flatten().tolist())
        backward.append(
            (
                side_by_side(
                    grid("ȳ", ȳ, {"made": {(r, c)}}), grid("w", w), "→", grid("x̄ so far", sum_so_far, {"seen": seen})
                ),
                f"ȳ at row {r}, column {c} is {number(ȳ[r, c].item())}: it lays {number(ȳ[r, c].item())} · w, that is "
                f"({laid}), over the window that y saw, and adds it.",
            )
        )
    assert torch.equal(sum_so_far, x̄)
    return stepper("The window of a convolution", forward), stepper("The adjoint of a convolution", backward)


def norm_axes() -> HTML:
    """Which numbers of a batch (3 images, 4 channels) share a mean, in three norms; for one pixel."""
    images, channels = 3, 4
    kinds = {
        "batch norm": lambda n, c: c,
        "group norm, 2 groups": lambda n, c: 2 * n + c // 2,
        "layer norm": lambda n, c: n,
    }
    tables = []
    for name, shared in kinds.items():
        rows = "".join(
            f"<tr><th>image {n + 1}</th>"
            + "".join(f'<td class="shared{shared(n, c)}">μ{shared(n, c) + 1}</td>' for c in range(channels))
            + "</tr>"
            for n in range(images)
        )
        head = "<tr><th></th>" + "".join(f"<th>c{c + 1}</th>" for c in range(channels)) + "</tr>"
        tables.append(f'<table class="numbers axes"><caption>{name}</caption>{head}{rows}</table>')
    return HTML(side_by_side(*tables))
