"""The attention model as a drawing, with the shapes and the numbers of weights of a real run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import torch
from IPython.display import HTML
from matplotlib import pyplot as plt
from photomend.app.report.architecture import count, listening
from photomend.core import Array, no_grad
from photomend.models import AttentionModel

#: Column and row of each box: down on the left, up on the right, a row for each resolution.
PLACES = {
    "photo, mask": (0, 0), "harmonic fill": (2, 0), "fill + head": (4, 0),
    "encoder2": (0, 1), "skip2": (2, 1), "decoder2": (4, 1),
    "encoder4": (1, 2), "skip4": (2, 2), "decoder4": (3, 2),
    "bottleneck": (2, 3),
}  # fmt: skip
ARROWS = (
    *(("photo, mask", "harmonic fill"), ("harmonic fill", "fill + head")),
    *(("photo, mask", "encoder2"), ("encoder2", "skip2"), ("skip2", "decoder2"), ("decoder2", "fill + head")),
    *(("encoder2", "encoder4"), ("encoder4", "skip4"), ("skip4", "decoder4"), ("decoder4", "decoder2")),
    *(("encoder4", "bottleneck"), ("bottleneck", "decoder4")),
)
#: The parts that are drawn within another one's box.
WITHIN = {"stem": "encoder2", "encoder8": "bottleneck", "up4": "decoder4", "up2": "decoder2", "head": "decoder2"}
ACROSS, DOWN, WIDE, TALL = 150.0, 84.0, 128.0, 54.0


def shapes_and_weights(network: AttentionModel) -> dict[str, tuple[tuple[int, ...], int]]:
    """What each part of the network gives for one window, (C, H, W), and its number of weights."""
    parts = dict(network.named_children())
    found: dict[str, tuple[tuple[int, ...], int]] = {}

    def heard(name: str, arguments: tuple[object, ...], result: Array) -> None:
        found[name] = tuple(result.shape[1:]), parts[name].parameter_count()

    photo, mask = torch.full((1, 3, network.window, network.window), 0.5), torch.zeros(1, 1, *[network.window] * 2)
    mask[:, :, 40:80, 40:80] = 1
    with no_grad(), listening(parts, heard):
        network(photo, mask)
    return found


def unet(network: AttentionModel) -> HTML:
    """The network as a U: each box says its part, the shape of what goes on from it, and how many weights it has."""
    found = shapes_and_weights(network)
    side = network.window
    lines = {name: [name, _times(found[name][0]), _weights(found, name)] for name in PLACES if name in found}
    lines["decoder2"][0] = "decoder2, head"
    lines["photo, mask"] = ["photo, mask", f"4 × {side} × {side}"]
    lines["harmonic fill"] = ["harmonic fill", "no weights"]
    lines["fill + head"] = ["fill + head", f"3 × {side} × {side}"]
    middle = {name: (70 + column * ACROSS, 34 + row * DOWN) for name, (column, row) in PLACES.items()}
    drawn = [
        '<marker id="head-u" markerWidth="7" markerHeight="7" refX="5" refY="3" orient="auto">'
        '<path d="M0,0 L6,3 L0,6 Z" style="fill: var(--second)"/></marker>'
    ]
    drawn += [_arrow(middle[start], middle[end]) for start, end in ARROWS]
    for name, (x, y) in middle.items():
        drawn.append(f'<rect x="{x - WIDE / 2:g}" y="{y - TALL / 2:g}" width="{WIDE:g}" height="{TALL:g}" rx="5"/>')
        for i, line in enumerate(lines[name]):
            at = y + 5 + 16 * (i - (len(lines[name]) - 1) / 2)
            kind = ' class="name"' if i == 0 else ' style="font-size: 12px"'
            drawn.append(f'<text x="{x:g}" y="{at:g}"{kind}>{escape(line)}</text>')
    width, height = 140 + 4 * ACROSS, 68 + 3 * DOWN
    return HTML(
        '<div class="grids"><svg class="shapes" role="img" aria-label="The attention model" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" style="min-width: 560px">'
        f"{''.join(drawn)}</svg></div>"
    )


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _weights(found: Mapping[str, tuple[tuple[int, ...], int]], name: str) -> str:
    total = found[name][1] + sum(found[part][1] for part, box in WITHIN.items() if box == name)
    return f"{count(total)} weights"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """From a box's edge to another's: straight, or down and then across (up the other way round)."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        points = [(x0 + WIDE / 2, y0), (x1 - WIDE / 2 - 2, y1)]
    elif x0 == x1:
        points = (
            [(x0, y0 + TALL / 2), (x1, y1 - TALL / 2 - 2)]
            if y1 > y0
            else [(x0, y0 - TALL / 2), (x1, y1 + TALL / 2 + 2)]
        )
    elif y1 > y0:
        points = [(x0, y0 + TALL / 2), (x0, y1), (x1 - WIDE / 2 - 2, y1)]
    else:
        points = [(x0 + WIDE / 2, y0), (x1, y0), (x1, y1 + TALL / 2 + 2)]
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    return (
        f'<polyline points="{line}" style="fill: none; stroke: var(--second); stroke-width: 1.5" '
        'marker-end="url(#head-u)"/>'
    )


def photos(**named: Array) -> None:
    """Photos (3, H, W) or maps (H, W) in a row, each under its name; maps in greys, their least black."""
    size = (9, 0.4 + 8.6 / len(named))
    axes = plt.subplots(1, len(named), figsize=size, layout="constrained", squeeze=False)[1]
    for axis, (name, image) in zip(axes[0], named.items(), strict=True):
        if image.ndim == 3:
            axis.imshow(image.permute(1, 2, 0).clamp(0, 1))
        else:
            axis.imshow(image, cmap="gray")
        axis.set(title=name.replace("_", " "), xticks=[], yticks=[])
    plt.show()
