"""How accurate float32 is through a whole model, and whether the convolution algorithm matters in training.

    python benchmarks/accuracy.py --photos DIR --steps 200 --seeds 3 --markdown accuracy.md

The first table compares float32 with float64 on the same photos and weights: ‖float32 − float64‖ / ‖float64‖ of what
the attention networks add to the fill they start from, and of the squared error's gradients (the largest of them).
The second trains the attention model from scratch with Winograd's convolution, along one axis or both, wherever it
applies, and tap by tap, with the same crops in the same order, and compares the difference with that between seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

import click
import torch
from photomend import models
from photomend.app.options import check_target, runtime_options, set_up_runtime, write_text
from photomend.app.paths import FILE, FOLDER
from photomend.app.reconstructors import load_reconstructor
from photomend.app.sources import open_source
from photomend.core import Array, PhotomendError, runtime
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.loader import CropLoader
from photomend.data.sources import PhotoSource
from photomend.layers.convolution.choose import only
from photomend.train.config import TrainConfig
from photomend.train.losses import hole_loss
from photomend.train.trainer import Trainer
from photomend.train.validation import Validator
from tqdm import tqdm

#: Crops that answers and gradients are compared on, and photos that a training is validated on.
CROPS, PHOTOS = 8, 200
#: Losses at the end of a training that are averaged.
LAST = 50
#: The plain sum of products comes last.
WAYS = {
    "by the rule": None,
    "Winograd along one axis": "winograd-rows",
    "Winograd along both": "winograd",
    "tap by tap": "taps",
}


def convolving(way: str) -> AbstractContextManager[None]:
    """The context in which convolutions go this way where it fits."""
    name = WAYS[way]
    return nullcontext() if name is None else only(name)


class Trained(NamedTuple):
    """What a training came to: the mean of its last losses, and the validated errors."""

    loss: float
    mse: float
    mae: float


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--photos", type=FOLDER, required=True, help="A folder of photos.")
@click.option("--steps", type=click.IntRange(min=LAST), default=200, show_default=True, help="Of each training.")
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Trainings each way.")
@click.option("--markdown", type=FILE, help="Write the tables here; an .md file.")
@runtime_options
def main(photos: Path, steps: int, seeds: int, markdown: Path | None, device: str, threads: int | None) -> None:
    try:
        if markdown is not None:
            check_target(markdown, ".md")
        where = set_up_runtime(device, threads)
        training, validation = (open_source(photos, None, split) for split in ("train", "validation"))
        trained = curves(training, validation, steps, seeds, where)
        text = "\n".join([*exactness(training, where), "", *table(trained, steps)])
        click.echo(text)
        if markdown is not None:
            write_text(markdown, text + "\n")
    except PhotomendError as error:
        raise click.ClickException(str(error)) from error


def exactness(photos: PhotoSource, device: torch.device) -> Iterator[str]:
    """A line for each network and each convolution algorithm."""
    yield "| network | convolution | answer | gradients, the largest |"
    yield "|---|---|---:|---:|"
    for name, network in networks(device).items():
        batch = next(iter(CropLoader(photos, CROPS, network.window)))
        photo, mask = batch.photo.to(device, torch.float64), batch.mask.to(device, torch.float64)
        answer, gradients = answered(network.to(dtype=torch.float64), photo, mask)
        for way in WAYS:
            with convolving(way):
                found, its_gradients = answered(network.to(dtype=torch.float32), photo.float(), mask.float())
            largest = max(map(distance, its_gradients, gradients))
            yield f"| {name} | {way} | {distance(found, answer):.1e} | {largest:.1e} |"


def networks(device: torch.device) -> dict[str, models.RepairNetwork]:
    """The shipped attention model, and the report's with fresh weights, whose gradients are those of a first step."""
    trained = load_reconstructor("photomend-s", device)
    assert isinstance(trained, models.RepairNetwork)
    runtime.seed_everything(0)
    report = models.build("attention-report", window=trained.window)
    return {"photomend-s": trained, "attention-report, untrained": report.to(device)}


def answered(network: models.RepairNetwork, photo: Array, mask: Array) -> tuple[Array, list[Array]]:
    """What the network adds in the holes to what it starts at (the fill, or nothing), and the gradients."""
    network.zero_grad()
    prepared = network.prepare(photo * (1 - mask), mask)
    prediction = network.predict(*prepared)
    # The squared error alone: the absolute one's gradient jumps where an error is 0, whichever side it is rounded to.
    hole_loss(prediction, photo, mask, mse_weight=1.0, mae_weight=0.0).backward()
    return (prediction.data - prepared[0]) * mask, [p.grad for p in network.parameters() if p.grad is not None]


def distance(found: Array, reference: Array) -> float:
    """‖found − reference‖ / ‖reference‖."""
    reference = reference.double()
    return ((found.double() - reference).norm() / reference.norm().clamp_min(1e-30)).item()


def curves(
    photos: PhotoSource, validation: PhotoSource, steps: int, seeds: int, device: torch.device
) -> dict[str, list[Trained]]:
    """What a training comes to, each way and with each seed."""
    validator = Validator(EvaluationSet(validation, limit=PHOTOS), device)
    trained: dict[str, list[Trained]] = {way: [] for way, algorithm in WAYS.items() if algorithm is not None}
    for seed, way in itertools.product(range(seeds), trained):
        with convolving(way):
            trained[way].append(train(photos, validator, steps, seed, device))
    return trained


def differences(trained: dict[str, list[Trained]]) -> tuple[Trained, Trained]:
    """How far a training with Winograd's is from the one tap by tap on average, and the deviation between seeds."""
    *winograd, plain = trained.values()
    pairs = [pair for those in winograd for pair in zip(those, plain, strict=True)]
    ways = (mean(abs(a[i] - b[i]) for a, b in pairs) for i in range(3))
    seeds = (mean(stdev(each[i] for each in those) for those in trained.values()) for i in range(3))
    return Trained(*ways), Trained(*seeds)


def table(trained: dict[str, list[Trained]], steps: int) -> Iterator[str]:
    """A line for each training, and one for each of the two differences."""
    ways, seeds = differences(trained)
    yield f"| seed | convolution | mean loss of the last {LAST} of {steps} steps | MSE | MAE |"
    yield "|---:|---|---:|---:|---:|"
    for way, those in trained.items():
        for seed, result in enumerate(those):
            yield f"| {seed} | {way} | {result.loss:.5f} | {result.mse:.3f} | {result.mae:.4f} |"
    yield f"| | mean difference of Winograd from tap by tap | {ways.loss:.1e} | {ways.mse:.1e} | {ways.mae:.1e} |"
    yield f"| | standard deviation between seeds | {seeds.loss:.1e} | {seeds.mse:.1e} | {seeds.mae:.1e} |"


def train(photos: PhotoSource, validator: Validator, steps: int, seed: int, device: torch.device) -> Trained:
    """Train the attention model from scratch, in float32."""
    trainer = Trainer(TrainConfig.from_dict({"steps": steps, "seed": seed, "batch_size": 8}), device)
    batches = iter(CropLoader(photos, trainer.config.batch_size, trainer.network.window, seed, workers=1))
    losses = []
    for batch in tqdm(itertools.islice(batches, steps), total=steps, desc=f"seed {seed}", disable=None, leave=False):
        losses.append(trainer.step(batch.photo.to(device), batch.mask.to(device))[0])
    batches.close()
    with trainer.ema.averaged() as averaged:
        assert isinstance(averaged, models.RepairNetwork)
        errors = validator(averaged).metrics
    return Trained(mean(losses[-LAST:]), errors["mse"], errors["mae"])


if __name__ == "__main__":
    main()
