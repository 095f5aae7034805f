"""A dataset that several ranks prepare, each its share; the last of them makes it what one process would have made.

The unit is the block: what one process commits at a time. Block n is the share of rank n mod the number of ranks. Each
rank walks through the whole stream, so that it knows where blocks begin and how many photos of a split come before, but
it decodes only the photos of its own. A finished block is an unfinished dataset of one commit in the folder `blocks`
of the one they make together:

    .NAME.partial/journal.json           what was asked for, and what has been put together
    .NAME.partial/blocks/00003/          train/data-00000.arrow, …, journal.json
    .NAME.lock                           while a rank begins, or puts the blocks together

Ranks need nothing of each other but this folder: they may run at the same time or one after another, on machines that
share it, be killed and begun again, also in another number. Where two do the same block, the first one's stays.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ...core import PhotomendError
from ...core.backend.ranks import Ranks
from ...core.files import claimed, locked, sync
from ..prepared import read_provenance
from ..sources import PhotoSource
from .journal import load
from .prepare import add_photo, cannot_write, in_blocks, nothing_found, what_is_asked
from .stream import PhotoStream
from .unfinished import (
    BLOCKS,
    JOURNAL,
    RESULTS,
    Journal,
    UnfinishedDataset,
    begin,
    require_free,
    require_whole,
    tidy_up,
    unfinished_folder,
)


def prepare_share(
    photos: PhotoSource | PhotoStream,
    out: Path,
    place: Ranks,
    seed: int = 0,
    side: int = 224,
    encoding: str = "png",
    on_photo: Callable[[], object] = lambda: None,
    on_other: Callable[[], object] = lambda: None,
) -> dict[str, Any] | None:
    """Write this rank's share of what `prepare` writes; the provenance if all is there now, None if shares are missing.

    What comes out is the same to the bit, whichever rank was the last. Where `out` is what is asked for already,
    nothing is done. `on_photo` is called for the photos of others, too, when they are passed over.

    Raises PhotomendError as `prepare` does, and where files can't be locked.
    """
    out = Path(out).resolve()
    stream, parameters = what_is_asked(photos, seed, side, encoding)
    folder = unfinished_folder(out)
    try:
        with ExitStack() as at_work:
            with locked(lock_of(folder)):
                if is_prepared(out, parameters):
                    return read_provenance(out)
                require_free(out)
                busy = f"{folder}: another process is at work on this data set"
                at_work.enter_context(claimed(folder, busy, keep=True, shared=True))
                journal = begin(out, parameters)
                (folder / BLOCKS).mkdir(exist_ok=True)
            if not journal.finished:
                journal.commits = _write_blocks(stream, folder, journal, place, on_photo, on_other)
            with locked(lock_of(folder)):
                if not is_prepared(out, parameters) and not _put_together(stream, out, parameters, journal.commits):
                    return None
    except OSError as error:
        # Another process with the same share may have been faster, and all is done.
        if not isinstance(error, FileNotFoundError) or not _is_prepared_by_others(out, parameters):
            raise cannot_write(out, error) from error
    return read_provenance(out)


def lock_of(folder: Path) -> Path:
    """The file by whose lock ranks exclude each other for a moment, beside the unfinished folder."""
    return folder.with_suffix(".lock")


def _is_prepared_by_others(out: Path, parameters: dict[str, Any]) -> bool:
    with locked(lock_of(unfinished_folder(out))):
        return is_prepared(out, parameters)


def in_shares(out: Path) -> bool:
    """Whether several ranks have begun to prepare `out`, so that one process goes on as the only one of them."""
    return (unfinished_folder(Path(out).resolve()) / BLOCKS).is_dir()


def is_prepared(out: Path, parameters: dict[str, Any]) -> bool:
    """Whether `out` is the dataset that is asked for."""
    try:
        provenance = read_provenance(out)
    except PhotomendError:
        return False
    return {key: value for key, value in provenance.items() if key not in RESULTS} == parameters


def _write_blocks(
    stream: PhotoStream,
    folder: Path,
    journal: Journal,
    place: Ranks,
    on_photo: Callable[[], object],
    on_other: Callable[[], object],
) -> int:
    """Write the blocks of this rank that aren't there yet; how many blocks there are in all."""
    places, number = dict(journal.places), journal.commits

    def opened() -> UnfinishedDataset | None:
        """The next block, if it is to be written here; it counts places on."""
        if number % place.size != place.rank or read_block(folder, number) is not None:
            return None
        name = f"{number:05d}.{secrets.token_hex(4)}.part"
        return UnfinishedDataset(folder / BLOCKS / name, Journal(journal.parameters, places=places))

    block, given = opened(), 0
    for photo, ends in in_blocks(stream.photos(journal.position)):
        if photo is None:
            on_other()
        else:
            if block is None:
                places[photo.split] += 1
            else:
                add_photo(photo, block)
            given += 1
            on_photo()
        if ends:
            _close(block, stream, number)
            number, given = number + 1, 0
            block = opened()
    if given:
        _close(block, stream, number)
        number += 1
    return number


def _close(block: UnfinishedDataset | None, stream: PhotoStream, number: int) -> None:
    """Commit a block that is written here, and give it its name in one step."""
    if block is None:
        return
    block.folder.mkdir()
    block.commit(stream.position())
    for path in (*block.folder.iterdir(), block.folder):
        sync(path)
    folder = block.folder.parent.parent
    final = _place_of(folder, number)
    with locked(lock_of(folder)):
        if read_block(folder, number) is not None:  # another process has done the same
            shutil.rmtree(block.folder)
            return
        shutil.rmtree(final, ignore_errors=True)
        block.folder.rename(final)
        sync(final.parent)


def _place_of(folder: Path, number: int) -> Path:
    return folder / BLOCKS / f"{number:05d}"


def read_block(folder: Path, number: int) -> Journal | None:
    """The journal of a finished block; None if there is none, or files are missing: a kill came while they were moved.

    It may also be that they are being moved, unless one has the lock.
    """
    path = _place_of(folder, number)
    try:
        block = load(path / JOURNAL)
        require_whole(path, block)
    except (OSError, ValueError, TypeError, AttributeError, PhotomendError):
        return None
    return block


def _put_together(stream: PhotoStream, out: Path, parameters: dict[str, Any], count: int) -> bool:
    """Make the blocks, which are `count` with those that were put together before, the dataset; whether all were there.

    Raises PhotomendError: they aren't of the same photos, or none could be read.
    """
    folder = unfinished_folder(out)
    dataset = UnfinishedDataset(folder, begin(out, parameters))
    journal = dataset.journal
    if not journal.finished:
        numbers = range(journal.commits, count)
        blocks = [block for number in numbers if (block := read_block(folder, number)) is not None]
        if len(blocks) < len(numbers):
            return False
        tidy_up(folder, journal)
        digest = stream.position()["digest"]
        for number, block in zip(numbers, blocks, strict=True):
            if (block.position or {}).get("digest") != digest:
                raise PhotomendError(
                    f"{stream.origin}: its photos have changed while they were prepared; remove {folder} to start over"
                )
            dataset.adopt(_place_of(folder, number), block)
        if not journal.shards:
            shutil.rmtree(folder)
            raise nothing_found(stream, journal)
        shutil.rmtree(folder / BLOCKS)
        dataset.finish()
    shutil.rmtree(folder / BLOCKS, ignore_errors=True)
    dataset.publish(out)
    return True
