"""`photomend prepare`: photos into a data set."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from ...data.photos import find_photos, say_skipped
from ...data.prepared import ENCODINGS, prepare
from ...data.sources import FolderSource, PhotoSource, SampleSource
from ..options import FOLDER, SEED


@click.command("prepare", no_args_is_help=True)
@click.option("--source", required=True, metavar="samples|folder:DIR", help="Where the photos come from.")
@click.option("--out", type=FOLDER, required=True, help="The new data set's folder; an existing one is refused.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the holes.")
@click.option("--side", type=click.IntRange(min=64), default=224, show_default=True, help="Photos' side, in pixels.")
@click.option(
    "--encoding",
    type=click.Choice(sorted(ENCODINGS)),
    default="png",
    show_default=True,
    help="png keeps photos exactly; jpeg (quality 95) is several times smaller.",
)
def command(source: str, out: Path, seed: int, side: int, encoding: str) -> int:
    """Turn photos into a data set with splits and stored holes.

    Photos are resized once, so that training and evaluation only decode them. 70 % are for training, 10 %
    for validation and 20 % for testing, by a hash of their paths within the folder; `provenance.json` in
    the data set says what went in.

    \b
    photomend prepare --source folder:DIR --out PREPARED
    photomend train attention --data PREPARED --out RUN
    """
    photos = parse_source(source)
    with tqdm(total=len(photos), unit="photo", leave=False, disable=None) as bar:
        provenance = prepare(photos, out, seed, side, encoding, on_photo=bar.update)
    counts = {split: sum(classes.values()) for split, classes in provenance["counts"].items()}
    click.echo(f"{out}  " + ", ".join(f"{count} {split}" for split, count in counts.items()))
    if skipped := provenance["skipped"]:
        click.echo(say_skipped(len(skipped), len(photos)))
    return 0


def parse_source(source: str) -> PhotoSource:
    """`samples`, or `folder:DIR`. Raises click.UsageError for anything else, PhotomendError for an empty
    folder.
    """
    if source == "samples":
        return SampleSource()
    kind, _, folder = source.partition(":")
    if kind != "folder" or not folder:
        raise click.UsageError(f"--source {source!r} is neither samples nor folder:DIR")
    return FolderSource(find_photos(Path(folder)), Path(folder))
