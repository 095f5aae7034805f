"""`photomend evaluate`: the protocol's table."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from ...core.backend.ranks import ranks
from ...core.backend.runtime import seed_everything
from ...data.evaluation_set import EvaluationSet
from ...data.photos import say_skipped
from ...data.sources import names_digest
from ...models import TRAINED, BorderFill, HarmonicFill, RepairNetwork
from ...models.reconstructor import Reconstructor
from ...models.weights import find_checkpoint
from ...train.evaluation.shares import Parts, evaluate_share
from ..figures import ROWS, draw_comparison
from ..options import SEED, check_target, photo_options, runtime_options, set_up_runtime, views_option, write_text
from ..paths import FILE, FOLDER
from ..reconstructors import find_weights, load_reconstructor, other_shipped, shipped_names
from ..report.page import write_report
from ..sources import SPLIT_CHOICES, evenly, open_source, with_several_holes
from ..tables import Tables, as_csv, as_json, as_markdown, as_text


@click.command("evaluate", no_args_is_help=True)
@photo_options
@click.option(
    "--models",
    metavar="A,B,...",
    help="Models by name, run folder or weights file, separated by commas; a network's name means the run folder of"
    " that name, or else the weights that come with photomend.  [default: border, harmonic and all shipped networks]",
)
@click.option(
    "--split",
    type=click.Choice(SPLIT_CHOICES),
    default="test",
    help="Which of the photos; all for a folder that was never trained on.",
)
@click.option("--seed", type=SEED, help="Of the holes: the same seed, the same holes.  [default: 0]")
@views_option
@click.option("--batch-size", type=click.IntRange(min=1), default=16, help="Photos at a time.")
@click.option(
    "--parts",
    type=FOLDER,
    help="Keep what is done in this folder, which several ranks share, and go on from there; gone at the end."
    "  [default: none for one process, a hidden folder here for several]",
)
@click.option("--json", "json_file", type=FILE, help="Write all numbers here; a .json file, replaced at the end.")
@click.option("--csv", "csv_file", type=FILE, help="Write all numbers here; a .csv file, one line a model and group.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write all tables here; an .md file.")
@click.option("--figure", type=FILE, help="Draw some of the photos as each model rebuilds them; a .png file.")
@click.option("--report", type=FILE, help="Write a page with tables, photos, curves and settings; an .html file.")
@runtime_options
def command(
    photos: Path | None,
    data: Path | None,
    models: str | None,
    split: str,
    seed: int | None,
    views: int | None,
    batch_size: int,
    parts: Path | None,
    json_file: Path | None,
    csv_file: Path | None,
    markdown_file: Path | None,
    figure: Path | None,
    report: Path | None,
    device: str,
    threads: int | None,
) -> int:
    """Compare models on the same photos with the same holes; without --photos and --data, on the sample photos.

    Each photo of --photos is resized to 224×224 and loses one rectangle of 31 to 61 pixels a side. MSE and MAE are in
    grey levels (0–255) over all pixels, the hole's over the hole only; sharpness is the gradient energy in the hole
    relative to the truth's, texture distance how far patches there are from its patches. Under each value stands its
    95 % bootstrap interval, if there are ten photos or more; the last columns compare a model's MSE with that of the
    harmonic fill and of the best other model, photo by photo. The files hold all of it by the hole's area and by class,
    too.

    \b
    photomend evaluate --photos DIR --models random,harmonic,RUN --json table.json
    """
    place = ranks()
    if photos is not None and data is not None:
        raise click.UsageError("say which photos: either --photos or --data")
    chosen = default_models() if models is None else models.split(",")
    names = list(dict.fromkeys(name.strip() for name in chosen if name.strip()))
    if not names:
        raise click.UsageError("--models names no model")
    targets = (json_file, ".json"), (csv_file, ".csv"), (markdown_file, ".md"), (figure, ".png"), (report, ".html")
    for file, suffix in targets:
        if file is not None:
            check_target(file, suffix)
    if data is not None and seed is not None:
        raise click.UsageError("--seed is for --photos: the holes of --data are stored with it")
    seed = seed or 0
    target_device = set_up_runtime(device, threads)
    reconstructors = {name: load_reconstructor(name, target_device, views) for name in names}
    source = open_source(photos, data, split)
    samples = EvaluationSet(source if photos is not None else with_several_holes(source), seed)
    seed_everything(seed)  # for models that fill with chance
    asked = {
        "models": {name: weights_digest(name, model) for name, model in reconstructors.items()},
        "photos": [len(samples), names_digest(samples.source)],
        "settings": {"split": split, "seed": seed, "views": views, "batch size": batch_size},
    }
    folder = parts or Path(f".evaluation-{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]}.parts")
    opened = partial(Parts, folder, asked) if parts is not None or place.size > 1 else None
    total, hidden = -(-len(samples) // place.size), None if place.first else True
    with (
        tqdm(total=total, unit="photo", leave=False, disable=hidden) as bar,
        evaluate_share(reconstructors, samples, batch_size, target_device, bar.update, place, opened) as evaluations,
    ):
        bar.close()
        if evaluations is None:
            click.echo(f"photomend: {place}: its share is in {folder}; the last of them has the table", err=True)
            return 0
        tables = Tables.of(evaluations)
        click.echo(as_text(tables))
        if samples.skipped:
            click.echo(say_skipped(len(samples.skipped), len(samples)))
        for file, text in ((json_file, as_json), (csv_file, as_csv), (markdown_file, as_markdown)):
            if file is not None:
                write_text(file, text(tables))
        if figure is not None:
            draw_comparison(evenly(samples, ROWS), reconstructors, target_device, figure)
            click.echo(figure)
        if report is not None:
            networks = [name for name, model in reconstructors.items() if isinstance(model, RepairNetwork)]
            write_report(
                report,
                f"{len(names)} models on {Path(source.origin).name}",
                tables,
                list(evenly(samples, ROWS)),
                reconstructors,
                {name: find_weights(name) for name in networks},
                {
                    "photos": f"{Path(source.origin).name}, split: {split}",
                    "holes": str(tables.overall[0].holes),
                    "unreadable photos": str(len(samples.skipped)),
                    "seed of the holes": "stored with the photos" if data is not None else str(seed),
                },
                target_device,
            )
            click.echo(report)
    return 0


def weights_digest(name: str, model: Reconstructor) -> str:
    """The SHA-256 of a network's weights file, by which ranks know that they evaluate the same; "" for other models."""
    if not isinstance(model, RepairNetwork):
        return ""
    return hashlib.sha256(find_checkpoint(find_weights(name)).read_bytes()).hexdigest()


def default_models() -> list[str]:
    """What is compared if nothing else is asked for: two fills, and all weights that come with the package."""
    networks = (name for name in TRAINED if name in shipped_names())
    return [BorderFill.name, HarmonicFill.name, *networks, *other_shipped()]
