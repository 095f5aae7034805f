"""Jobs: which photos are to be repaired, with which masks, and where the results go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...core import PhotomendError
from ...core.backend.ranks import ALONE, Ranks
from ...data.photos import find_photos
from ..masks.pairing import MaskFolder, Named, PairingError, without_masks
from ..photo.formats import check_quality, output_form, readable

#: The output that is standard output.
STREAM = Path("-")


class Job(NamedTuple):
    """One photo to repair.

    Attributes:
        photo, mask, target: where the photo and its mask are, if it has one, and where the result goes.
        problem: why it can't be done, where that is known before the work; "" if it isn't.
        shown: what the target is called; None for what it is.
    """

    photo: Path
    mask: Path | None
    target: Path
    problem: str = ""
    shown: Path | None = None

    @property
    def name(self) -> Path:
        """What messages call the target."""
        return self.target if self.shown is None else self.shown


def pair(
    photos: Sequence[Path],
    mask: Path | None,
    output: Path,
    suffix: str | None = None,
    quality: int | None = None,
) -> tuple[list[Job], list[Path]]:
    """Every photo with its mask and target; and the masks of a folder that none of them uses.

    A photo of a folder keeps its subfolder in the output folder and takes its mask as `masks/pairing.py` says; `suffix`
    takes the place of its own. A photo that can't be written with this suffix or `quality` is a job with a problem.

    Raises PhotomendError where a folder holds no photos, two photos share a target, or the output is a file for many.
    """
    named: list[Named] = []
    for path in photos:
        if path.is_dir():
            named += [Named(each, each.relative_to(path)) for each in photos_in(path, output)]
        else:
            named.append(Named(path, Path(path.name)))
    masks: MaskFolder | None = None
    if mask is not None and mask.is_dir():
        named = without_masks(named, mask)
        masks = MaskFolder(mask, named)
    several = len(named) > 1 or photos[0].is_dir() or output.is_dir()
    if several and output.exists() and not output.is_dir():
        raise PhotomendError(f"{output}: is a file; several photos need a folder")
    if several and not output.exists() and output.suffix.lower() in readable():
        raise PhotomendError(f"{output}: is named like a photo; several photos, or a folder of them, need a folder")
    jobs: dict[Path, Job] = {}
    for path, name in named:
        target = target_of(name, output, several, suffix)
        if target in jobs:
            raise PhotomendError(f"{path} and {jobs[target].photo} would both be written to {target}")
        own, problem = mask, cannot_write(target, quality) or (leads_elsewhere(target, output) if several else "")
        if masks is not None and not problem:
            try:
                own = masks.mask_of(name)
            except PairingError as error:
                own, problem = None, f"{path}: {error}"
        jobs[target] = Job(path, own, target, problem)
    unused = masks.unused({job.mask for job in jobs.values() if job.mask}) if masks is not None else []
    return list(jobs.values()), unused


def photos_in(folder: Path, output: Path) -> list[Path]:
    """The photos in a folder, without those that an earlier run has repaired where the output is a folder within it.

    Raises PhotomendError where there are none.
    """
    found, results = find_photos(folder, readable()), output.resolve()
    if folder.resolve() not in results.parents:
        return found
    if not (rest := [path for path in found if results not in path.resolve().parents]):
        raise PhotomendError(f"{folder}: no photos in this folder, only those in {output}")
    return rest


def target_of(name: Path, output: Path, several: bool, suffix: str | None) -> Path:
    """Where the result of a photo goes.

    Raises PhotomendError: the output is a file of another suffix.
    """
    own = name if suffix is None else name.with_suffix(suffix)
    if several:
        return output / own
    if suffix is not None and output.suffix.lower() != suffix:
        raise PhotomendError(f"{output}: isn't called {suffix}, which --format asks for")
    return output


def for_stream(jobs: Sequence[Job]) -> list[Job]:
    """The one job whose result goes to standard output, by way of its target. Raises PhotomendError for several."""
    if len(jobs) > 1:
        raise PhotomendError(f"standard output takes one photo, these are {len(jobs)}; several need a folder")
    return [job._replace(shown=STREAM, problem=job.problem.replace(str(job.target), str(STREAM))) for job in jobs]


def cannot_write(target: Path, quality: int | None) -> str:
    """Why a photo isn't written to this file, as far as its name tells; "" if it is."""
    try:
        output_form(target)
    except PhotomendError as error:
        return f"{error}; --format chooses one"
    try:
        check_quality(target, quality)
    except PhotomendError as error:
        return str(error)
    return ""


def leads_elsewhere(target: Path, output: Path) -> str:
    """Why nothing is written to a file of the folder `output`: a folder in between is a symbolic link. "" if none is.

    The folder that a person has named may be one.
    """
    for folder in target.parents:
        if folder == output:
            break
        if folder.is_symlink():
            return f"{target}: {folder} is a symbolic link; nothing is written through one"
    return ""


def suffix_of(name: str) -> str:
    """What `--format` means as a suffix: .png for png, .PNG and .png. Raises PhotomendError for no format of photos."""
    suffix = f".{name.removeprefix('.').lower()}"
    try:
        output_form(Path(f"photo{suffix}"))
    except PhotomendError as error:
        raise PhotomendError(f"--format {name}: {str(error).partition(': ')[2]}") from error
    return suffix


def choose_targets(
    jobs: Sequence[Job], overwrite: bool, skip: bool, place: Ranks = ALONE
) -> tuple[list[Job], list[Job]]:
    """The jobs of this rank's share to do, and those to skip because their result is there already.

    Raises PhotomendError if a target is one of the photos or masks, or exists though neither is asked for.
    """
    read = {path.resolve() for job in jobs for path in (job.photo, job.mask) if path is not None}
    todo: list[Job] = []
    there: list[Job] = []
    for job in (jobs[number] for number in place.share(len(jobs))):
        exists = job.target.exists() or job.target.is_symlink()
        if job.target.resolve() in read:
            raise PhotomendError(f"{job.target}: is a photo or mask to read; choose another output")
        if exists and not overwrite and not skip:
            more = ", --skip-existing leaves it and does the others" if len(jobs) > 1 else ""
            raise PhotomendError(f"{job.target}: exists already; --overwrite replaces it{more}")
        (there if exists and skip else todo).append(job)
    return todo, there
