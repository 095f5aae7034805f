"""`photomend demo`: everything in one command."""

from __future__ import annotations

from pathlib import Path

import click

from ...core import PhotomendError
from ...core.runtime import seed_everything
from ...data.loader import EvaluationSet, require_readable
from ...data.photos import say_skipped
from ...train.checkpoint import BEST, LAST, STATE
from ...train.config import TrainConfig
from ...train.evaluate import evaluate_models
from ...train.loop import CONFIG, LOG
from ..comparison import ROWS, draw_comparison
from ..options import FOLDER, runtime_options, start
from ..reconstructors import load_reconstructor
from ..runs import GRID_FIGURE, LOSS_FIGURE, train_and_show
from ..sources import open_source, with_several_holes
from ..tables import Tables, as_text

MODEL = "attention"
CLASSICAL = ("random", "border", "harmonic")
MOST_PHOTOS = 200
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
    training, validation, test = (open_source(photos, None, split) for split in ("train", "validation", "test"))
    config = TrainConfig(model=MODEL, minutes=budget)
    for source in (training, validation, test):
        require_readable(source)
    clear(out)
    train_and_show(config, training, with_several_holes(validation), out, False, target_device)
    models = {name: load_reconstructor(name, target_device) for name in CLASSICAL}
    models[MODEL] = load_reconstructor(str(out), target_device)
    seed_everything(0)
    samples = EvaluationSet(with_several_holes(test), limit=MOST_PHOTOS)
    click.echo(as_text(Tables.of(evaluate_models(models, samples, device=target_device))))
    if samples.skipped:
        click.echo(say_skipped(len(samples.skipped), len(samples)))
    draw_comparison(EvaluationSet(test, limit=ROWS), models, target_device, out / GRID_FIGURE)
    for name in (LOSS_FIGURE, GRID_FIGURE):
        click.echo(out / name)
    return 0


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
