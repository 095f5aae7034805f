"""Average the weights of several runs that started from the same ones, to use or to continue training.

    python weights/mean.py runs/first runs/second/last.safetensors --out runs/mean.safetensors

Runs that start from one point may end on different slopes of one valley; then their mean is closer to its floor
(Izmailov et al., *Averaging weights leads to wider optima and better generalization*, 2018). A run folder means its
best weights; one that is named twice counts twice. The runs' validation results and expected errors don't hold for the
mean, and are left out.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from photomend.app.options import check_target
from photomend.core import Array, PhotomendError
from photomend.models.weights import Checkpoint, find_checkpoint, load_checkpoint, save_checkpoint
from photomend.train.initial_weights import FREE

FILE = click.Path(path_type=Path)


@click.command(help=__doc__.split("\n\n")[0])
@click.argument("runs", nargs=-1, required=True, type=FILE)
@click.option("--out", type=FILE, required=True, help="Write them here; a .safetensors file.")
def main(runs: tuple[Path, ...], out: Path) -> None:
    try:
        check_target(out, ".safetensors")
        save_checkpoint(out, averaged([find_checkpoint(run) for run in runs]))
    except PhotomendError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: the mean of {len(runs)}")


def averaged(files: list[Path]) -> Checkpoint:
    """The mean of the files' weights, which must be of one network; counters are the first one's.

    Raises:
        PhotomendError: naming the file, when it can't be read or holds another network's weights than the first.
    """
    first, *rest = (load_checkpoint(file) for file in files)
    for file, other in zip(files[1:], rest, strict=True):
        if _network(other) != _network(first):
            raise PhotomendError(f"{file}: holds another network than {files[0]}, so their weights have no mean")
    weights = {name: _mean([one, *(other.weights[name] for other in rest)]) for name, one in first.weights.items()}
    return Checkpoint(first.model, weights, first.config)


def _mean(arrays: list[Array]) -> Array:
    """Their mean in float32, also of packed weights; the first one if they are counters."""
    first = arrays[0]
    return torch.stack([one.double() for one in arrays]).mean(0).float() if first.is_floating_point() else first


def _network(checkpoint: Checkpoint) -> tuple[object, ...]:
    """What must be the same: all but the crops' side and the number of views, which weights don't depend on."""
    settings = {key: value for key, value in checkpoint.config.items() if key not in FREE}
    return checkpoint.model, settings, {name: one.shape for name, one in checkpoint.weights.items()}


if __name__ == "__main__":
    main()
