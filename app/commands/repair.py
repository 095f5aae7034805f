"""`photomend repair`: missing parts of photos, rebuilt."""

from __future__ import annotations

from pathlib import Path

import click

from ...core.backend.ranks import ranks
from ..batch.jobs import STREAM, choose_targets, for_stream, pair, suffix_of
from ..batch.loop import run
from ..batch.outcome import Outcome
from ..batch.report import Report
from ..batch.stream import require_no_terminal, require_stream, send
from ..batch.work import Plan
from ..masks.choice import Choice
from ..masks.options import mask_options
from ..masks.pairing import say_unused
from ..natural import LOOKS
from ..options import pixels_option, runtime_options, set_up_runtime, views_option
from ..paths import FILE
from ..process import temporary_folder
from ..repair import Repairer


@click.command("repair", no_args_is_help=True)
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=FILE)
@mask_options
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    help="The repaired photo, or the folder for several; - is standard output.",
)
@click.option("--format", "form", metavar="EXT", help="Write this format, such as png, and call the outputs so.")
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    help="Encode with a loss: JPEG, WebP, AVIF, HEIC; JPEG 2000 in decibels.  [default: as the photo is, or none]",
)
@click.option("--model", help="A model's name, a run folder or a weights file.  [default: attention, as shipped]")
@click.option(
    "--look",
    type=click.Choice(LOOKS),
    help="natural draws what the model rebuilds anew with patches of the photo, to look at rather than to measure;"
    " faithful is the model's own answer, the least error, and smooth where nothing is known."
    "  [default: natural for the shipped networks that repair, else faithful]",
)
@views_option
@click.option("--overwrite", is_flag=True, help="Replace repaired photos that exist already.")
@click.option(
    "--skip-existing", is_flag=True, help="Leave photos out whose output exists: go on where a batch stopped."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Repair nothing: read and check everything, and say what would be done. Of one photo, an output called .png"
    " gets the mask.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object of JSON in a line for each photo.")
@pixels_option
@runtime_options
def command(
    photos: tuple[Path, ...],
    mask: Path | None,
    choice: Choice,
    output: Path,
    form: str | None,
    quality: int | None,
    model: str | None,
    look: str | None,
    views: int | None,
    overwrite: bool,
    skip_existing: bool,
    dry_run: bool,
    as_json: bool,
    device: str,
    threads: int | None,
) -> int:
    """Rebuild the missing parts of photos of any size.

    A PHOTO is a file or a folder. Say what is missing in as many ways as you like; boxes and masks are those of the
    upright photo. It comes back as it was: colours, depth, alpha, profile, metadata and other pages, and every known
    pixel with all of its bits, unless --feather is asked to blend some. Of a JPEG, only the blocks that a hole touches
    are encoded anew. What the output's format can't hold is said.

    Scratches of up to about 3 pixels are left to the biharmonic fill, which is better there than any network.

    With weights that know their error, as the shipped ones do, the line about each photo says how far off the
    rebuilt pixels are likely to be.

    \b
    photomend repair photo.png --box 40,60,50,30 -o repaired.png
    photomend repair scans/ --mask masks/ -o repaired/ --model RUN
    photomend repair cut_out.png --mask-from-alpha -o repaired.png
    photomend repair scans/ --mask masks/ -o repaired/ --format png --skip-existing --json
    """
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing exclude each other")
    place = ranks()
    if place.size > 1 and any(path.is_dir() and path.resolve() == output.resolve() for path in photos):
        raise click.UsageError(f"-o {output} is the folder of the photos: several ranks need another, or one inside it")
    suffix, stream = None if form is None else suffix_of(form), output == STREAM
    if stream:
        require_no_terminal()
    elif as_json:
        require_stream("--json")
    with temporary_folder() as folder:
        jobs, unused = pair(photos, mask, folder if stream else output, suffix, quality)
        todo, there = choose_targets(for_stream(jobs) if stream else jobs, overwrite, skip_existing, place)
        report = Report(len(todo) + len(there), as_json, apart=stream, dry_run=dry_run, place=place)
        for job in there:
            report.about(Outcome(job.photo, job.mask, job.name, "skipped"))
        if todo:
            preview = dry_run and len(jobs) == 1 and output.suffix.lower() == ".png" and not output.is_dir()
            repairer = Repairer.load(model, set_up_runtime(device, threads), views, look)
            run(todo, Plan(choice, repairer, quality, dry_run, preview), report)
        if stream and (report.counts["repaired"] or report.counts["unchanged"]):
            send(todo[0].target)
    return report.end([say_unused(unused)] if unused else [])
