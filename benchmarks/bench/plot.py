"""The ratios as a picture, and how time grows with pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from photomend.app.figures import ACCENT, QUIET, SECOND, plain, save

from .row import Row


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a PNG: a bar for each ratio with its 10th to 90th percentile, a line at 1, and a curve for each scaling."""
    ratios = [row for row in rows if row.ratio is not None]
    sizes = [row for row in rows if row.pixels is not None and row.ours_s is not None]
    heights = [0.34 * len(ratios) + 1.0] * bool(ratios) + [3.0] * bool(sizes)
    figure = Figure(figsize=(8, sum(heights) or 1), layout="constrained")
    axes = list(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]) if heights else []
    if ratios:
        draw_ratios(axes.pop(0), ratios)
    if sizes:
        draw_sizes(axes.pop(0), sizes)
    save(figure, path)


def draw_ratios(ax: Axes, rows: Sequence[Row]) -> None:
    for position, row in enumerate(rows):
        assert row.ratio is not None
        assert row.ratio_p10 is not None
        assert row.ratio_p90 is not None
        interval = [[row.ratio - row.ratio_p10], [row.ratio_p90 - row.ratio]]
        ax.barh(position, row.ratio, color=SECOND if row.ratio >= 1 else ACCENT, height=0.62)
        ax.errorbar(row.ratio, position, xerr=interval, color="black", linewidth=1, capsize=2.5)
    ax.axvline(1, color=QUIET, linewidth=1, linestyle="--")
    ax.set_yticks(range(len(rows)), [f"{row.kind} {row.name}, {row.peer}" for row in rows], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("peer's time / ours: median, 10th to 90th percentile")
    plain(ax)


def draw_sizes(ax: Axes, rows: Sequence[Row]) -> None:
    for number, name in enumerate(dict.fromkeys(row.name.split()[0] for row in rows)):
        points = [(row.pixels, row.ours_s) for row in rows if row.name.split()[0] == name]
        ax.loglog(*zip(*points, strict=True), marker="o", color=(SECOND, ACCENT)[number % 2], label=name)
    ax.set_xlabel("pixels")
    ax.set_ylabel("seconds")
    ax.legend(frameon=False)
    plain(ax)
