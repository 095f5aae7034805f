"""A run's log as charts: the loss, the validation errors, and whatever else the run wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from .charts import line_chart, smoothed

#: What each number of a log is called on its axis; others keep their own name.
LABELS = {
    "loss": "training loss",
    "mse": "validation MSE",
    "mae": "validation MAE",
    "d_real": "score of the truth",
    "d_fake": "score of the rebuilt",
    "d_loss": "discriminator's loss",
    "gradient_ratio": "adversarial / error gradient",
    "hole_mae": "hole MAE",
}
#: Numbers that are no curves.
BOOKKEEPING = {"step", "epoch", "seconds", "lr", "photos_s", "grad_norm"}


def curves(model: str, records: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """A chart for each number in a log: those of every step as a running average, those of every epoch as points."""
    steps = [record for record in records if "epoch" not in record]
    epochs = [record for record in records if "epoch" in record]
    charts = []
    for key in numbers_in(steps):
        points = points_of(steps, key)
        lines = {"line faint": thinned(points), "line": smoothed(points)}
        charts.append(line_chart(LABELS.get(key, key), lines, f"{LABELS.get(key, key)} of {model} over its steps"))
    for key in numbers_in(epochs):
        if key == "loss":
            continue  # the mean of the steps', which are drawn
        points = points_of(epochs, key)
        best = min(points, key=lambda point: point[1])
        title = (
            f"{LABELS.get(key, key)} of {model} after each epoch; the lowest is {best[1]:.4g}, at step {best[0]:.0f}"
        )
        charts.append(line_chart(LABELS.get(key, key), {"line marked": points}, title))
    return charts


def numbers_in(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of numbers that may be drawn, in the order of their first appearance."""
    keys = {key: None for record in records for key, value in record.items() if isinstance(value, int | float)}
    return [key for key in keys if key not in BOOKKEEPING]


def points_of(records: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) by step: a run that was killed repeats the steps since its last state when it is resumed."""
    values = {float(record["step"]): float(record[key]) for record in records if key in record and "step" in record}
    return sorted(values.items())


def thinned(points: list[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    return points[:: -(-len(points) // most)] if points else []
