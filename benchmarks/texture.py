"""Squared error, sharpness and texture of fills on photos of about 768×512 with three holes of 60 to 140 pixels each.

    python -m photomend.benchmarks.texture --photos DIR                   # the 48 that are held out
    python -m photomend.benchmarks.texture --photos DIR --developed --limit 8 --models attention,texture
    python -m photomend.benchmarks.texture --photos DIR --developed --models attention,texture --side 16
    python -m photomend.benchmarks.texture --photos DIR --sheets SHEETS   # and pictures of all, to look at

Photos are resized to a longer side of 768 pixels. Those whose file names have the least SHA-256 are held out: nothing
may be tuned on them. All fills see the same holes, which come from a seed and the photo's name, and fill them as
`photomend repair` does; `patchmatch` is `patchmatch-cython`, left out where it isn't installed. Texture distance is
that of `train/evaluation/texture.py`; energy is the gradient energy in the holes, relative to the truth's over all
photos.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from time import perf_counter

import click
import numpy as np
import torch
from photomend.app.options import check_target, runtime_options, set_up_runtime, write_text
from photomend.app.paths import FILE, FOLDER
from photomend.app.reconstructors import load_reconstructor
from photomend.app.repair import Repairer
from photomend.core import PhotomendError
from photomend.data.evaluation_set import to_array
from photomend.data.masks import boxes_mask, random_box
from photomend.data.photos import Mask, Photo, find_photos, read_photo, resize
from photomend.train.evaluation.metrics import gradient_energy, pixel_errors
from photomend.train.evaluation.texture import texture_distance
from PIL import Image
from tqdm import tqdm

#: The longer side of a photo, and its holes: how many, from which to which side, and how far apart, pixels.
LONG, HOLES, SIDES, APART = 768, 3, (60, 140), 16
MODELS = "harmonic,telea,ns,patchmatch,attention,gan,exemplar,texture"

Fill = Callable[[Photo, Mask], Photo]


@dataclass(frozen=True)
class Result:
    """What a fill made of one photo."""

    model: str
    photo: str
    hole_mse: float
    energy: float
    true_energy: float
    texture: float
    seconds: float


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--photos", type=FOLDER, required=True, help="A folder of photos.")
@click.option("--models", default=MODELS, show_default=True, metavar="A,B,...")
@click.option("--held-out", type=click.IntRange(min=1), default=48, show_default=True, help="How many are held out.")
@click.option("--developed", is_flag=True, help="The other photos, which may be tuned on.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many photos.")
@click.option("--side", type=click.IntRange(min=1, max=140), help="Of square holes, pixels, instead of 60 to 140.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the holes.")
@click.option("--sheets", type=FOLDER, help="A folder for a picture of each photo: damaged, every fill, and the truth.")
@click.option("--json", "json_file", type=FILE, help="Write the figures of each photo here; a .json file.")
@runtime_options
def main(
    photos: Path,
    models: str,
    held_out: int,
    developed: bool,
    limit: int | None,
    side: int | None,
    seed: int,
    sheets: Path | None,
    json_file: Path | None,
    device: str,
    threads: int | None,
) -> None:
    if json_file is not None:
        check_target(json_file, ".json")
    fills = dict(named(models.split(","), set_up_runtime(device, threads)))
    paths = chosen(find_photos(photos), held_out, developed)[:limit]
    results = []
    for path in tqdm(paths, unit="photo", disable=None):
        truth = resized(read_photo(path))
        mask = holes(truth.shape[:2], path.name, seed, (side, side) if side else SIDES)
        damaged = np.where(mask[..., None], np.uint8(0), truth)
        pictures = [damaged]
        for name, fill in fills.items():
            started = perf_counter()
            pictures.append(fill(damaged, mask))
            results.append(measured(name, path.name, truth, pictures[-1], mask, perf_counter() - started))
        if sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
            sheet([*pictures, truth]).save(sheets / f"{path.stem}.png")
        if json_file is not None:
            write_text(json_file, json.dumps([asdict(result) for result in results], indent=1) + "\n")
    click.echo(table(results))


def named(names: list[str], device: torch.device) -> Iterator[tuple[str, Fill]]:
    for name in names:
        if name != "patchmatch":
            yield name, Repairer(load_reconstructor(name, device), device).repair
            continue
        try:
            module = importlib.import_module("patchmatch_cython")
        except ImportError:
            click.echo("patchmatch is left out: pip install photomend[bench]", err=True)
        else:
            yield name, partial(module.inpaint_pyramid, seed=0)


def chosen(paths: list[Path], held_out: int, developed: bool) -> list[Path]:
    """The photos that are held out, or the others, in the order of their names' SHA-256."""
    ordered = sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    found = ordered[held_out:] if developed else ordered[:held_out]
    if not found:
        raise PhotomendError(f"--held-out: of {len(paths)} photos none is left")
    return found


def resized(photo: Photo) -> Photo:
    scale = LONG / max(photo.shape[:2])
    return resize(photo, round(scale * photo.shape[0]), round(scale * photo.shape[1]))


def holes(shape: tuple[int, int], name: str, seed: int, sides: tuple[int, int]) -> Mask:
    """Rectangles that are APART from each other, drawn again until they are."""
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    rng = np.random.default_rng(np.random.SeedSequence((seed, digest)))
    for _ in range(1000):
        boxes = [random_box(rng, *shape, sides[0] - 1, sides[1] - 1) for _ in range(HOLES)]
        covered = np.zeros(shape, np.int64)
        for x, y, width, height in boxes:
            covered[max(y - APART, 0) : y + height + APART, max(x - APART, 0) : x + width + APART] += 1
        if covered.max() == 1:
            return boxes_mask(boxes, *shape)
    raise PhotomendError(f"{name}: {HOLES} holes don't fit into {shape[1]}x{shape[0]} pixels")


def measured(model: str, name: str, truth: Photo, rebuilt: Photo, mask: Mask, seconds: float) -> Result:
    there, here = to_array(truth), to_array(rebuilt)
    missing = torch.from_numpy(mask).float()[None]
    energy, true_energy = (gradient_energy(photo[None], missing[None]).item() for photo in (here, there))
    error = pixel_errors(there[None], here[None], missing[None])["hole_mse"].item()
    return Result(model, name, error, energy, true_energy, texture_distance(there, here, missing), seconds)


def table(results: list[Result]) -> str:
    of_model: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        of_model[result.model].append(result)
    lines = ["| fill | hole MSE | energy | texture distance: mean, median | seconds |", "|---|---:|---:|---:|---:|"]
    for model, own in of_model.items():
        energy = sum(r.energy for r in own) / sum(r.true_energy for r in own)
        distances = [r.texture for r in own]
        lines.append(
            f"| {model} | {mean(r.hole_mse for r in own):.0f} | {energy:.2f} | {mean(distances):.3f}, "
            f"{median(distances):.3f} | {mean(r.seconds for r in own):.1f} |"
        )
    return "\n".join(lines)


def sheet(pictures: list[Photo]) -> Image.Image:
    """Pictures beside each other, three in a row."""
    height, width = pictures[0].shape[:2]
    canvas = Image.new("RGB", (3 * width, -(-len(pictures) // 3) * height))
    for number, picture in enumerate(pictures):
        canvas.paste(Image.fromarray(picture), (number % 3 * width, number // 3 * height))
    return canvas


if __name__ == "__main__":
    main()
