"""What each part of the attention model is worth: the whole, the whole without one part, and the report's, one budget.

    python benchmarks/ablation.py --photos DIR --out ablation --minutes 4 --lr 0.0005 --markdown ablation.md

The report's is the architecture of `models/attention_report.py`, with the same loss, optimizer and budget.
Trains one variant after another for the same number of minutes on the training photos, with the same seed and so the
same crops and holes in the same order, and compares them on the test photos. With the same folder again, it continues
where it was interrupted; a folder of another budget, learning rate, seed or photos is refused. The table has the steps
that fit into the time, each error, and the ratio of the MSE to the whole model's, photo by photo, with a 95 % interval.
There is one training run per variant: the interval is about *these* weights, not about another seed's.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch
from photomend.app.options import check_target, runtime_options, set_up_runtime, write_text
from photomend.app.paths import FILE, FOLDER
from photomend.app.reconstructors import load_reconstructor, load_run
from photomend.app.sources import open_source
from photomend.core import PhotomendError
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.sources import PhotoSource, names_digest
from photomend.train.checkpoint import STATE
from photomend.train.config import TrainConfig
from photomend.train.evaluation.bootstrap import bootstrap_intervals, bootstrap_ratios
from photomend.train.evaluation.evaluate import Evaluation, evaluate_models
from photomend.train.loop import train
from photomend.train.validation import Validator

WHOLE = "attention"
REPORT = "attention-report"
FINISHED = "finished.json"
#: The model and its settings.
VARIANTS: dict[str, tuple[str, dict[str, list[str]]]] = {
    WHOLE: (WHOLE, {}),
    "without fill and residual": (WHOLE, {"without": ["fill"]}),
    "without mask channel": (WHOLE, {"without": ["mask"]}),
    "without channel attention": (WHOLE, {"without": ["channel"]}),
    "without spatial attention": (WHOLE, {"without": ["spatial"]}),
    "without skips": (WHOLE, {"without": ["skips"]}),
    REPORT: (REPORT, {}),
}


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--photos", type=FOLDER, required=True, help="A folder of photos.")
@click.option("--out", type=FOLDER, required=True, help="Where the runs go.")
@click.option("--minutes", type=float, help="Training time of each variant.  [default: 4]")
@click.option("--steps", type=int, help="Training steps of each variant, in place of minutes.")
@click.option("--lr", type=float, help=f"The highest learning rate.  [default: {TrainConfig.lr:g}, with AdamW]")
@click.option("--limit", type=int, help="Test on so many photos only.")
@click.option("--markdown", type=FILE, help="Write the table here; an .md file.")
@runtime_options
def main(
    photos: Path,
    out: Path,
    minutes: float | None,
    steps: int | None,
    lr: float | None,
    limit: int | None,
    markdown: Path | None,
    device: str,
    threads: int | None,
) -> None:
    try:
        if markdown is not None:
            check_target(markdown, ".md")
        minutes = 4.0 if minutes is None and steps is None else minutes
        text = ablation(photos, out, minutes, steps, limit, set_up_runtime(device, threads), lr)
        click.echo(text)
        if markdown is not None:
            write_text(markdown, text + "\n")
    except PhotomendError as error:
        raise click.ClickException(str(error)) from error


def ablation(
    photos: Path,
    out: Path,
    minutes: float | None,
    steps: int | None,
    limit: int | None,
    device: torch.device,
    lr: float | None = None,
) -> str:
    """Train what isn't trained yet, and compare all of it. Raises PhotomendError."""
    training, validation, test = (open_source(photos, None, split) for split in ("train", "validation", "test"))
    configs = {
        name: TrainConfig(
            model=model, minutes=minutes, steps=steps, model_config=settings, lr=TrainConfig.lr if lr is None else lr
        )
        for name, (model, settings) in VARIANTS.items()
    }
    for name, config in configs.items():
        require_same(out / folder(name), config, training)
    models, done = {"harmonic": load_reconstructor("harmonic", device)}, {"harmonic": 0}
    for name, config in configs.items():
        run = out / folder(name)
        if not (run / FINISHED).exists():
            click.echo(f"{name}: training")
            validator = Validator(EvaluationSet(validation, limit=config.validation_photos), device)
            trainer = train(config, training, validator, run, resume=(run / STATE).exists(), device=device)
            finished = made_with(config, training) | {"done": trainer.progress.steps}
            write_text(run / FINISHED, json.dumps(finished) + "\n")
        models[name] = load_run(run, device)
        done[name] = json.loads((run / FINISHED).read_text(encoding="utf-8"))["done"]
    return table(evaluate_models(models, EvaluationSet(test, limit=limit), device=device), done)


def folder(variant: str) -> str:
    return variant.replace(" ", "-")


def made_with(config: TrainConfig, photos: PhotoSource) -> dict[str, object]:
    """What two variants must share to be compared."""
    settings = {name: getattr(config, name) for name in ("minutes", "steps", "lr", "seed")}
    return settings | {"photos": names_digest(photos)}


def require_same(run: Path, config: TrainConfig, photos: PhotoSource) -> None:
    """Refuse a finished run of another budget, learning rate, seed or photos. Raises PhotomendError."""
    mark = run / FINISHED
    if not mark.exists():
        return
    theirs = json.loads(mark.read_text(encoding="utf-8"))
    for name, value in made_with(config, photos).items():
        if theirs.get(name) != value:
            raise PhotomendError(
                f"{mark}: was made with {name} (={theirs.get(name)}), not {value}; choose another --out"
            )


def table(evaluations: list[Evaluation], steps: dict[str, int]) -> str:
    """A line for each variant: steps, MSE, MAE and the MSE's ratio to the whole model's."""
    whole = next(e for e in evaluations if e.model == WHOLE)
    lines = [f"| model, {whole.photos} photos | steps | MSE | MAE | MSE / whole |", "|---|---:|---:|---:|---:|"]
    for evaluation in evaluations:
        cells = [
            f"{evaluation.mean(m):.{n}f} ({low:.{n}f}–{high:.{n}f})"
            for m, n in (("mse", 2), ("mae", 3))
            for low, high in bootstrap_intervals([evaluation.by_photo(m)])
        ]
        ratio, (low, high) = bootstrap_ratios([(evaluation.by_photo("mse"), whole.by_photo("mse"))])[0]
        cells.append("1" if evaluation is whole else f"{ratio:.3f} ({low:.3f}–{high:.3f})")
        lines.append(" | ".join([f"| {evaluation.model}", str(steps[evaluation.model]), *cells]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
