"""Draw docs/images/training.svg, the validation error over the training, from docs/data/training.json."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parent
#: Each run's line and, at its end, its label; the colours are seen on white and on black.
RUNS = {
    "recipe.toml": ("#3a66c4", "1: crops of 96 pixels"),
    "recipe-longer.toml": ("#4a9be0", "2: longer"),
    "recipe-128.toml": ("#6aa84f", "3: crops of 128 pixels"),
    "recipe-holes.toml": ("#3d8a3d", "4: several holes per crop"),
    "recipe-report.toml": ("#d9661f", "the report's architecture"),
}


def main() -> None:
    rows = json.loads((DOCS / "data" / "training.json").read_text(encoding="utf-8"))["rows"]
    # The same file every time: text as text, no date, and names that don't depend on chance.
    matplotlib.rc_file(DOCS / "site" / "matplotlibrc")
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "photomend", "font.size": 10})
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    axes.axhline(1, color="0.5", linestyle=":", linewidth=1)
    axes.annotate("harmonic fill", (286, 1), xytext=(0, 4), textcoords="offset points", ha="right", color="0.5")
    for run, found in groupby(rows, key=lambda row: row["run"]):
        shown = [(row["minutes"], row["mse_to_harmonic"]) for row in found if row["mse_to_harmonic"] < 1.1]
        colour, label = RUNS[run]
        axes.plot(*zip(*shown, strict=True), color=colour, marker="o", markersize=3, label=label)
    axes.set(xlabel="minutes of training", ylabel="validation MSE / harmonic fill's", xlim=(-4, 290), ylim=(0.72, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 0.92))
    figure.savefig(DOCS / "images" / "training.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
