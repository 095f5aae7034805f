"""Boxes and arrows for layers with two ways through them, once forwards and once backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from IPython.display import HTML
from pictures import stepper

Point = tuple[float, float]
#: What stands beside an arrow, and the corners that the arrow runs through.
Arrow = tuple[str, Sequence[Point]]
#: Half the height of a box, the width of a letter, and the room of a label beside its arrow.
HALF, LETTER, BESIDE = 15.0, 8.5, 7.0


def paths(label: str, boxes: Mapping[str, Point], arrows: Sequence[Arrow], back: bool = False) -> str:
    """A picture: boxes around their middles, and arrows with right angles, in a second colour for a backward pass."""
    colour, head = ("var(--second)", "back") if back else ("var(--mark)", "forth")
    width = max(x + len(text) * LETTER / 2 for text, (x, _) in boxes.items()) + 20
    height = max(y for _, points in [("", list(boxes.values())), *arrows] for _, y in points) + HALF + 8
    drawn = [
        f'<marker id="head-{head}" markerWidth="7" markerHeight="7" refX="5" refY="3" orient="auto">'
        f'<path d="M0,0 L6,3 L0,6 Z" style="fill: {colour}"/></marker>'
    ]
    for text, points in arrows:
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        drawn.append(
            f'<polyline points="{line}" style="fill: none; stroke: {colour}; stroke-width: 1.6" '
            f'marker-end="url(#head-{head})"/>{_beside(text, points)}'
        )
    for text, (x, y) in boxes.items():
        half = len(text) * LETTER / 2 + 9
        drawn.append(f'<rect x="{x - half:g}" y="{y - HALF:g}" width="{2 * half:g}" height="{2 * HALF:g}" rx="5"/>')
        drawn.append(f'<text x="{x:g}" y="{y + 5:g}" class="name">{escape(text)}</text>')
    return (
        f'<svg class="shapes" role="img" aria-label="{escape(label)}" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}"><title>{escape(label)}</title>{"".join(drawn)}</svg>'
    )


def _beside(text: str, points: Sequence[Point]) -> str:
    """A label at the middle of an arrow's longest part: above it, or to the right of one that runs up or down."""
    parts = list(pairwise(points))
    (x0, y0), (x1, y1) = max(parts, key=lambda part: abs(part[0][0] - part[1][0]) + abs(part[0][1] - part[1][1]))
    if x0 == x1:
        return f'<text x="{x0 + BESIDE:g}" y="{(y0 + y1) / 2 + 5:g}" style="text-anchor: start">{escape(text)}</text>'
    return f'<text x="{(x0 + x1) / 2:g}" y="{y0 - BESIDE:g}">{escape(text)}</text>'


def gate_paths() -> HTML:
    """The two ways of x through a gate: it is multiplied, and it decides by what."""
    boxes = {"x": (26.0, 110.0), "mean, max": (110.0, 30.0), "net": (206.0, 30.0), "σ": (280.0, 30.0),
             "×": (360.0, 110.0), "y": (430.0, 110.0)}  # fmt: skip
    forth: list[Arrow] = [
        ("x", [(40, 110), (345, 110)]),
        ("", [(26, 95), (26, 30), (58, 30)]),
        ("", [(162, 30), (182, 30)]),
        ("s", [(229, 30), (264, 30)]),
        ("g", [(295, 30), (360, 30), (360, 93)]),
        ("", [(375, 110), (414, 110)]),
    ]
    back: list[Arrow] = [(text, list(reversed(points))) for text, (_, points) in zip(
        ("ȳ g", "+ m̄ / n", "", "s̄", "ȳ x", "ȳ"), forth, strict=True)]  # fmt: skip
    return stepper(
        "A gate's two ways",
        [
            (paths("x goes to y directly, and through the gate", boxes, forth), "Forwards. Below: x is multiplied. "
             "Above: x also decides by what."),
            (paths("Both ways bring a gradient to x", boxes, back, back=True), "Backwards. The product sends a "
             "gradient along both ways, and at x they are added."),
        ],
    )  # fmt: skip


def residual_paths() -> HTML:
    """A residual block's two ways, which are added."""
    boxes = {"x": (26.0, 30.0), "f": (150.0, 30.0), "+": (270.0, 30.0), "y": (350.0, 30.0)}
    forth: list[Arrow] = [
        ("x", [(40, 30), (135, 30)]),
        ("f(x)", [(164, 30), (255, 30)]),
        ("x", [(26, 46), (26, 86), (270, 86), (270, 48)]),
        ("", [(285, 30), (334, 30)]),
    ]
    back: list[Arrow] = [(text, list(reversed(points))) for text, (_, points) in zip(
        ("+ Jᵀȳ", "ȳ", "ȳ", "ȳ"), forth, strict=True)]  # fmt: skip
    return stepper(
        "A residual block's two ways",
        [
            (paths("x goes through f, and around it", boxes, forth), "Forwards. Above, f changes x. Below, x goes "
             "around f, and is added."),
            (paths("Two gradients meet at x", boxes, back, back=True), "Backwards. The sum hands ȳ to both ways. "
             "The one below brings it to x as it is."),
        ],
    )  # fmt: skip
