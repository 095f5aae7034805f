"""`photomend repair`: missing parts of photos, rebuilt."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import click

from ...core import PhotomendError
from ...data.masks import BoxError
from ...data.photos import find_photos
from ...models.calibration import SHARE
from ..cli import print_error
from ..masks.choice import Choice
from ..masks.options import mask_options
from ..masks.pairing import MaskFolder, Named, PairingError, say_unused, without_masks
from ..options import FILE, runtime_options, set_up_runtime, views_option
from ..photo.canvas import RepairError
from ..photo.files import read, write
from ..photo.formats import check_room, output_form, readable
from ..repair import Repairer


class Job(NamedTuple):
    """One photo to repair: where it is, what pairs it with its mask, and where the result goes."""

    photo: Path
    mask: Path | None
    target: Path
    problem: str = ""  # why it can't be done, if that is known before the work


@click.command("repair", no_args_is_help=True)
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=FILE)
@mask_options
@click.option("-o", "--output", type=FILE, required=True, help="The repaired photo, or the folder for several.")
@click.option("--model", help="A model's name, a run folder or a weights file.  [default: attention, as shipped]")
@views_option
@click.option("--overwrite", is_flag=True, help="Replace repaired photos that exist already.")
@runtime_options
def command(
    photos: tuple[Path, ...],
    mask: Path | None,
    choice: Choice,
    output: Path,
    model: str | None,
    views: int | None,
    overwrite: bool,
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
    """
    repairer = Repairer.load(model, set_up_runtime(device, threads), views)
    jobs, unused = pair(photos, mask, output)
    refuse_to_destroy(jobs, overwrite)
    failed = 0
    for job in jobs:
        try:
            click.echo(work(job, choice, repairer))
        except PhotomendError as error:
            if len(jobs) == 1:
                raise
            print_error(str(error))
            failed += 1
    if unused:
        click.echo(f"photomend: {say_unused(unused)}", err=True)
    if failed:
        click.echo(f"{len(jobs) - failed} of {len(jobs)} photos repaired, {failed} not")
    return 1 if failed else 0


def work(job: Job, choice: Choice, repairer: Repairer) -> str:
    """Repair one photo and write it; a line about it. Errors name the file at fault."""
    if job.problem:
        raise PhotomendError(job.problem)
    started = perf_counter()
    picture = read(job.photo)
    check_room(job.target, picture)
    try:
        missing = choice.missing(picture, job.mask)
        repaired = choice.mend(picture, missing, repairer)
    except (BoxError, RepairError) as error:
        place = f"{job.photo} with the mask {job.mask}" if job.mask else job.photo
        raise PhotomendError(f"{place}: {error}") from error
    job.target.parent.mkdir(parents=True, exist_ok=True)
    lost, done = write(job.target, repaired)
    for loss in lost:
        warnings.warn(f"{job.target}: {loss}", stacklevel=2)
    seconds = perf_counter() - started
    line = "; ".join([f"{job.target}  {missing.sum()} pixels rebuilt in {seconds:.1f} s", *done])
    if (expected := repairer.expect(repaired.canvas(missing), missing)) is None:
        return line
    return (
        f"{line}; expect them to be off by {expected.mae:.0f} grey levels on average "
        f"({expected.low:.0f} to {expected.high:.0f} in {100 * SHARE:.0f} % of such photos)"
    )


def pair(photos: Sequence[Path], mask: Path | None, output: Path) -> tuple[list[Job], list[Path]]:
    """Every photo with its mask and target; and the masks of a folder that none of them uses.

    A photo of a folder keeps its subfolder in the output folder and takes its mask as `masks/pairing.py` says.
    Raises PhotomendError where a folder holds no photos, two photos share a target, or the output is a file for many.
    """
    named: list[Named] = []
    for path in photos:
        found = find_photos(path, readable()) if path.is_dir() else []
        named += [Named(each, each.relative_to(path)) for each in found] or [Named(path, Path(path.name))]
    masks: MaskFolder | None = None
    if mask is not None and mask.is_dir():
        named = without_masks(named, mask)
        masks = MaskFolder(mask, named)
    several = len(named) > 1 or photos[0].is_dir() or output.is_dir()
    if several and output.exists() and not output.is_dir():
        raise PhotomendError(f"{output}: is a file; several photos need a folder")
    jobs: dict[Path, Job] = {}
    for path, name in named:
        target = output / name if several else output
        if target in jobs:
            raise PhotomendError(f"{path} and {jobs[target].photo} would both be written to {target}")
        own, problem = mask, cannot_write(target)
        if masks is not None and not problem:
            try:
                own = masks.mask_of(name)
            except PairingError as error:
                own, problem = None, f"{path}: {error}"
        jobs[target] = Job(path, own, target, problem)
    unused = masks.unused({job.mask for job in jobs.values() if job.mask}) if masks is not None else []
    return list(jobs.values()), unused


def cannot_write(target: Path) -> str:
    """Why photos aren't written in the format of this file; "" if they are."""
    try:
        output_form(target)
    except PhotomendError as error:
        return str(error)
    return ""


def refuse_to_destroy(jobs: Sequence[Job], overwrite: bool) -> None:
    """Raise PhotomendError if a target is one of the photos or masks, or exists (without --overwrite)."""
    read = {path.resolve() for job in jobs for path in (job.photo, job.mask) if path is not None}
    for job in jobs:
        if job.target.resolve() in read:
            raise PhotomendError(f"{job.target}: is a photo or mask to read; choose another output")
        if job.target.exists() and not overwrite:
            raise PhotomendError(f"{job.target}: exists already; --overwrite replaces it")
