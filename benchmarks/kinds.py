"""Holes of many kinds, rebuilt as `photomend repair --look faithful` does it, against the harmonic fill and Telea's.

    python benchmarks/kinds.py --photos DIR --models attention --markdown kinds.md

The protocol's rectangles, smaller and larger ones, several at once, brush strokes, scratches, and rectangles in photos
of 24 megapixels that cover as large a share of the photo. A photo of 24 megapixels is an enlarged one of the folder:
its structures have the size of a real one's, its finest detail is missing. The other photos keep their own size; each
kind has its own seed, and all models see the same holes. The ratios are of the MSE, photo by photo, with a 95 %
interval.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from photomend.app.options import check_target, runtime_options, set_up_runtime, write_text
from photomend.app.paths import FILE, FOLDER
from photomend.app.reconstructors import load_reconstructor
from photomend.app.repair import Repairer
from photomend.app.sources import SPLIT_CHOICES, open_source
from photomend.app.tables import both, json_numbers
from photomend.core import Array
from photomend.data.evaluation_set import MaskedPhoto, to_array
from photomend.data.masks import box_mask, random_box, stroke_mask
from photomend.data.photos import Mask, Photo, resize
from photomend.data.sources import PhotoSource
from photomend.models.reconstructor import Reconstructor
from photomend.train.evaluation.evaluate import evaluate_models
from photomend.train.evaluation.summary import Summary, summarize
from tqdm import tqdm

Draw = Callable[[np.random.Generator, int, int], Mask]
CLASSICAL = ("harmonic", "telea")
#: A photo of 24 megapixels, rows and columns.
LARGE = (4000, 6000)


def boxes(low: int, high: int, count: tuple[int, int] = (1, 1)) -> Draw:
    """Rectangles with sides of low to high pixels."""

    def draw(rng: np.random.Generator, height: int, width: int) -> Mask:
        mask = np.zeros((height, width), np.bool_)
        for _ in range(int(rng.integers(*count, endpoint=True))):
            mask |= box_mask(random_box(rng, height, width, low - 1, high - 1), height, width)
        return mask

    return draw


def strokes(count: tuple[int, int], thickness: tuple[int, int]) -> Draw:
    """Strokes of a brush, or scratches; drawn again where all of them lie outside."""

    def draw(rng: np.random.Generator, height: int, width: int) -> Mask:
        while True:
            mask = stroke_mask(rng, height, width, count, thickness)
            if mask.any():
                return mask

    return draw


@dataclass(frozen=True)
class Kind:
    """A kind of hole."""

    draw: Draw
    size: tuple[int, int] | None = None  # rows and columns that the photo is resized to; None: as it is


KINDS = {
    "rectangle 31–61 px, photo 224×224": Kind(boxes(31, 61), (224, 224)),
    "rectangle 8–30 px": Kind(boxes(8, 30)),
    "rectangle 60–200 px": Kind(boxes(60, 200)),
    "3 to 6 rectangles 15–45 px": Kind(boxes(15, 45, (3, 6))),
    "strokes 8–20 px": Kind(strokes((1, 4), (8, 20))),
    "scratches 1–3 px": Kind(strokes((3, 8), (1, 3))),
    "rectangle 560–1090 px, 24 megapixels": Kind(boxes(560, 1090), LARGE),
}


class Repaired:
    """A model as `photomend repair` uses it: hole by hole, in crops, coarse to fine."""

    def __init__(self, model: Reconstructor, device: torch.device, look: str = "faithful") -> None:
        self.repairer = Repairer(model, device, look=look)

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        answers = []
        for photo, missing in zip(masked, mask, strict=True):
            pixels = (photo.permute(1, 2, 0) * 255).round().byte().cpu().numpy()
            answers.append(to_array(self.repairer.repair(pixels, missing[0].cpu().numpy() > 0.5)))
        return torch.stack(answers).to(masked.device)


def holed(source: PhotoSource, kind: str, limit: int) -> Iterator[MaskedPhoto]:
    """At most `limit` photos of the source, evenly spread, each with a hole of this kind."""
    number = list(KINDS).index(kind)
    for index in range(0, len(source), max(1, -(-len(source) // limit))):
        photo: Photo = source.read(index)
        size = KINDS[kind].size
        if size is not None:
            upright = photo.shape[0] > photo.shape[1] and size[0] != size[1]
            photo = resize(photo, *(reversed(size) if upright else size))
        rng = np.random.default_rng(np.random.SeedSequence((number, index)))
        mask = KINDS[kind].draw(rng, *photo.shape[:2])
        missing = torch.from_numpy(mask).float()[None]
        yield MaskedPhoto(source.name(index), source.class_name(index), to_array(photo), missing)


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--photos", type=FOLDER, required=True, help="A folder of photos.")
@click.option("--models", default="attention", show_default=True, metavar="A,B,...", help="Beside the classical fills.")
@click.option("--split", type=click.Choice(SPLIT_CHOICES), default="test", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Photos of each kind.")
@click.option("--large", type=click.IntRange(min=0), default=10, show_default=True, help="Photos of 24 megapixels.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(tuple(KINDS)), help="Only this kind; repeatable.")
@click.option("--markdown", type=FILE, help="Write the table here; an .md file.")
@click.option("--json", "json_file", type=FILE, help="Write all numbers here; a .json file.")
@runtime_options
def main(
    photos: Path,
    models: str,
    split: str,
    limit: int,
    large: int,
    kinds: tuple[str, ...],
    markdown: Path | None,
    json_file: Path | None,
    device: str,
    threads: int | None,
) -> None:
    for file, suffix in ((markdown, ".md"), (json_file, ".json")):
        if file is not None:
            check_target(file, suffix)
    target = set_up_runtime(device, threads)
    source = open_source(photos, None, split)
    named = [*CLASSICAL, *(name.strip() for name in models.split(","))]
    rows = []
    for kind in kinds or KINDS:
        count = large if KINDS[kind].size == LARGE else limit
        if count == 0:
            continue
        repaired = {name: Repaired(load_reconstructor(name, target), target) for name in named}
        with tqdm(total=min(count, len(source)), desc=kind, unit="photo", disable=None) as bar:
            found = summarize(evaluate_models(repaired, holed(source, kind, count), 1, target, bar.update))
        rows += [(kind, summary) for summary in found]
        tqdm.write(table(rows[-len(found) :]))
    if markdown is not None:
        write_text(markdown, table(rows) + "\n")
    if json_file is not None:
        numbers = [{"kind": kind, "model": summary.model, **json_numbers(summary)} for kind, summary in rows]
        write_text(json_file, json.dumps(numbers, ensure_ascii=False, indent=1) + "\n")


def table(rows: list[tuple[str, Summary]]) -> str:
    lines = [
        "| hole | model | photos | hole MSE | hole MAE | MSE / harmonic | MSE / best other |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for kind, summary in rows:
        cells = [
            both(summary.metrics[metric], metric) if metric in summary.metrics else "–"
            for metric in ("hole_mse", "hole_mae", "mse_to_harmonic", "mse_to_best_other")
        ]
        lines.append(f"| {kind} | {summary.model} | {summary.photos} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
