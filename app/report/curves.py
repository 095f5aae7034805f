"""A run's log as charts: the loss, the validation errors, and whatever else the run wrote down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from .charts import line_chart, smoothed

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
BOOKKEEPING = {"step", "epoch", "seconds", "lr", "photos_s", "grad_norm"}


def curves(model: str, records: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """A chart for each number in a log: those of every step as a running average, those of every epoch as points.

    One that was written down only once is no curve.
    """
    steps = [record for record in records if "epoch" not in record]
    epochs = [record for record in records if "epoch" in record]
    charts = []
    for key in numbers_in(steps):
        points = points_of(steps, key)
        lines, label = {"line faint": thinned(points), "line": smoothed(points)}, LABELS.get(key, key)
        charts.append(line_chart(label, lines, f"{label} of {model} over its steps"))
    for key in numbers_in(epochs):
        if key == "loss":
            continue  # the mean of the steps', which are drawn
        points = points_of(epochs, key)
        label = f"validation {LABELS.get(key, key)}"
        step, value = points[-1]
        title = f"{label} of {model} after each epoch; the last is {value:.4g}, at step {step:.0f}"
        charts.append(line_chart(label, {"line marked": points}, title))
    return charts


def numbers_in(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of numbers that can be drawn, in the order of their first appearance."""
    times = Counter(key for record in records for key, value in record.items() if isinstance(value, int | float))
    return [key for key, count in times.items() if count > 1 and key not in BOOKKEEPING]


def points_of(records: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) by step: a run that was killed repeats the steps since its last state when it is resumed."""
    values = {float(record["step"]): float(record[key]) for record in records if key in record and "step" in record}
    return sorted(values.items())


def thinned(points: list[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    return points[:: -(-len(points) // most)] if points else []
