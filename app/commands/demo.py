"""`photomend demo`: everything in one command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import torch
from tqdm import tqdm

from ...core import PhotomendError
from ...core.backend.runtime import seed_everything
from ...data.evaluation_set import EvaluationSet
from ...data.photos import say_skipped
from ...data.sources import require_readable
from ...models import AttentionModel, GanModel
from ...models.reconstructor import Reconstructor
from ...models.weights import BEST, LAST
from ...train.checkpoint import PREVIOUS, STATE
from ...train.config import AdversarialConfig, TrainConfig
from ...train.evaluation.evaluate import evaluate_models
from ...train.evaluation.summary import Summary
from ...train.log import LOG
from ...train.loop import CONFIG, train
from ...train.recorder import Interval
from ...train.validation import Validator
from ..figures import GRID_FIGURE, LOSS_FIGURE, ROWS
from ..options import runtime_options, set_up_runtime
from ..paths import FOLDER
from ..reconstructors import load_reconstructor, load_run
from ..report.page import write_report
from ..sources import evenly, open_source, with_several_holes
from ..tables import Tables, as_text

CLASSICAL = ("random", "border", "harmonic", "biharmonic", "telea", "ns")
#: The share of the budget for which each network is trained; the rest is for the table and the report.
SHARES = {"linear": 0.08, "cnn": 0.1, "attention": 0.28, "gan": 0.12}
#: Minutes that the table and the report need at most; what is left of them goes to these networks, in equal parts.
MOST_REST, LARGER = 4.0, ("attention", "gan")
#: A GAN that isn't sharper than the attention model by this factor shows no texture of its own.
VISIBLE = 1.05
#: Photos for validation and for the test, each: at most so many, and so many a minute of the budget.
MOST_PHOTOS, PHOTOS_A_MINUTE = 200, 40
REPORT, MARK = "report.html", "demo.txt"
MADE_BY = "Made by `photomend demo`, which replaces its files here.\n"
RUN_FILES = (CONFIG, LOG, BEST, LAST, STATE, PREVIOUS, LOSS_FIGURE, GRID_FIGURE)


@click.command("demo")
@click.option("--photos", type=FOLDER, help="A folder of your own photos.  [default: the sample photos]")
@click.option(
    "--budget", type=click.FloatRange(min=0, min_open=True), default=5.0, help="Minutes for training, table and report."
)
@click.option("--out", type=FOLDER, default=Path("demo"), help="Output folder; an earlier demo is replaced.")
@runtime_options
def command(photos: Path | None, budget: float, out: Path, device: str, threads: int | None) -> int:
    """Train the linear regression, the basic network, the attention model and the GAN, and compare them.

    Prints a table of these and the classical fills on photos that were not trained on, and writes a report with tables,
    curves, photos and settings in one HTML file. Each network gets a share of the budget.
    """
    target_device = set_up_runtime(device, threads)
    training, validation, test = (open_source(photos, None, split) for split in ("train", "validation", "test"))
    configs = training_runs(budget, out)
    for source in (training, validation, test):
        require_readable(source)
    remove_earlier_demo(out)
    most = photo_limit(budget)
    validator = Validator(EvaluationSet(with_several_holes(validation, most), limit=most), target_device)
    for name, config in configs.items():
        click.echo(f"{name}: training for {config.total:.0f} seconds")
        train(config, training, validator, out / name, device=target_device, on_validation=print_validation)
    models = classical(target_device) | {name: load_run(out / name, target_device) for name in configs}
    seed_everything(0)
    test_set = EvaluationSet(with_several_holes(test, most), limit=most)
    tables = Tables.of(evaluate_models(models, test_set, device=target_device))
    click.echo(as_text(tables))
    if note := about_the_gan(tables.overall, configs[GanModel.name].total / 60):
        click.echo(note)
    if test_set.skipped:
        click.echo(say_skipped(len(test_set.skipped), tables.overall[0].photos + len(test_set.skipped)))
    write_report(
        out / REPORT,
        f"{len(models)} ways to fill a hole",
        tables,
        list(evenly(test_set, ROWS)),
        models,
        {name: out / name for name in configs},
        {
            "photos": f"{Path(test.origin).name}, split: test",
            "holes": str(tables.overall[0].holes),
            "unreadable photos": str(len(test_set.skipped)),
            "seed of the holes": str(test_set.seed),
            "budget": f"{budget:g} minutes",
        },
        target_device,
        note,
    )
    click.echo(out / REPORT)
    return 0


def photo_limit(budget: float) -> int:
    """How many photos a demo of so many minutes may evaluate, so that training remains most of its work."""
    return min(MOST_PHOTOS, max(ROWS, round(PHOTOS_A_MINUTE * budget)))


def print_validation(interval: Interval) -> None:
    """A line for each validation; the curves are in the report."""
    if interval.validation is not None:
        metrics = interval.validation.metrics
        tqdm.write(f"  step {interval.step}  validation MSE {metrics['mse']:.2f}  MAE {metrics['mae']:.3f}")


def training_runs(budget: float, out: Path) -> dict[str, TrainConfig | AdversarialConfig]:
    """Each network's run, in the order in which they are trained: the GAN goes on from the attention model.

    Raises PhotomendError for a budget that is no length of time.
    """
    spare = max(0.0, budget * (1 - sum(SHARES.values())) - MOST_REST)
    more = dict.fromkeys(LARGER, spare / len(LARGER))
    minutes = {name: share * budget + more.get(name, 0.0) for name, share in SHARES.items()}
    return {
        name: AdversarialConfig(initial_weights=str(out / AttentionModel.name), minutes=length)
        if name == GanModel.name
        else TrainConfig.from_dict({"model": name, "minutes": length})
        for name, length in minutes.items()
    }


def about_the_gan(summaries: Sequence[Summary], minutes: float) -> str:
    """A note on a GAN that is hardly sharper, after so many minutes, than the model it began with, or ""."""
    sharpness = {summary.model: summary.metrics["sharpness"].value for summary in summaries}
    gan, attention = sharpness[GanModel.name], sharpness[AttentionModel.name]
    if gan > VISIBLE * attention:
        return ""
    return (
        f"The GAN is hardly sharper here ({gan:.3f}) than the attention model that it began with ({attention:.3f}): "
        f"it trained for {minutes:.1f} minutes, and needs about 20 to show texture. A larger --budget gives it more."
    )


def classical(device: torch.device) -> dict[str, Reconstructor]:
    """The fills that need no training; those whose library isn't installed are left out, and named."""
    found: dict[str, Reconstructor] = {}
    for name in CLASSICAL:
        try:
            found[name] = load_reconstructor(name, device)
        except PhotomendError as error:
            click.echo(f"left out: {error}")
    return found


def remove_earlier_demo(out: Path) -> None:
    """Make the folder, or take an earlier demo's own files, and nothing else, out of it.

    Raises PhotomendError for a folder with a run that no demo made, or with somebody else's file of the mark's name.
    """
    theirs = [out / folder / name for folder in ("", *SHARES) for name in RUN_FILES] + [out / REPORT]
    mark = out / MARK
    if mark.exists() and not (mark.is_file() and mark.read_text(encoding="utf-8", errors="replace") == MADE_BY):
        raise PhotomendError(f"{mark}: was not written by a demo; choose another --out")
    if any(path.exists() for path in theirs) and not mark.exists():
        raise PhotomendError(f"{out}: holds a run that is no demo; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    mark.write_text(MADE_BY, encoding="utf-8")
    for path in theirs:
        path.unlink(missing_ok=True)
