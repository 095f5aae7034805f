"""Fit the error to expect from a run's weights, store it with them, and check it on the test photos.

    python benchmarks/calibrate.py RUN --photos DIR --markdown calibration.md
    python benchmarks/calibrate.py RUN --photos DIR --look natural        # of the error after patches were drawn

The fit (models/calibration.py) is made on the validation photos with holes of every kind of `kinds.py`,
rebuilt as `photomend repair` does it in this look, and is written into the run's best weights. That of the natural
look leaves photos out whose holes it leaves as they are: scratches and specks. On the test photos, it compares the
expected errors with the true ones and counts the holes whose error lies in the range given for 80 % of them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from photomend.app.natural import LOOKS, THIN
from photomend.app.options import check_target, runtime_options, set_up_runtime, views_option, write_text
from photomend.app.paths import FILE, FOLDER
from photomend.app.photo.canvas import RGBCanvas
from photomend.app.reconstructors import load_run
from photomend.app.repair import Repairer
from photomend.app.sources import open_source
from photomend.benchmarks.kinds import KINDS, LARGE, Repaired, holed
from photomend.core import Array
from photomend.data.sources import PhotoSource
from photomend.models.calibration import Calibration, Calibrations, Expected, features, fit
from photomend.models.holes import near
from photomend.models.reconstructor import fill_holes
from photomend.models.weights import find_checkpoint, load_checkpoint, save_checkpoint
from tqdm import tqdm

GROUPS = 5
#: Where nothing near a hole is known.
UNKNOWN = Expected(nan, nan, nan)


class Seen(NamedTuple):
    """A hole that was rebuilt where the truth is known."""

    kind: str
    area: float  # share of the photo
    features: Array
    error: float  # mean absolute error in the hole, grey levels
    pixels: tuple[np.ndarray, np.ndarray]  # the photo and its mask


def rebuild(source: PhotoSource, model: Repaired, limit: int) -> list[Seen]:
    """The holes of every kind but the largest photos', with what came of them."""
    seen = []
    for kind in (kind for kind in KINDS if KINDS[kind].size != LARGE):
        for sample in tqdm(holed(source, kind, limit), desc=kind, total=limit, disable=None):
            truth, mask = sample.photo[None], sample.mask[None]
            error = (255 * (fill_holes(model, truth, mask) - truth).abs() * mask).sum() / (3 * mask.sum())
            pixels = (truth[0].permute(1, 2, 0) * 255).round().byte().numpy(), mask[0, 0].numpy() > 0.5
            found = features(truth * (1 - mask), mask)[0]
            seen.append(Seen(kind, mask.mean().item(), found, error.item(), pixels))
    return seen


def measured(seen: list[Seen], expected: list[Expected]) -> list[dict[str, Any]]:
    """Expected and true errors by kind of hole, by the hole's area, and by the expected error; `within` in percent."""
    order = np.argsort([e.mae for e in expected])
    groups = {kind: [i for i, s in enumerate(seen) if s.kind == kind] for kind in dict.fromkeys(s.kind for s in seen)}
    for low, high in ((0, 1), (1, 3), (3, 6), (6, 12), (12, 101)):
        name = f"area {low} to {high} %" if high <= 100 else f"area {low} % and more"
        groups[name] = [i for i, s in enumerate(seen) if low <= 100 * s.area < high]
    for number, part in enumerate(np.array_split(order, GROUPS), start=1):
        groups[f"expected error, fifth {number} of {GROUPS}"] = list(part)
    groups["all"] = list(range(len(seen)))
    return [
        {
            "holes": name,
            "number": len(members),
            "expected_mae": float(np.mean([expected[i].mae for i in members])),
            "mae": float(np.mean([seen[i].error for i in members])),
            "within": 100 * float(np.mean([expected[i].low <= seen[i].error <= expected[i].high for i in members])),
        }
        for name, members in groups.items()
        if members
    ]


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| holes | number | expected MAE | true MAE | in the 80 % range |", "|---|---:|---:|---:|---:|"]
    lines += [
        "| {holes} | {number} | {expected_mae:.2f} | {mae:.2f} | {within:.0f} % |".format_map(row) for row in rows
    ]
    return "\n".join(lines)


@click.command(help=__doc__.split("\n\n")[0])
@click.argument("run", type=FOLDER)
@click.option("--photos", type=FOLDER, required=True, help="A folder of photos.")
@click.option("--look", type=click.Choice(LOOKS), default="faithful", show_default=True)
@click.option("--limit", type=click.IntRange(min=10), default=200, show_default=True, help="Photos of each kind.")
@click.option("--markdown", type=FILE, help="Write the table here; an .md file.")
@click.option("--json", "json_file", type=FILE, help="Write its rows here; a .json file.")
@views_option
@runtime_options
def main(
    run: Path,
    photos: Path,
    look: str,
    limit: int,
    markdown: Path | None,
    json_file: Path | None,
    views: int | None,
    device: str,
    threads: int | None,
) -> None:
    for file, suffix in ((markdown, ".md"), (json_file, ".json")):
        if file is not None:
            check_target(file, suffix)
    target = set_up_runtime(device, threads)
    network = load_run(run, target)
    network.views = views or network.views
    model = Repaired(network, target, look)
    seen = rebuild(open_source(photos, None, "validation"), model, limit)
    if look == "natural":
        seen = [s for s in seen if not near(torch.from_numpy(~s.pixels[1]), THIN).all()]
    calibration: Calibration = fit(torch.stack([s.features for s in seen]), [s.error for s in seen])
    path = find_checkpoint(run)
    known, fitted = load_checkpoint(path), calibration.to_dict()
    known = replace(known, natural_calibration=fitted) if look == "natural" else replace(known, calibration=fitted)
    save_checkpoint(path, known)
    click.echo(f"{path}: {calibration}")
    calibrations = Calibrations.from_dicts(known.calibration, known.natural_calibration)
    repairer = Repairer(network, target, calibrations, look)
    tested = rebuild(open_source(photos, None, "test"), model, limit)
    rows = measured(tested, [repairer.expect(RGBCanvas(s.pixels[0]), s.pixels[1]) or UNKNOWN for s in tested])
    click.echo(table(rows))
    if markdown is not None:
        write_text(markdown, table(rows) + "\n")
    if json_file is not None:
        write_text(json_file, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
