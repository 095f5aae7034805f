"""The work on one photo, from its file to the repaired one, and what became of it; whatever goes wrong is one line."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...core import PhotomendError, replacing
from ...data.masks import BoxError
from ...data.photos import Mask, reason
from ...models.components import components
from ..masks.choice import Choice, NothingFoundError
from ..photo.canvas import RepairError, check_mask
from ..photo.files import Written, read, reading_ahead, write
from ..photo.fit import fit
from ..photo.formats import check_room, fits_itself, format_of, output_form
from ..photo.picture import Picture
from ..process import is_out_of_memory
from ..repair import Repairer
from ..steps import OnStep, halves
from .jobs import Job
from .outcome import Outcome


class Plan(NamedTuple):
    """What is done to every photo.

    Attributes:
        choice: says what is missing.
        repairer: rebuilds it.
        quality: of the files that are written; None for what the format does without one.
        dry_run: whether everything is checked and nothing repaired.
        preview: whether a dry run writes the mask to the photo's target.
    """

    choice: Choice
    repairer: Repairer
    quality: int | None = None
    dry_run: bool = False
    preview: bool = False


def attempt(job: Job, plan: Plan, on_step: OnStep = lambda done, total: None, *, alone: bool = True) -> Outcome:
    """Do a job; what became of it, errors and warnings included.

    An error that is a mistake of ours keeps its traceback where the photo is `alone`; among others it is a line, too,
    and they go on.
    """
    outcome, started = Outcome(job.photo, job.mask, job.name), perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            _work(job, plan, outcome, on_step)
        except Exception as error:
            outcome.error = _in_words(error, job, alone).replace(str(job.target), str(job.name))
    outcome.warnings = list(dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught))
    outcome.seconds = perf_counter() - started
    return outcome


def _work(job: Job, plan: Plan, outcome: Outcome, on_step: OnStep) -> None:
    if job.problem:
        raise PhotomendError(job.problem)
    check_target(job.target)
    picture = read(job.photo)
    check_room(job.target, picture)
    check_disk(job.target, picture)
    searching, mending = halves(on_step) if plan.choice.damage else (on_step, on_step)
    try:
        missing = plan.choice.missing(picture, job.mask, searching)
        check_mask(missing, picture.shape)
        outcome.missing = int(np.count_nonzero(missing))
        outcome.share = outcome.missing / missing.size
        outcome.holes = len(components(missing, corners=True).starts)
        if not plan.dry_run:
            with reading_ahead(picture, job.target, plan.quality) as damaged:
                picture = plan.choice.mend(damaged, missing, plan.repairer, mending)
    except NothingFoundError as error:
        _leave(job, plan, picture, outcome, str(error))
        return
    except (BoxError, RepairError) as error:
        place = f"{job.photo} with the mask {job.mask}" if job.mask else job.photo
        raise PhotomendError(f"{place}: {error}") from error
    outcome.expected = plan.repairer.expect(picture.canvas(missing), missing)
    if plan.dry_run:
        outcome.status = "possible"
        if plan.preview:
            write_mask(job.target, missing)
            outcome.done = ["white in this file"]
        else:
            outcome.lost = would_lose(job.target, picture, plan.quality)
        return
    job.target.parent.mkdir(parents=True, exist_ok=True)
    outcome.lost, outcome.done = write(job.target, picture, plan.quality)
    outcome.status = "repaired"


def _leave(job: Job, plan: Plan, picture: Picture, outcome: Outcome, why: str) -> None:
    """A photo without damage: a copy of it is written, or of a preview the mask, in which nothing is white."""
    outcome.status, outcome.missing, outcome.holes, outcome.share, outcome.done = "unchanged", 0, 0, 0.0, [why]
    if plan.preview:
        write_mask(job.target, np.zeros(picture.shape, np.bool_))
    elif not plan.dry_run:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        outcome.lost, said = _copy(job.target, picture, plan.quality)
        outcome.done = [why, "copied", *said]


def _copy(target: Path, picture: Picture, quality: int | None) -> Written:
    """Write a picture in which nothing is repaired, byte for byte where its file has the format asked for already."""
    origin, form = picture.origin, output_form(target)
    if origin is None or origin.form != form or quality is not None:
        return write(target, picture, quality)
    if form == "PPM" and not fits_itself(picture, target):
        return write(target, picture)
    with replacing(target) as draft:
        shutil.copyfile(origin.path, draft)
    return Written([], [])


def write_mask(path: Path, missing: Mask) -> None:
    """Write a mask as an image, white where the photo is missing. Raises PhotomendError: the disk refuses."""
    try:
        with replacing(path) as draft:
            Image.fromarray(missing).save(draft, "PNG")
    except OSError as error:
        raise PhotomendError(f"{path}: can't be written ({reason(error)})") from error


def would_lose(target: Path, picture: Picture, quality: int | None) -> list[str]:
    """What the format of `target` can't hold of a picture, as `write` would say it."""
    if quality is None and fits_itself(picture, target):
        return []
    words = fit(picture, room := format_of(target))[1]
    return [f"{room.name} can't hold everything: {'; '.join(words)}"] if words else []


def check_target(target: Path) -> None:
    """Refuse, before the work, a file that can't be written. Raises PhotomendError naming it."""
    if target.is_dir():
        raise PhotomendError(f"{target}: is a folder")
    folder = nearest_folder(target)
    if not folder.is_dir():
        raise PhotomendError(f"{target}: can't be written: {folder} is a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PhotomendError(f"{target}: no file can be written to {folder}")


def check_disk(target: Path, picture: Picture) -> None:
    """Refuse, before the work, a photo of the same format that has no room on the disk. Raises PhotomendError."""
    if picture.origin is None or not fits_itself(picture, target):
        return
    needed, disk = picture.origin.path.stat().st_size, shutil.disk_usage(nearest_folder(target))
    free = disk.free
    if disk.total and free < needed:  # what is no disk has no size
        needed_mib, free_mib = needed / 2**20, free / 2**20
        raise PhotomendError(f"{target}: no space left: needs {needed_mib:.1f} MiB, {free_mib:.1f} MiB are free")


def nearest_folder(target: Path) -> Path:
    """The innermost of the folders around a file that there is already."""
    return next(path for path in target.absolute().parents if path.exists())


def _in_words(error: Exception, job: Job, alone: bool) -> str:
    """Why a job failed, naming the file at fault. Raises `error` itself where it is a mistake of ours, and alone."""
    if isinstance(error, PhotomendError):
        return str(error)
    if is_out_of_memory(error):
        return f"{job.photo}: not enough memory"
    if isinstance(error, OSError):
        return f"{error.filename or job.photo}: {error.strerror or error}"
    if alone:
        raise error
    return (
        f"{job.photo}: {type(error).__name__}: {error}; this is a mistake of photomend's, repair it alone to see where"
    )
