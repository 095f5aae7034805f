"""`photomend prepare`: photos into a data set."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from ...core.backend.ranks import ranks
from ...data.photos import find_photos, say_skipped
from ...data.preparation.hub import HubDataset, label_of
from ...data.preparation.hub_stream import HubStream
from ...data.preparation.pairs import PairSource, find_pairs
from ...data.preparation.prepare import ENCODINGS, prepare
from ...data.preparation.shares import in_shares, prepare_share
from ...data.preparation.stream import PhotoStream, SourceStream
from ...data.preparation.unfinished import read_journal, unfinished_folder
from ...data.sources import FolderSource, SampleSource
from ..options import SEED, pixels_option
from ..paths import FOLDER


@click.command("prepare", no_args_is_help=True)
@click.option(
    "--source", required=True, metavar="samples|folder:DIR|pairs:DIR|hub:NAME", help="Where the photos come from."
)
@click.option("--out", type=FOLDER, required=True, help="Folder of the new data set: a new or an empty one.")
@click.option("--classes", metavar="A,B,…", help="hub: the classes to take, by name or number.  [default: all]")
@click.option("--limit", type=click.IntRange(min=1), help="hub: the most photos to take of each class.")
@click.option(
    "--token-env", metavar="NAME", default="HF_TOKEN", help="hub: the environment variable with your access token."
)
@click.option("--seed", type=SEED, default=0, help="Seed of the holes.")
@click.option("--side", type=click.IntRange(min=64), default=224, help="Side of a photo in pixels.")
@click.option(
    "--encoding",
    type=click.Choice(sorted(ENCODINGS)),
    default="png",
    help="png keeps photos exactly; jpeg (quality 95) is several times smaller.",
)
@click.option("--restart", is_flag=True, help="Discard what an unfinished run of this command has left.")
@pixels_option
def command(
    source: str,
    out: Path,
    classes: str | None,
    limit: int | None,
    token_env: str,
    seed: int,
    side: int,
    encoding: str,
    restart: bool,
) -> int:
    """Turn photos into a data set with fixed splits and stored holes.

    Photos are resized once, so that training and evaluation only decode them. 70 % are for training, 10 % for
    validation and 20 % for the test, by a hash of their names; `provenance.json` in the data set says what went in.
    A run that was cut short goes on where it stopped when the same command is given again.

    \b
    samples     the few photos that come with scikit-image
    folder:DIR  the photos in a folder; its subfolders are their classes
    pairs:DIR   photos x.jpg, each with a copy x_masked.jpg in which the hole is a black rectangle
    hub:NAME    OWNER/NAME on the Hugging Face hub, streamed; imagenet-10 or oxford-pets; or a
                folder with parquet or webdataset files

    \b
    photomend prepare --source folder:DIR --out PREPARED
    photomend prepare --source hub:oxford-pets --classes beagle,pug --out PREPARED
    photomend train attention --data PREPARED --out RUN
    """
    if not source.startswith("hub:") and (classes is not None or limit is not None):
        raise click.UsageError(f"{'--limit' if classes is None else '--classes'} is for --source hub:NAME")
    wanted = [name.strip() for name in (classes or "").split(",") if name.strip()]
    if classes is not None and not wanted:
        raise click.UsageError(f"--classes {classes!r} names no class")
    place = ranks()
    if restart and place.size > 1:
        raise click.UsageError(
            f"--restart is for one process; with several, remove {unfinished_folder(out.resolve())} before they begin"
        )
    begun = None if restart else read_journal(out)
    done = begun.photos if begun else 0
    together = place.size > 1 or (begun is not None and not restart and in_shares(out))
    photos = open_stream(source, wanted, limit, token_env, begun.parameters if begun else {})
    hidden = None if place.first else True
    with tqdm(total=photos.total, initial=done, unit="photo", leave=False, disable=hidden, miniters=0) as bar:
        others = count(1)

        def on_other() -> None:
            bar.set_postfix_str(f"{next(others)} rows passed over", refresh=False)
            bar.update(0)  # draws it if it's time

        if together:
            provenance = prepare_share(photos, out, place, seed, side, encoding, bar.update, on_other)
        else:
            provenance = prepare(photos, out, seed, side, encoding, bar.update, restart, on_other)
    if provenance is None:
        folder = unfinished_folder(out.resolve())
        click.echo(f"photomend: {place}: its share is in {folder}; the last of them makes {out} of all", err=True)
        return 0
    if done:
        click.echo(f"went on after {done} photos")
    counts = {split: sum(classes.values()) for split, classes in provenance["counts"].items()}
    click.echo(f"{out}  " + ", ".join(f"{count} {split}" for split, count in counts.items()))
    if skipped := provenance["skipped"]:
        click.echo(say_skipped(len(skipped), len(skipped) + sum(counts.values())))
    return 0


def open_stream(
    source: str, classes: list[str], limit: int | None, token_env: str, earlier: Mapping[str, Any]
) -> PhotoStream:
    """What --source means; of a hub the revision that an `earlier` run was begun with.

    Raises click.UsageError for what it can't mean, PhotomendError for what isn't there.
    """
    if source == "samples":
        return SourceStream(SampleSource())
    kind, _, name = source.partition(":")
    if kind == "folder" and name:
        return SourceStream(FolderSource(find_photos(Path(name)), Path(name)))
    if kind == "pairs" and name:
        return SourceStream(PairSource(find_pairs(Path(name)), Path(name)), f"pairs:{Path(name).resolve().name}")
    if kind == "hub" and name:
        revision = earlier.get("revision") if earlier.get("source") == label_of(name) else None
        return HubStream(HubDataset(name, token_env, revision), classes, limit)
    raise click.UsageError(f"--source {source!r} is neither samples nor folder:DIR, pairs:DIR or hub:NAME")
