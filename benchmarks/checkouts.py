"""Is a training step slower than it was? Two checkouts in one process, whose steps take turns.

    git worktree add /tmp/before/photomend 0138ec7
    python benchmarks/checkouts.py /tmp/before/photomend --pairs 150

Between two processes the same code differs by several per cent, by where their memory happens to lie; in one process
both have the same luck. Each checkout is imported under a name of its own and does the same steps with the same
weights on the same batch, in changing order. Printed: the median step of each, and the ratio of the pairs, this
checkout's time by the other's, median and deciles. Given this checkout itself as the other, it should say 1.00.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from photomend.app.options import runtime_options, set_up_runtime
from photomend.app.paths import FOLDER
from photomend.core import Array
from photomend.data.masks import box_mask, random_box
from tqdm import tqdm

#: Steps before the clock runs, and the side of a crop.
WARM_UP, SIDE = 3, 96


@click.command(help=__doc__)
@click.argument("other", type=FOLDER)
@click.option("--pairs", type=click.IntRange(min=2), default=150, show_default=True)
@click.option("--model", default="attention", show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True)
@runtime_options
def main(other: Path, pairs: int, model: str, batch_size: int, device: str, threads: int | None) -> None:
    where = set_up_runtime(device, threads)
    batch = [array.to(where) for array in crops(batch_size)]
    with tempfile.TemporaryDirectory() as links:
        checkouts = {"other": other, "this": Path(__file__).parents[1]}
        trainers = [trainer(Path(links), name, path, model, where) for name, path in checkouts.items()]
    for each in trainers * WARM_UP:
        each.step(*batch)
    click.echo(report(tuple(checkouts), timed(trainers, batch, pairs)))


def trainer(links: Path, name: str, checkout: Path, model: str, device: torch.device) -> Any:
    """A checkout's own trainer; the checkout is imported as the package photomend_NAME."""
    if not (checkout / "train" / "trainer.py").is_file():
        raise click.ClickException(f"OTHER: {checkout} is no checkout of photomend: it has no train/trainer.py")
    package = f"photomend_{name}"
    (links / package).symlink_to(checkout.resolve())
    sys.path.insert(0, str(links))
    try:
        settings = importlib.import_module(f"{package}.train.config").TrainConfig
        made = importlib.import_module(f"{package}.train.trainer").Trainer
    finally:
        sys.path.remove(str(links))
    return made(settings.from_dict({"model": model, "steps": 10**6, "seed": 0}), device)


def crops(n: int) -> tuple[Array, Array]:
    """Random photos (n, 3, SIDE, SIDE) and masks (n, 1, SIDE, SIDE), each with a hole as training has them."""
    rng = np.random.default_rng(0)
    masks = np.stack([box_mask(random_box(rng, SIDE, SIDE), SIDE, SIDE) for _ in range(n)])
    return torch.from_numpy(rng.random((n, 3, SIDE, SIDE), np.float32)), torch.from_numpy(masks[:, None]).float()


def timed(trainers: list[Any], batch: list[Array], pairs: int) -> list[list[float]]:
    """Seconds of each trainer's steps; the one that begins a pair is the other's next time."""
    seconds: list[list[float]] = [[], []]
    for pair in tqdm(range(pairs), disable=None, leave=False):
        for which in (pair % 2, 1 - pair % 2):
            begin = time.perf_counter()
            trainers[which].step(*batch)  # ends with a read-back, and so with the device's work
            seconds[which].append(time.perf_counter() - begin)
    return seconds


def report(names: tuple[str, ...], seconds: list[list[float]]) -> str:
    """The median step of each, and the ratio of the pairs."""
    medians = [f"{name} {statistics.median(each) * 1e3:.1f} ms" for name, each in zip(names, seconds, strict=True)]
    ratios = [this / other for other, this in zip(*seconds, strict=True)]
    low, *_, high = statistics.quantiles(ratios, n=10)
    return f"{', '.join(medians)}; this / other {statistics.median(ratios):.3f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    main()
