"""Charts as SVG elements: a run's log, and the models' errors side by side. The page's style sheet colours them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from math import isfinite
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from ...train.evaluation.summary import Estimate
from ...train.log import by_kind
from ..figures import ACCENT, INK, QUIET, RULE, SECOND, draw_steps, draw_validation, plain

#: What a log's numbers are called on their axes, of a validation and of a step; others keep their own names.
LABELS = {
    "loss": "training loss",
    "mse": "MSE",
    "mae": "MAE",
    "hole_mae": "hole MAE",
    "d_real": "score of the truth",
    "d_fake": "score of the rebuilt",
    "d_loss": "discriminator's loss",
    "adversarial_weight": "adversarial weight",
    "gradient_ratio": "adversarial / error gradient",
}
#: Numbers that are no curves.
BOOKKEEPING = {"step", "validation", "epoch", "seconds", "lr", "photos_s", "grad_norm"}
#: The colours of figures, and what the style sheet calls them.
COLOURS = {INK: "--ink", QUIET: "--quiet", ACCENT: "--accent", SECOND: "--second", RULE: "--rule"}
#: Points of a curve: a log may hold far more than the page can show.
POINTS = 300


def curves(model: str, records: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """A chart for each number in a log: those of every step as a running average, those of validations as points.

    One that was written down only once is no curve.
    """
    charts = []
    for kind, some in zip(("", "validation "), by_kind(records), strict=True):
        for key, points in numbers_in(some):
            if kind and key == "loss":
                continue  # the mean of the steps', which are drawn
            figure, ax = blank(4, 2.1)
            label = kind + LABELS.get(key, key)
            title = f"{label} of {model} over its steps"
            if kind:
                draw_validation(ax, points, label)
                step, value = points[-1]
                title = f"{label} of {model} at each validation; the last is {value:.4g}, at step {step:.0f}"
            else:
                draw_steps(ax, points, label, POINTS)
                if ax.get_yscale() == "log":
                    log_ticks(ax.yaxis, *ax.get_ylim())
            ax.set_xlabel("step")
            ax.set_xlim(left=min(0, ax.get_xlim()[0]))
            charts.append(svg(figure, title))
    return charts


def numbers_in(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """The keys of numbers that can be drawn, in the order of their first appearance, each with its (step, value).

    A run that was killed repeats the steps since its last state when it is resumed: the later ones count.
    """
    times = Counter(key for record in records for key, value in record.items() if isinstance(value, int | float))
    for key in (key for key, count in times.items() if count > 1 and key not in BOOKKEEPING):
        values = {float(record["step"]): float(record[key]) for record in records if key in record and "step" in record}
        if points := sorted(point for point in values.items() if isfinite(point[1])):
            yield key, points


def interval_chart(label: str, estimates: Mapping[str, Estimate], title: str) -> Markup:
    """A dot and its interval for each model, one below the other, on a logarithmic scale if all are above 0."""
    figure, ax = blank(9, 0.27 * len(estimates) + 0.5)
    for row, estimate in enumerate(estimates.values()):
        if isfinite(estimate.low):
            ax.plot((estimate.low, estimate.high), (row, row), color=SECOND, linewidth=2.5)
        ax.plot(estimate.value, row, "o", color=ACCENT, markersize=6)
        ax.annotate(
            f"{estimate.value:.2f}", (1, row), (8, 0), ("axes fraction", "data"), "offset points",
            color=QUIET, fontsize=9, va="center",
        )  # fmt: skip
    if all(end > 0 for estimate in estimates.values() for end in estimate if isfinite(end)):
        ax.set_xscale("log")
        log_ticks(ax.xaxis, *ax.get_xlim())
    names = [shortened(name, 22) for name in estimates]
    ax.set_yticks(range(len(names)), names, parse_math=False, color=INK, fontsize=9)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.yaxis.grid(False)
    return svg(figure, title, "chart wide")


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of this size in inches with empty axes in the colours of the page."""
    figure = Figure(figsize=(width, height), layout="constrained")
    ax = figure.subplots()
    plain(ax)
    ax.spines[:].set_color(RULE)
    ax.tick_params(labelcolor=QUIET, color=RULE, labelsize=8)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set(color=QUIET, fontsize=8, parse_math=False)
    return figure, ax


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Round numbers along a logarithmic axis; those of a linear one where it spans less than a decade."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 8 * low else MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:.4g}")


def svg(figure: Figure, title: str, css_class: str = "chart") -> Markup:
    """The figure as an SVG element that loads nothing; `title` says what it shows.

    Text stays text, and colours follow the page's, which depend on light and dark.
    """
    file = StringIO()
    FigureCanvasSVG(figure)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):  # the salt tells its ids from other charts'
        figure.savefig(
            file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    text = re.sub(r"font-family: [^;]+", "font-family: inherit", file.getvalue())
    for colour, variable in COLOURS.items():
        text = text.replace(colour, f"var({variable})")
    root = ElementTree.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # inside a page it needs no name space
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.items()}
        if f"#{element.get('id')}" not in text:
            element.attrib.pop("id", None)  # others' charts have these too
        if element.tag == "style":
            element.text = f".chart {element.text}"
    root.attrib |= {"class": css_class, "role": "img", "aria-label": title}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def shortened(name: str, most: int) -> str:
    """The end of a long name: of a path, what tells it from others."""
    return name if len(name) <= most else "…" + name[1 - most :]
