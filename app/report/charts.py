"""Charts as SVG: a line over steps, and models with their intervals side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import LogLocator, MaxNLocator

from ...train.evaluation.summary import Estimate
from ..figures import columns
from .svg import Element, drawing, element, polyline

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 400.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 14.0, 12.0, 34.0


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high`, by their logarithm where `log`, laid from pixel `start` to pixel `stop`."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.stop - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round numbers within the axis; of a logarithmic one that spans less than a decade those of a plain one."""
        wide = self.log and self.high > 8 * self.low
        locator = LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5, steps=[1, 2, 5, 10])
        return [float(t) for t in locator.tick_values(self.low, self.high) if self.low <= t <= self.high]

    def numbers(self) -> list[str]:
        """The ticks as they are written: with as many decimals as tell them apart."""
        ticks = self.ticks()
        if len(ticks) < 2 or self.high > 8 * self.low > 0:
            return [f"{tick:.4g}" for tick in ticks]
        decimals = max(0, math.ceil(-math.log10(ticks[1] - ticks[0]) - 1e-9))
        return [f"{tick:,.{decimals}f}".replace(",", " ") for tick in ticks]

    @classmethod
    def over(cls, values: Sequence[float], start: float, stop: float, log: bool = False) -> Axis:
        """An axis over all values, with some room at both ends."""
        low, high = min(values), max(values)
        if log:
            room = (high / low) ** 0.06 if high > low else 1.5
            return cls(low / room, high * room, start, stop, True)
        room = 0.06 * (high - low) or abs(high) / 10 or 1.0
        return cls(low - room, high + room, start, stop)


def line_chart(
    label: str,
    lines: Mapping[str, Points],
    title: str,
    references: Mapping[str, float] | None = None,
    x_label: str = "step",
) -> Markup:
    """Lines over steps; `lines` by the class that styles them. Values that span a decade are shown by logarithm.

    `references` are dashed lines across, by their name. Raises ValueError when there is nothing to draw.
    """
    every = [point for points in lines.values() for point in points if math.isfinite(point[1])]
    if not every:
        raise ValueError(f"{label}: there is nothing to draw")
    values = [y for _, y in every] + list((references or {}).values())
    log = min(values) > 0 and max(values) > 10 * min(values)
    steps = [x for x, _ in every]
    x_axis = Axis(min(0.0, *steps), max(1.0, *steps), LEFT, WIDTH - RIGHT)
    y_axis = Axis.over(values, HEIGHT - BOTTOM, TOP, log)
    parts = frame(x_axis, y_axis, label, x_label)
    for name, level in (references or {}).items():
        y = y_axis(level)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="reference"))
        parts.append(element("text", f"{name} {level:.4g}", x=WIDTH - RIGHT, y=y - 4, class_="reference-label"))
    for class_, points in lines.items():
        drawn = [(x_axis(x), y_axis(y)) for x, y in points if math.isfinite(y)]
        parts.append(polyline(drawn, class_))
        if "marked" in class_:
            parts += [element("circle", cx=x, cy=y, r=2.4, class_=class_) for x, y in drawn]
    return drawing(WIDTH, HEIGHT, title, parts)


def frame(x_axis: Axis, y_axis: Axis, y_label: str, x_label: str) -> list[Element]:
    """Grid, numbers along both axes, and what they count."""
    parts = []
    for tick, number in zip(y_axis.ticks(), y_axis.numbers(), strict=True):
        y = y_axis(tick)
        parts.append(element("line", x1=x_axis.start, x2=x_axis.stop, y1=y, y2=y, class_="grid"))
        parts.append(element("text", number, x=x_axis.start - 6, y=y + 3.5, class_="tick end"))
    for tick, number in zip(x_axis.ticks(), x_axis.numbers(), strict=True):
        parts.append(element("text", number, x=x_axis(tick), y=HEIGHT - 18, class_="tick middle"))
    parts.append(element("text", x_label, x=(x_axis.start + x_axis.stop) / 2, y=HEIGHT - 4, class_="label middle"))
    middle = (y_axis.start + y_axis.stop) / 2
    parts.append(element("text", y_label, transform=f"translate(12 {middle:g}) rotate(-90)", class_="label middle"))
    return parts


def interval_chart(label: str, estimates: Mapping[str, Estimate], title: str) -> Markup:
    """A dot and its interval for each model, one below the other, on a logarithmic scale if all are above 0."""
    row, left, width = 26.0, 150.0, 900.0
    ends = [v for estimate in estimates.values() for v in estimate if math.isfinite(v)]
    height = row * len(estimates) + 42
    axis = Axis.over(ends, left, width - 80, log=min(ends) > 0)
    parts = []
    for tick, number in zip(axis.ticks(), axis.numbers(), strict=True):
        x = axis(tick)
        parts.append(element("line", x1=x, x2=x, y1=6.0, y2=height - 34, class_="grid"))
        parts.append(element("text", number, x=x, y=height - 20, class_="tick middle"))
    for index, (name, estimate) in enumerate(estimates.items()):
        y = row * (index + 0.5) + 6
        parts.append(element("text", shortened(name, 22), x=left - 12, y=y + 4, class_="name end"))
        if math.isfinite(estimate.low):
            parts.append(element("line", x1=axis(estimate.low), x2=axis(estimate.high), y1=y, y2=y, class_="interval"))
        parts.append(element("circle", cx=axis(estimate.value), cy=y, r=4.5, class_="dot"))
        parts.append(element("text", f"{estimate.value:.2f}", x=width - 70, y=y + 4, class_="tick"))
    parts.append(element("text", label, x=(left + width - 80) / 2, y=height - 4, class_="label middle"))
    return drawing(width, height, title, parts, "chart wide")


def smoothed(points: Points, most: int = 300) -> list[tuple[float, float]]:
    """The running average over a fortieth of the points, and of it at most about `most` points, evenly spread."""
    if not points:
        return []
    steps, values = columns(points)
    window = max(1, len(values) // 40)
    averages = np.convolve(values, np.ones(window) / window, mode="valid")
    stride = -(-len(averages) // most)
    return list(zip(steps[window - 1 :: stride].tolist(), averages[::stride].tolist(), strict=True))


def shortened(name: str, most: int) -> str:
    """The end of a long name: of a path, what tells it from others."""
    return name if len(name) <= most else "…" + name[1 - most :]
