"""`photomend demo`: everything in one command."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from ...core import PhotomendError
from ...core.runtime import seed_everything
from ...data.loader import EvaluationSet, Sample, require_readable
from ...data.sources import PhotoSource, SampleSource
from ...train.checkpoint import BEST, LAST, STATE
from ...train.config import TrainConfig
from ...train.evaluate import Evaluation, Reconstructor, evaluate_models, paste, table
from ...train.loop import CONFIG, LOG
from ..figures import reconstruction_grid
from ..options import FOLDER, runtime_options, start
from ..reconstructors import load_reconstructor
from ..runs import GRID_FIGURE, LOSS_FIGURE, to_photo, train_and_show
from ..sources import open_source

MODEL = "attention"
CLASSICAL = ("random", "border", "harmonic")
HOLES = 8  # in each of the few sample photos, where a single one would be an accident
MOST_PHOTOS = 200
GRID_ROWS = 4
MARK = "demo.txt"


@click.command("demo")
@click.option("--photos", type=FOLDER, help="A folder of your own photos.  [default: the sample photos]")
@click.option(
    "--budget", type=click.FloatRange(min=0, min_open=True), default=5.0, show_default=True, help="Minutes to train."
)
@click.option(
    "--out", type=FOLDER, default=Path("demo"), show_default=True, help="Where to put it; an earlier demo is replaced."
)
@runtime_options
def command(photos: Path | None, budget: float, out: Path, device: str, threads: int | None) -> int:
    """Train the attention model for a few minutes, and show how it compares.

    Prints the table of the random fill, the mean border colour, the harmonic fill and the model on photos
    that were not trained on, and the paths of the figures.
    """
    target_device = start(device, threads)
    training, validation, test = (demo_source(photos, split) for split in ("train", "validation", "test"))
    config = TrainConfig(model=MODEL, minutes=budget)
    for source in (training, validation, test):
        require_readable(source)
    clear(out)
    train_and_show(config, training, validation, out, False, target_device)
    models = {name: load_reconstructor(name, target_device) for name in CLASSICAL}
    models[MODEL] = load_reconstructor(str(out), target_device)
    seed_everything(0)
    samples = list(EvaluationSet(test, limit=MOST_PHOTOS))
    evaluations = evaluate_models(models, samples, device=target_device)
    click.echo(table(evaluations))
    compare(samples, models, evaluations, target_device, out / GRID_FIGURE)
    for name in (LOSS_FIGURE, GRID_FIGURE):
        click.echo(out / name)
    return 0


def demo_source(photos: Path | None, split: str) -> PhotoSource:
    """A split of the folder; or of the sample photos, each of those to be tested on eight times: eight
    holes.
    """
    source = open_source(photos, None, split)
    if isinstance(source, SampleSource) and split != "train":
        return SampleSource(source.samples * HOLES)
    return source


def clear(out: Path) -> None:
    """Make the folder, or take an earlier demo's own files, and nothing else, out of it.

    Raises PhotomendError for a folder with a run that no demo made.
    """
    theirs = [out / name for name in (CONFIG, LOG, BEST, LAST, STATE, LOSS_FIGURE, GRID_FIGURE)]
    if any(path.exists() for path in theirs) and not (out / MARK).exists():
        raise PhotomendError(f"{out}: holds a run that is no demo; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).write_text("Made by `photomend demo`, which replaces its files here.\n", encoding="utf-8")
    for path in theirs:
        path.unlink(missing_ok=True)


def compare(
    samples: list[Sample],
    models: dict[str, Reconstructor],
    evaluations: list[Evaluation],
    device: torch.device,
    path: Path,
) -> None:
    """Draw some of the photos as every model rebuilds them, each with its MSE."""
    rows, captions = [], []
    first = {sample.name: index for index, sample in reversed(list(enumerate(samples)))}
    indices = sorted(first.values())[:: -(-len(first) // GRID_ROWS)]
    for index in indices:
        sample = samples[index]
        truth, mask = sample.photo[None].to(device), sample.mask[None].to(device)
        rebuilt = [paste(model, truth, mask)[0] for model in models.values()]
        rows.append([to_photo(image) for image in (sample.photo * (1 - sample.mask), *rebuilt, sample.photo)])
        errors = [f"MSE {evaluation.values('mse')[index]:.1f}" for evaluation in evaluations]
        captions.append(["", *errors, ""])
    labels = [Path(samples[index].name).stem for index in indices]
    reconstruction_grid(rows, ["masked", *models, "truth"], path, labels, captions)
