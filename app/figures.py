"""Figures: how training goes, with a line after each validation, and what the models make of holes. Drawn without a
screen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

from ..core import Array, replacing
from ..data.evaluation_set import MaskedPhoto
from ..data.photos import Photo
from ..models import HarmonicFill
from ..models.reconstructor import Reconstructor, fill_holes
from ..train.distributed import here
from ..train.evaluation.metrics import photo_metrics
from ..train.log import LOG, by_kind, read_log
from ..train.recorder import Interval
from ..train.validation import Validator

INK, QUIET, ACCENT, SECOND, RULE = "#222222", "#8a8a8a", "#c2410c", "#1d4ed8", "#e5e5e5"
LOSS_FIGURE, GRID_FIGURE = "loss.png", "reconstructions.png"
#: Photos in a comparison of models.
ROWS = 4
Points = Sequence[tuple[float, float]]


def show_validations(out: Path, validator: Validator, untrained: str) -> Callable[[Interval], None]:
    """What `train` calls after each validation of the run in `out`: a line on standard output, and new figures.

    The errors of the harmonic fill stand beside the network's: they are the bar. `untrained` says what the network is
    before its first step.
    """
    harmonic_errors = cache(lambda: validator(HarmonicFill()).metrics)

    def show(interval: Interval) -> None:
        harmonic = harmonic_errors()  # on every rank: each measures its share of the photos
        if not here().first:
            return
        line = f"validation {interval.number}  step {interval.step}"
        line += f"  loss {interval.loss:.4f}" if interval.number else f"  ({untrained})"
        if interval.validation is not None:
            metrics = interval.validation.metrics
            line += f"  MSE {metrics['mse']:.2f} (harmonic {harmonic['mse']:.2f})"
            line += f"  MAE {metrics['mae']:.3f} ({harmonic['mae']:.3f})"
            line += f"  hole MAE {metrics['hole_mae']:.2f}  sharpness {metrics['sharpness']:.2f}"
            shown, titles = interval.validation.shown, ["masked", f"rebuilt at step {interval.step}", "truth"]
            photos = [[to_photo(s.masked), to_photo(s.rebuilt), to_photo(s.truth)] for s in shown]
            reconstruction_grid(photos, titles, out / GRID_FIGURE, [Path(s.name).stem for s in shown])
        tqdm.write(line)
        draw_losses(out / LOG, harmonic["mse"], out / LOSS_FIGURE)

    return show


def draw_losses(log: Path, harmonic_mse: float, path: Path) -> None:
    """The loss curve of a run's log."""
    steps, validations = by_kind(read_log(log))
    # By step, because a run that was killed repeats the steps since its last state when it is resumed.
    losses = {record["step"]: record["loss"] for record in steps}
    errors = {record["step"]: record for record in validations}
    validation = {
        f"validation {key.upper()}": [(step, errors[step][key]) for step in sorted(errors) if key in errors[step]]
        for key in ("mse", "mae")
    }
    loss_curve(sorted(losses.items()), validation, path, {"harmonic": harmonic_mse})


def loss_curve(
    training: Points, validation: Mapping[str, Points], path: Path, references: Mapping[str, float] | None = None
) -> None:
    """Draw the training loss above, validation errors below, and write a PNG.

    Args:
        training: (step, loss).
        validation: for each error, by the name its axis gets, its (step, value).
        path: the PNG, replaced if it exists.
        references: values of the first of the validation errors to draw as dashed lines, by name.
    """
    figure = Figure(figsize=(8, 2.6 * (1 + len(validation))), layout="constrained")
    axes = figure.subplots(1 + len(validation), 1, sharex=True, squeeze=False)[:, 0]
    draw_steps(axes[0], training, "training loss")
    for ax, (name, points) in zip(axes[1:], validation.items(), strict=True):
        draw_validation(ax, points, name)
    note: dict[str, Any] = {"textcoords": "offset points", "fontsize": 9, "color": QUIET}
    for label, level in (references or {}).items():
        axes[1].axhline(level, color=QUIET, linewidth=1, linestyle="--")
        axes[1].annotate(f"{label} {level:.4g}", (0, level), (6, 3), xycoords=("axes fraction", "data"), **note)
    axes[-1].set_xlabel("step")
    for ax in axes:
        plain(ax)
    save(figure, path)


def draw_steps(ax: Axes, points: Points, label: str, most: int | None = None) -> None:
    """The values of every step, faint, under their running average; logarithmic where they span a decade.

    With `most`, about so many points of either are drawn, evenly spread.
    """
    ax.plot(*thinned(points, most), color=ACCENT, alpha=0.25, linewidth=0.8)
    ax.plot(*thinned(running_average(points), most), color=ACCENT, linewidth=1.6)
    values = columns(points)[1]
    if len(values) and values.max() > 10 * values.min() > 0:
        ax.set_yscale("log")
    ax.set_ylabel(label)


def draw_validation(ax: Axes, points: Points, label: str) -> None:
    """The values of every validation, and the smallest as a number."""
    ax.plot(*columns(points), color=SECOND, linewidth=1.6, marker="o", markersize=3.5)
    ax.set_ylabel(label)
    if len(points):
        best = min(points, key=lambda point: point[1])
        side = {points[0]: "left", points[-1]: "right"}.get(best, "center")  # it stays between the axes
        ax.annotate(f"{best[1]:.4g}", best, (0, -14), textcoords="offset points", ha=side, color=SECOND, fontsize=9)
        ax.margins(y=0.25)


def running_average(points: Points) -> Points:
    """The average over the last fortieth of the points, at each step that has so many before it."""
    steps, values = columns(points)
    window = max(1, len(values) // 40)
    if not len(values):
        return []
    averages = np.convolve(values, np.ones(window) / window, mode="valid")
    return list(zip(steps[window - 1 :].tolist(), averages.tolist(), strict=True))


def thinned(points: Points, most: int | None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Steps and values of at most `most` of the points, evenly spread."""
    return columns(points[:: -(-len(points) // most)] if most and len(points) else points)


def columns(points: Points) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
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


def draw_comparison(
    samples: Iterable[MaskedPhoto], models: Mapping[str, Reconstructor], device: torch.device, path: Path
) -> None:
    """Draw every sample as every model rebuilds it, each with its MSE over the whole photo, and write a PNG."""
    rows, captions, labels = [], [], []
    for sample in samples:
        truth, mask = sample.photo[None].to(device), sample.mask[None].to(device)
        rebuilt = [fill_holes(model, truth, mask)[0] for model in models.values()]
        rows.append([to_photo(image) for image in (sample.photo * (1 - sample.mask), *rebuilt, sample.photo)])
        errors = [photo_metrics(sample.photo, image.cpu(), sample.mask).mse for image in rebuilt]
        captions.append(["", *(f"MSE {error:.1f}" for error in errors), ""])
        labels.append(Path(sample.name).stem)
    reconstruction_grid(rows, ["masked", *models, "truth"], path, labels, captions)


def to_photo(array: Array) -> Photo:
    """(3, H, W) in [0, 1] as uint8 (H, W, 3)."""
    pixels: Photo = (255 * array).round().permute(1, 2, 0).cpu().numpy().astype(np.uint8)
    return pixels


def plain(ax: Axes) -> None:
    """No frame but the two axes, a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color=RULE, linewidth=0.6)
    ax.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whole or not at all."""
    FigureCanvasAgg(figure)
    with replacing(path) as draft:
        figure.savefig(draft, dpi=150, format="png", facecolor="white")
