"""`photomend train`: the hand-written loop."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ... import models
from ...core import PhotomendError, did_you_mean
from ...core.backend.runtime import choose_device
from ...core.mode import checking
from ...data.evaluation_set import EvaluationSet
from ...models.weights import load_checkpoint
from ...train.adversarial import AdversarialTrainer
from ...train.config import AdversarialConfig, TrainConfig
from ...train.distributed import join
from ...train.initial_weights import initial_settings
from ...train.loop import CONFIG, train
from ...train.precision import PRECISIONS
from ...train.validation import Validator
from ..figures import show_validations
from ..one_voice import one_voice
from ..options import SEED, photo_options, read_settings, runtime_options, set_up_runtime
from ..paths import FILE, FOLDER
from ..reconstructors import find_shipped, holds_run, name_of
from ..sources import open_source

DEFAULT_MINUTES = 20.0


@click.command("train", no_args_is_help=True)
@click.argument("model")
@photo_options
@click.option("--out", type=FOLDER, required=True, help="The run folder; one with a run in it needs --resume.")
@click.option("--from", "initial", type=FOLDER, help="A run or weights file to start from; for gan, one of attention.")
@click.option("--resume", is_flag=True, help="Continue the run in the run folder, with its settings.")
@click.option("--minutes", type=float, help=f"Length of the run in time.  [default: {DEFAULT_MINUTES:g}]")
@click.option("--steps", type=int, help="Length of the run in steps: the same seed then gives the same weights.")
@click.option("--batch-size", type=int, help="Crops a step.  [default: the model's]")
@click.option("--crop", type=int, help="Side of the training crops, in pixels.  [default: the model's]")
@click.option("--splits", type=int, help="linear: rows and columns that the hole is split into, 2 to 8.  [default: 2]")
@click.option("--lr", type=float, help="The highest learning rate.  [default: the model's]")
@click.option(
    "--seed", type=SEED, help=f"Of the first weights, the crops and their holes.  [default: {TrainConfig.seed}]"
)
@click.option(
    "--precision",
    type=click.Choice(tuple(PRECISIONS)),
    help="What steps are computed in; bfloat16 pays on processors with instructions for it, tf32 is for NVIDIA GPUs; "
    "not for gan.  [default: float32]",
)
@click.option(
    "--sync-batch-norm",
    is_flag=True,
    default=None,
    help="Over several ranks (torchrun): batch norms see the whole batch, not each rank's share of it.",
)
@click.option("--workers", type=int, help=f"Processes that read photos.  [default: {TrainConfig.workers}]")
@click.option(
    "--config",
    "config_file",
    type=FILE,
    help="A TOML file with these and more settings (docs/training.md lists them); options go before it.",
)
@click.option(
    "--detect-anomaly",
    is_flag=True,
    help="Look through every value and gradient, and stop at the first primitive that makes NaN or infinity; slow.",
)
@runtime_options
@one_voice()
def command(
    model: str,
    photos: Path | None,
    data: Path | None,
    out: Path,
    initial: Path | None,
    resume: bool,
    crop: int | None,
    splits: int | None,
    config_file: Path | None,
    detect_anomaly: bool,
    device: str,
    threads: int | None,
    **options: Any,
) -> int:
    """Train MODEL (linear, cnn, attention, attention-report, or gan, which goes on from attention) on photos; without
    --photos and --data, on the sample photos.

    70 % of the photos are trained on, and 10 % are for validation. The run folder gets the weights (best
    and last), a state to resume from, the settings, a log, and after each validation a loss curve and a
    picture of reconstructions. Ctrl-C saves the state.

    \b
    photomend train attention --photos DIR --out RUN --minutes 20
    photomend train attention --photos DIR --out RUN --resume
    photomend train gan --from RUN --photos DIR --out RUN2
    torchrun --nproc-per-node 2 -m photomend train attention --photos DIR --out RUN
    """
    place = join(choose_device(device))
    if photos is not None and data is not None:
        raise click.UsageError("say which photos: either --photos or --data")
    if options["minutes"] is not None and options["steps"] is not None:
        raise click.UsageError("say how long: either --minutes or --steps")
    if model not in models.TRAINED:
        raise PhotomendError(f"no model to train is called {model!r}; {did_you_mean(model, models.TRAINED)}")
    given = {name: value for name, value in options.items() if value is not None}
    if initial is not None:
        if resume:
            raise click.UsageError("--from is for a new run; leave it out")
        own = None if initial.exists() else find_shipped(str(initial))
        given["initial_weights"] = str(own or initial)
    if network := {name: value for name, value in {"window": crop, "splits": splits}.items() if value is not None}:
        given["model_config"] = network
    config = settle(model, given, config_file, out / CONFIG if resume else None)
    gan = isinstance(config, AdversarialConfig)
    training, validation = (open_source(photos, data, split) for split in ("train", "validation"))
    target = set_up_runtime(device, threads)
    validator = Validator(EvaluationSet(validation, limit=config.validation_photos), target)
    show = show_validations(out, validator, "as it began" if gan else "not trained yet")
    try:
        with checking(detect_anomaly):
            trainer = train(config, training, validator, out, resume=resume, device=target, on_validation=show)
    except KeyboardInterrupt:
        if gan and place.first and holds_run(out):
            click.echo(f"{out}: {say_kept(out)}")
        raise
    if not place.first:
        return 0
    if isinstance(trainer, AdversarialTrainer):
        stopped = f"{trainer.ending}; " if trainer.balance.stopped else ""
        click.echo(f"{out}: {stopped}{say_kept(out)}")
    click.echo(f"{out}  is ready: photomend repair PHOTO --mask MASK -o OUT --model {shlex.quote(name_of(out))}")
    return 0


def say_kept(out: Path) -> str:
    """Which weights an adversarial run keeps as its best: its own, or still those that it began with."""
    step = load_checkpoint(out).step
    return f"the weights of step {step} are kept" if step else "the weights kept are still the attention model's own"


def settle(
    model: str, given: dict[str, Any], config_file: Path | None, resumed: Path | None
) -> TrainConfig | AdversarialConfig:
    """The run's settings: the resumed run's, under those of the file, under those of the command line (`given`).

    Raises PhotomendError: an unreadable file, an unknown key (the nearest is named), or a value that does not fit.
    """
    where = str(config_file or resumed or "command line")
    settings: dict[str, Any] = {}
    for path in (resumed, config_file):
        if path is not None:
            settings = merge(settings, read_settings(path))
    settings = merge(settings, given)
    if "steps" not in settings and "minutes" not in settings:
        settings["minutes"] = DEFAULT_MINUTES
    if (initial := settings.get("initial_weights")) and resumed is None:
        settings["model_config"] = {**initial_settings(model, initial), **settings.get("model_config", {})}
    named = settings.setdefault("model", model)
    if named != model:
        raise PhotomendError(f"{where}: is for the model {named!r}, not {model!r}")
    return (AdversarialConfig if model == AdversarialConfig.model else TrainConfig).from_dict(settings, where)


def merge(base: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `new`; a length in steps replaces one in minutes and the other way round, and of the
    network's own settings those that are named."""
    if "model_config" in new:
        new = {**new, "model_config": {**base.get("model_config", {}), **new["model_config"]}}
    if "steps" in new or "minutes" in new:
        base = {key: value for key, value in base.items() if key not in ("steps", "minutes")}
    return {**base, **new}
