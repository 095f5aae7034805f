"""The report: what goes into its template."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from matplotlib import colormaps

from ... import __version__
from ...data.evaluation_set import MaskedPhoto
from ...models import RepairNetwork
from ...models.reconstructor import Reconstructor
from ...models.weights import find_checkpoint, load_checkpoint
from ...train.evaluation.summary import Summary
from ...train.log import LOG, read_log
from ...train.loop import CONFIG
from ..options import read_settings, write_text
from ..tables import COLUMNS, Tables, interval, number
from . import templates
from .architecture import trace
from .attention import attention_maps
from .charts import curves, interval_chart, shortened
from .drawing import draw
from .images import BRIGHTEST, COLOURS, show
from .legend import MEANINGS, meanings, reliability

#: Photos whose attention is shown.
ATTENDED = 4


def write_report(
    path: Path,
    title: str,
    tables: Tables,
    photos: Sequence[MaskedPhoto],
    models: Mapping[str, Reconstructor],
    weights: Mapping[str, Path],
    evaluation: Mapping[str, str],
    device: torch.device,
    note: str = "",
) -> None:
    """Write the report of an evaluation: one HTML file, which loads nothing.

    Args:
        path: the file, replaced whole or not at all.
        title: its heading.
        tables: the evaluation.
        photos: the photos to show, as the evaluation saw them.
        models: the models, ready, by the names of the tables.
        weights: of those that were trained the run folder or weights file.
        evaluation: what was evaluated on what, by name, for the settings.
        device: where the models are.
        note: a paragraph under the heading.

    Raises PhotomendError naming the file when it or a run's log or settings can't be read or written.
    """
    networks = {name: model for name, model in models.items() if isinstance(model, RepairNetwork)}
    attended = {name: attention_maps(name, network, photos[:ATTENDED], device) for name, network in networks.items()}
    logs = {name: read_log(folder / LOG) for name, folder in weights.items() if (folder / LOG).is_file()}
    environment = templates()
    environment.filters |= {"number": number, "interval": interval, "shortened": shortened}
    html = environment.get_template("page.html.jinja").render(
        title=title,
        note=note,
        tables=tables,
        columns=COLUMNS,
        meanings=meanings(tables.overall),
        reliability=reliability(tables.overall[0].photos),
        best={metric: best(tables.overall, metric) for metric in tables.metrics},
        chart=comparison(tables.overall),
        shown=show(photos, models, device),
        favourite=min(tables.overall, key=lambda summary: summary.metrics["mse"].value).model,
        curves={name: charts for name, log in logs.items() if (charts := curves(name, log))},
        attended=[maps for maps in attended.values() if maps is not None],
        drawings=drawings(networks),
        facts=[
            ("Evaluation", evaluation),
            ("Machine", machine_facts(device)),
            *((name, run_facts(folder, models[name])) for name, folder in weights.items()),
        ],
        brightest=BRIGHTEST,
        ramp=ramp(),
    )
    write_text(path, html)


def best(summaries: Sequence[Summary], metric: str) -> set[str]:
    """The models with the best value of a metric, as the table rounds it; none where neither way is better."""
    better = {"lower": min, "higher": max}.get(MEANINGS[metric].better)
    if better is None:
        return set()
    first = better((summary.metrics[metric] for summary in summaries), key=lambda estimate: estimate.value)
    return {s.model for s in summaries if number(s.metrics[metric], metric) == number(first, metric)}


def comparison(summaries: Sequence[Summary]) -> Markup:
    """A chart of every model's MSE, with its interval if there is one, the best first."""
    ranked = sorted(summaries, key=lambda summary: summary.metrics["mse"].value)
    estimates = {s.model: s.metrics["mse"] for s in ranked if isfinite(s.metrics["mse"].value)}
    words = "; ".join(f"{name} {estimate.value:.2f}" for name, estimate in estimates.items())
    label = "MSE over the whole photo"
    if any(isfinite(estimate.low) for estimate in estimates.values()):
        label += ", with 95 % intervals"
    return interval_chart(label, estimates, f"MSE of each model: {words}")


def drawings(networks: Mapping[str, RepairNetwork]) -> list[tuple[list[str], Markup, str]]:
    """Each architecture once: the models that share it, its drawing, and all of its modules as text."""
    sharing: dict[str, list[str]] = {}
    for name, network in networks.items():
        modules = repr(network).split("\n", 1)[-1]  # without the class: another name is no other architecture
        sharing.setdefault(f"{network.window}\n{modules}", []).append(name)
    return [
        (names, draw(trace(networks[names[0]]), f"architecture of {names[0]}", str(index)), repr(networks[names[0]]))
        for index, names in enumerate(sharing.values())
    ]


def ramp() -> str:
    """The colours of the error maps as a CSS gradient."""
    colours = (colormaps[COLOURS](i / 8, bytes=True)[:3] for i in range(9))
    return f"linear-gradient(to right, {', '.join('rgb({} {} {})'.format(*colour) for colour in colours)})"


def machine_facts(device: torch.device) -> dict[str, str]:
    """The machine and the versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "date": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "photomend": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "NumPy": np.__version__,
        "device": f"{device.type} ({name})",
        "threads": str(torch.get_num_threads()),
    }


def run_facts(weights: Path, network: Reconstructor) -> dict[str, str]:
    """What the files of a model, a run folder or weights file, say of it and of its training."""
    checkpoint = load_checkpoint(weights)
    rows = {"weights": f"{find_checkpoint(weights).name}, step {checkpoint.step}", "model": checkpoint.model}
    if isinstance(network, RepairNetwork):
        rows["parameters"] = f"{network.parameter_count():,}".replace(",", " ")
    rows |= described(checkpoint.config)
    settings = weights / CONFIG
    if settings.is_file():
        rows |= {f"training: {key}": value for key, value in described(read_settings(settings)).items()}
    return rows


def described(values: Mapping[str, Any]) -> dict[str, str]:
    """Settings that are given, as texts."""
    given = {key: value for key, value in values.items() if value is not None and value != {}}
    return {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in given.items()}
