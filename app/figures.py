"""Figures: how training went, and what the models make of holes. Drawn without a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..core import replacing

INK, QUIET, ACCENT, SECOND = "#222222", "#8a8a8a", "#c2410c", "#1d4ed8"


def loss_curve(
    training: Sequence[tuple[float, float]],
    validation: Mapping[str, Sequence[tuple[float, float]]],
    path: Path,
    references: Mapping[str, float] | None = None,
) -> None:
    """Draw the training loss above, validation errors below, and write a PNG.

    Args:
        training: (step, loss), drawn faint with a running average over it; the axis is logarithmic where
        the loss
            spans a decade.
        validation: for each error, by the name its axis gets, its (step, value).
        path: the PNG, replaced if it exists.
        references: values of the first of the validation errors to draw as dashed lines, by name.
    """
    figure = Figure(figsize=(8, 2.6 * (1 + len(validation))), layout="constrained")
    axes = figure.subplots(1 + len(validation), 1, sharex=True, squeeze=False)[:, 0]
    draw_loss(axes[0], training)
    for number, (name, points) in enumerate(validation.items()):
        ax = axes[1 + number]
        ax.plot(*columns(points), color=SECOND, linewidth=1.6, marker="o", markersize=3.5)
        ax.set_ylabel(name)
        if points:
            step, value = min(points, key=lambda point: point[1])
            ax.annotate(
                f"{value:.4g}",
                (step, value),
                (0, -14),
                textcoords="offset points",
                ha="center",
                color=SECOND,
                fontsize=9,
            )
            ax.margins(y=0.25)
        for label, level in (references or {}).items() if number == 0 else ():
            ax.axhline(level, color=QUIET, linewidth=1, linestyle="--")
            ax.annotate(
                f"{label} {level:.4g}",
                (0, level),
                (6, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                fontsize=9,
                color=QUIET,
            )
    axes[-1].set_xlabel("step")
    for ax in axes:
        plain(ax)
    save(figure, path)


def draw_loss(ax: Axes, training: Sequence[tuple[float, float]]) -> None:
    steps, losses = columns(training)
    ax.plot(steps, losses, color=ACCENT, alpha=0.25, linewidth=0.8)
    window = max(1, len(losses) // 40)
    if len(losses) >= window:
        average = np.convolve(losses, np.ones(window) / window, mode="valid")
        ax.plot(steps[window - 1 :], average, color=ACCENT, linewidth=1.6)
    if len(losses) and losses.max() > 10 * losses.min() > 0:
        ax.set_yscale("log")
    ax.set_ylabel("training loss")


def columns(points: Sequence[tuple[float, float]]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    array = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def reconstruction_grid(
    rows: Sequence[Sequence[np.ndarray[Any, Any]]],
    titles: Sequence[str],
    path: Path,
    labels: Sequence[str] | None = None,
    captions: Sequence[Sequence[str]] | None = None,
) -> None:
    """Photos side by side, one row a photo: masked | rebuilt by each model | truth. Writes a PNG.

    Args:
        rows: for each photo its images, uint8 (H, W, 3) each, all of one size in a row.
        titles: a column's title each.
        path: the PNG, replaced if it exists.
        labels: a row's name each, to its left.
        captions: a line under each image, such as its error.

    Raises:
        ValueError: there are no rows, or one has not as many images as there are titles.
    """
    if not rows or any(len(row) != len(titles) for row in rows):
        raise ValueError(f"rows: each must hold {len(titles)} images, got {[len(row) for row in rows]}")
    side = 1.9  # inches; 224 pixels and more survive at 150 dots an inch
    under = 0.2 if captions else 0.04
    figure = Figure(figsize=(side * len(titles), (side + under) * len(rows) + 0.3))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            ax = axes[i, j]
            ax.imshow(image, interpolation="antialiased")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if i == 0:
                ax.set_title(titles[j], fontsize=10, color=INK)
            if captions:
                ax.set_xlabel(captions[i][j], fontsize=7.5, color=QUIET, labelpad=2)
        if labels:
            axes[i, 0].set_ylabel(labels[i], fontsize=8, color=INK)
    save(figure, path)


def plain(ax: Axes) -> None:
    """No frame but the two axes, a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#e5e5e5", linewidth=0.6)
    ax.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whole or not at all."""
    FigureCanvasAgg(figure)
    with replacing(path) as draft:
        figure.savefig(draft, dpi=150, format="png", facecolor="white")
