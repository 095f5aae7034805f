"""The evaluation as tables: on the screen, and as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ..train.evaluation.bootstrap import MIN_PHOTOS
from ..train.evaluation.evaluate import Evaluation
from ..train.evaluation.summary import Estimate, Group, Summary, by_area, by_class, summarize

#: Each metric's name in a table, and how many decimals it is given.
COLUMNS = {
    "mse": ("MSE", 2),
    "mae": ("MAE", 3),
    "hole_mse": ("hole MSE", 1),
    "hole_mae": ("hole MAE", 2),
    "hole_psnr": ("hole PSNR", 2),
    "ssim": ("SSIM", 4),
    "sharpness": ("sharpness", 3),
    "texture": ("texture distance", 3),
    "mse_to_harmonic": ("MSE / harmonic", 3),
    "mse_to_best_other": ("MSE / best other", 3),
}


@dataclass(frozen=True)
class Tables:
    """Every model's numbers over all photos, by the hole's area and by class."""

    overall: list[Summary]
    by_area: list[Group]
    by_class: list[Group]

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation]) -> Tables:
        return cls(summarize(evaluations), by_area(evaluations), by_class(evaluations))

    @property
    def metrics(self) -> list[str]:
        """The metrics there are, in the table's order."""
        return [metric for metric in COLUMNS if metric in self.overall[0].metrics]

    @property
    def groups(self) -> list[tuple[str, list[Group]]]:
        """The groups of photos, and what they are formed by."""
        return [("hole area", self.by_area), ("class", self.by_class)]

    @property
    def note(self) -> str:
        """Why intervals are missing, or "" where there are enough photos everywhere."""
        everywhere = [self.overall, *(group.summaries for _, groups in self.groups for group in groups)]
        few = any(summaries[0].photos < MIN_PHOTOS for summaries in everywhere)
        return f"Averages over fewer than {MIN_PHOTOS} photos have no interval: it would be too narrow." if few else ""


def as_text(tables: Tables) -> str:
    """For the screen: all metrics over all photos, an interval under each value that has one; then the MSE by group."""
    metrics = tables.metrics
    rows = [["model", "photos", *(COLUMNS[metric][0] for metric in metrics)]]
    for summary in tables.overall:
        rows.append([summary.model, str(summary.photos), *(number(summary.metrics[m], m) for m in metrics)])
        intervals = [interval(summary.metrics[m], m) for m in metrics]
        if any(intervals):
            rows.append(["", "", *intervals])
    parts = [aligned(rows)]
    for title, groups in tables.groups:
        if len(groups) > 1:
            header = [f"MSE by {title}", "photos", *(summary.model for summary in tables.overall)]
            cells = [[g.name, str(g.photos), *(both(s.metrics["mse"], "mse") for s in g.summaries)] for g in groups]
            parts.append(aligned([header, *cells]))
    parts += [tables.note] if tables.note else []
    return "\n\n".join(parts).encode("utf-8", "backslashreplace").decode()  # a class's name may be no UTF-8


def as_markdown(tables: Tables) -> str:
    """All metrics with their intervals, over all photos and by group."""
    parts = [markdown_table(["model"], [([s.model], s) for s in tables.overall], tables.metrics)]
    for title, groups in tables.groups:
        if groups:
            rows = [([group.name, s.model], s) for group in groups for s in group.summaries]
            parts.append(f"## By {title}\n\n" + markdown_table([title, "model"], rows, tables.metrics))
    parts += [tables.note] if tables.note else []
    return "\n\n".join(parts) + "\n"


def as_csv(tables: Tables) -> str:
    """A line for each model and group of photos; `low` and `high` are the ends of the 95 % interval, if any."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    ends = [f"{metric}{end}" for metric in tables.metrics for end in ("", "_low", "_high")]
    writer.writerow(["model", "by", "group", "photos", *ends])
    for by, groups in [("all", [Group("", tables.overall)]), ("area", tables.by_area), ("class", tables.by_class)]:
        for group in groups:
            for summary in group.summaries:
                values = [x for metric in tables.metrics for x in summary.metrics[metric]]
                known = [f"{x:.10g}" if isfinite(x) else "" for x in values]
                writer.writerow([summary.model, by, group.name, summary.photos, *known])
    return file.getvalue()


def as_json(tables: Tables) -> str:
    """A list with an object for each model: `mse`, `mse_ci` and so on, the same under `by_area` and `by_class`.

    A value that JSON has no number for (the infinite PSNR of exact rebuilds) is null, as are the ends of no interval.
    """
    rows = []
    for index, summary in enumerate(tables.overall):
        row: dict[str, Any] = {"model": summary.model, **json_numbers(summary)}
        row["by_area"] = [{"area": g.name, **json_numbers(g.summaries[index])} for g in tables.by_area]
        row["by_class"] = [{"class": g.name, **json_numbers(g.summaries[index])} for g in tables.by_class]
        rows.append(row)
    return json.dumps(rows, indent=2) + "\n"


def json_numbers(summary: Summary) -> dict[str, Any]:
    row: dict[str, Any] = {"photos": summary.photos}
    for metric, estimate in summary.metrics.items():
        value, *ends = (x if isfinite(x) else None for x in estimate)
        row |= {metric: value, f"{metric}_ci": ends}
    return row


def number(estimate: Estimate, metric: str) -> str:
    return f"{estimate.value:.{COLUMNS[metric][1]}f}"


def interval(estimate: Estimate, metric: str) -> str:
    """The interval, or nothing where there is none."""
    decimals = COLUMNS[metric][1]
    return f"{estimate.low:.{decimals}f}–{estimate.high:.{decimals}f}" if isfinite(estimate.low) else ""


def both(estimate: Estimate, metric: str) -> str:
    ends = interval(estimate, metric)
    return f"{number(estimate, metric)} ({ends})" if ends else number(estimate, metric)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned under a header: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]])


def markdown_table(titles: Sequence[str], rows: Sequence[tuple[Sequence[str], Summary]], metrics: Sequence[str]) -> str:
    """One line a summary, under `titles`; a name's own bars and line ends don't end its cell."""
    header = [*titles, "photos", *(COLUMNS[metric][0] for metric in metrics)]
    rule = [*("---" for _ in titles), *["---:"] * (1 + len(metrics))]
    lines = [
        [*map(one_cell, names), str(summary.photos), *(both(summary.metrics[m], m) for m in metrics)]
        for names, summary in rows
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def one_cell(name: str) -> str:
    return " ".join(name.split()).replace("|", r"\|")
