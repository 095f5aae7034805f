"""What each part of the attention model is worth: the whole, and the whole without one part, under one budget.

    python benchmarks/ablation.py --photos DIR --out ablation --minutes 4 --markdown ablation.md

Trains one variant after another for the same number of minutes on the training photos, with the same seed and so the
same crops and holes in the same order, and compares them on the test photos. Run again with the same folder it goes on
where it was cut. Beside each MSE stands its ratio to the whole model's, photo by photo, with a 95 % interval. One
training run a variant: the interval says how sure the comparison of *these* weights is, not how another seed would do.
"""

from __future__ import annotations

from pathlib import Path

import click
from photomend.app.options import FILE, FOLDER, check_target, runtime_options, start, write_text
from photomend.app.reconstructors import load_reconstructor
from photomend.app.sources import open_source
from photomend.data.loader import EvaluationSet
from photomend.models.attention import PARTS
from photomend.train.bootstrap import bootstrap_interval, bootstrap_ratio
from photomend.train.checkpoint import STATE
from photomend.train.config import TrainConfig
from photomend.train.evaluate import Evaluation, evaluate_models
from photomend.train.loop import train
from photomend.train.validation import Validator

WHOLE = "attention"
VARIANTS: dict[str, tuple[str, ...]] = {
    WHOLE: (),
    "without fill and residual": ("fill",),
    "without mask channel": ("mask",),
    "without channel attention": ("channel",),
    "without spatial attention": ("spatial",),
    "without skips": ("skips",),
}


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--photos", type=FOLDER, required=True, help="A folder of photos.")
@click.option("--out", type=FOLDER, required=True, help="Where the runs go.")
@click.option("--minutes", type=float, default=4.0, show_default=True, help="Training time of each variant.")
@click.option("--limit", type=int, help="Test on so many photos only.")
@click.option("--markdown", type=FILE, help="Write the table here; an .md file.")
@runtime_options
def main(
    photos: Path, out: Path, minutes: float, limit: int | None, markdown: Path | None, device: str, threads: int | None
) -> None:
    if markdown is not None:
        check_target(markdown, ".md")
    target = start(device, threads)
    training, validation, test = (open_source(photos, None, split) for split in ("train", "validation", "test"))
    assert {part for parts in VARIANTS.values() for part in parts} == set(PARTS)
    models = {"harmonic": load_reconstructor("harmonic", target)}
    for name, without in VARIANTS.items():
        run = out / name.replace(" ", "-")
        finished = run / "finished"
        if not finished.exists():
            click.echo(f"{name}: training")
            config = TrainConfig(model=WHOLE, minutes=minutes, model_config={"without": list(without)})
            validator = Validator(EvaluationSet(validation, limit=config.validation_photos), target)
            train(config, training, validator, run, resume=(run / STATE).exists(), device=target)
            finished.touch()
        models[name] = load_reconstructor(str(run), target)
    text = table(evaluate_models(models, EvaluationSet(test, limit=limit), device=target))
    click.echo(text)
    if markdown is not None:
        write_text(markdown, text + "\n")


def table(evaluations: list[Evaluation]) -> str:
    """A line for each variant: MSE, MAE and the MSE's ratio to the whole model's."""
    whole = next(e for e in evaluations if e.model == WHOLE)
    lines = [f"| model, {whole.photos} photos | MSE | MAE | MSE / whole |", "|---|---:|---:|---:|"]
    for evaluation in evaluations:
        cells = [
            f"{evaluation.mean(m):.{n}f} ({low:.{n}f}–{high:.{n}f})"
            for m, n in (("mse", 2), ("mae", 3))
            for low, high in [bootstrap_interval(evaluation.by_photo(m))]
        ]
        ratio, (low, high) = bootstrap_ratio(evaluation.by_photo("mse"), whole.by_photo("mse"))
        cells.append("1" if evaluation is whole else f"{ratio:.3f} ({low:.3f}–{high:.3f})")
        lines.append(" | ".join([f"| {evaluation.model}", *cells]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
