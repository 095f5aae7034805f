"""`photomend inspect`: a network at work on a photo, as a page."""

from __future__ import annotations

from pathlib import Path

import click

from ...core import PhotomendError
from ...data.masks import BoxError
from ...models import TRAINED, RepairNetwork
from ...models.calibration import SHARE
from ...models.holes import find_holes
from ..batch.bar import bar_over
from ..masks.choice import Choice
from ..masks.options import mask_options
from ..options import check_target, runtime_options, set_up_runtime
from ..paths import FILE
from ..photo.canvas import RepairError, check_mask
from ..photo.files import read
from ..reconstructors import load
from ..repair import Repairer


@click.command("inspect", no_args_is_help=True)
@click.argument("photo", type=FILE)
@mask_options
@click.option("-o", "--output", type=FILE, required=True, help="The page to write; its name ends in .html.")
@click.option("--model", help="A network's name, a run folder or a weights file.  [default: attention, as shipped]")
@click.option("--holes", type=click.IntRange(1, 20), default=3, help="How many holes are shown, the largest first.")
@click.option("--overwrite", is_flag=True, help="Replace a page that exists already.")
@runtime_options
def command(
    photo: Path,
    mask: Path | None,
    choice: Choice,
    output: Path,
    model: str | None,
    holes: int,
    overwrite: bool,
    device: str,
    threads: int | None,
) -> None:
    """Show what a network does with the holes of a photo, on a page that needs nothing beside it.

    Of each hole: what classical fills and the network make of it, what the network adds to its first guess, where its
    spatial attention looks, which gates of channels are open, and the features of each stage. The photo is repaired as
    `photomend repair --look faithful` does it, of any size; the page shows what the network saw then. PHOTO itself
    stays as it is.

    \b
    photomend inspect photo.png --box 40,60,50,30 -o inside.html
    photomend inspect photo.png --mask mask.png -o inside.html --model RUN
    """
    if choice.feather:
        raise click.UsageError("--feather blends a repair into the photo; inspect repairs none")
    check_target(output, ".html", overwrite=overwrite)
    where = set_up_runtime(device, threads)
    network, calibrations = load(model, where)
    if not isinstance(network, RepairNetwork):
        raise PhotomendError(f"model {model or 'harmonic'!r} is a classical fill; networks are {', '.join(TRAINED)}")
    from ..report.architecture import count  # here, because mistakes answer sooner without matplotlib
    from ..report.inside import look_inside
    from ..report.inside_images import whole_photo
    from ..report.inside_page import write_page

    with bar_over(holes, "hole") as bar:
        picture = read(photo)
        try:
            missing = choice.missing(picture, mask)
            check_mask(missing, picture.shape)
        except (BoxError, RepairError) as error:
            place = f"{photo} with the mask {mask}" if mask else photo
            raise PhotomendError(f"{place}: {error}") from error
        canvas = picture.canvas(missing)
        expected = Repairer(network, where, calibrations).expect(canvas, missing)
        found = find_holes(missing, network.trained_hole)
        shown = sorted(found, key=lambda hole: -len(hole.rows))[:holes]
        bar.bar.total = len(shown)
        insides = []
        for inside in look_inside(network, calibrations.own, canvas, missing, shown, where, bar.step):
            insides.append(inside)
            bar.next()
    height, width = picture.shape
    facts = [
        f"{width} × {height} pixels, {picture.kind}; {missing.sum()} pixels missing, {100 * missing.mean():.2g} %,"
        f" in {len(found)} hole{'s' * (len(found) > 1)}"
        + (f", of which the {len(shown)} largest are shown." if len(shown) < len(found) else "."),
        f"The network is {model or network.name}, of {count(network.parameter_count())} weights.",
    ]
    if expected is not None:
        facts.append(
            f"All rebuilt pixels are likely to be off by {expected.mae:.0f} grey levels on average"
            f" ({expected.low:.0f} to {expected.high:.0f} in {100 * SHARE:.0f} % of such photos)."
        )
    whole = whole_photo(canvas, [hole.window for hole in shown], f"{photo.name}, rebuilt")
    write_page(output, photo.name, facts, whole, network, insides)
    click.echo(f"{output}  {len(shown)} of {len(found)} hole{'s' * (len(found) > 1)}")
