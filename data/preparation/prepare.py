"""Writing a prepared dataset photo by photo, with a commit every few hundred."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...core import PhotomendError
from ..masks import Box, box_mask, protocol_box
from ..photos import Photo, PhotoError, SkippedPhotoWarning, resize
from ..prepared import read_provenance
from ..sources import PhotoSource
from .stream import PhotoStream, SourceStream, StreamedPhoto
from .unfinished import Journal, UnfinishedDataset, claimed, open_unfinished, read_journal, require_free

ENCODINGS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG"},
    "jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
}
# What is read is committed after so many photos or rows, whichever comes first: rows that aren't wanted come over the
# network, too. (By time, the files would differ from run to run.)
PHOTOS_PER_SHARD = 256
ROWS_PER_COMMIT = 5000


def prepare(
    photos: PhotoSource | PhotoStream,
    out: Path,
    seed: int = 0,
    side: int = 224,
    encoding: str = "png",
    on_photo: Callable[[], object] = lambda: None,
    restart: bool = False,
    on_other: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Write the photos as a prepared dataset to the folder `out` and return its provenance.

    A photo's hole is `protocol_box(seed, i)`, i being its place in its split, so that an evaluation on the prepared
    test split equals one on the folder's (with PNG, to the bit). A hole stored with a photo is kept, scaled with it.
    Unreadable photos are left out with a SkippedPhotoWarning and listed in the provenance. `on_photo` is called after
    each photo, `on_other` after each row of a stream that isn't wanted. Memory doesn't grow with the number of photos.

    `out` appears only when all is written. Until then the work is kept beside it and committed every `PHOTOS_PER_SHARD`
    photos or `ROWS_PER_COMMIT` rows. If it ends early, the same call goes on from the last commit, and the outcome is
    the same to the bit. With `restart` it begins anew.

    Raises:
        PhotomendError: `out` exists and is not an empty folder, can't be written, or no photo can be read; the
            encoding is neither png nor jpeg; holes don't fit into `side`; the unfinished work was begun with other
            parameters or its photos have changed.
    """
    out = Path(out).resolve()
    require_free(out)  # here too, so that nothing is touched beside it
    stream, parameters = what_is_asked(photos, seed, side, encoding)
    try:
        with claimed(out), open_unfinished(out, parameters, restart) as dataset:
            if not dataset.journal.finished:
                _write(stream, dataset, on_photo, on_other)
                dataset.finish()
            dataset.publish(out)
    except OSError as error:
        raise cannot_write(out, error) from error
    return read_provenance(out)


def what_is_asked(
    photos: PhotoSource | PhotoStream, seed: int, side: int, encoding: str
) -> tuple[PhotoStream, dict[str, Any]]:
    """The photos as a stream, and all parameters of the dataset. Raises PhotomendError as `prepare` does."""
    if encoding not in ENCODINGS:
        raise PhotomendError(f"encoding (={encoding}) must be one of {', '.join(ENCODINGS)}")
    protocol_box(seed, 0, side, side)  # fails early where holes don't fit
    stream = photos if isinstance(photos, PhotoStream) else SourceStream(photos)
    return stream, {**stream.parameters, "seed": seed, "side": side, "encoding": encoding}


def cannot_write(out: Path, error: OSError) -> PhotomendError:
    """What is said of an error of the disk."""
    goes_on = "; the same command goes on from what is finished" if read_journal(out) is not None else ""
    return PhotomendError(f"{out}: can't be written ({error.strerror or error}){goes_on}")


def _write(
    stream: PhotoStream, dataset: UnfinishedDataset, on_photo: Callable[[], object], on_other: Callable[[], object]
) -> None:
    """Write what is still to be written, commit by commit."""
    journal = dataset.journal
    committed = journal.photos
    for photo, ends in in_blocks(stream.photos(journal.position)):
        if photo is None:
            on_other()
        else:
            add_photo(photo, dataset)
            on_photo()
        if ends:
            dataset.commit(stream.position())
            committed = journal.photos
    if journal.photos > committed:
        dataset.commit(stream.position())
    if not journal.shards:
        journal.position = None  # nothing to go on with
        raise nothing_found(stream, journal)


def in_blocks(photos: Iterable[StreamedPhoto | None]) -> Iterator[tuple[StreamedPhoto | None, bool]]:
    """What a stream gives, and whether a commit is due after it. The stream isn't read ahead."""
    given = rows = 0
    for photo in photos:
        given, rows = given + (photo is not None), rows + 1
        ends = given == PHOTOS_PER_SHARD or rows == ROWS_PER_COMMIT
        yield photo, ends
        if ends:
            given = rows = 0


def nothing_found(stream: PhotoStream, journal: Journal) -> PhotomendError:
    """What is said of a stream without a readable photo."""
    found = f"none of the {journal.photos} photos can be read" if journal.photos else "no photos"
    return PhotomendError(f"{stream.origin}: {found}")


def add_photo(photo: StreamedPhoto, dataset: UnfinishedDataset) -> None:
    """Add the photo's row, or note that it can't be read."""
    journal = dataset.journal
    side, seed = journal.parameters["side"], journal.parameters["seed"]
    place = journal.places[photo.split]
    journal.places[photo.split] = place + 1
    name, class_name = _storable(photo.name), _storable(photo.class_name)
    try:
        pixels, hole = photo.read()
    except PhotoError as error:
        journal.skipped[name] = str(error).rpartition(f"{photo.name}: ")[2]
        warnings.warn(f"skipped {error}", SkippedPhotoWarning, stacklevel=4)
        return
    box = protocol_box(seed, place, side, side) if hole is None else _scaled(hole, pixels.shape, side)
    mask = box_mask(box, side, side).astype(np.uint8) * 255
    dataset.rows[photo.split].append(
        {
            "photo": {"bytes": _encode(resize(pixels, side, side), journal.parameters["encoding"]), "path": None},
            "mask": {"bytes": _encode(mask, "png"), "path": None},
            "class": class_name,
            "path": name,
            "box": box._asdict(),
        }
    )
    counts = journal.counts[photo.split]
    counts[class_name] = counts.get(class_name, 0) + 1


def _scaled(hole: Box, shape: tuple[int, ...], side: int) -> Box:
    """The hole of a photo of that shape when the photo is `side` × `side`: every pixel that it touches."""
    height, width = shape[:2]
    x, y = hole.x * side // width, hole.y * side // height
    right, bottom = ceil((hole.x + hole.width) * side / width), ceil((hole.y + hole.height) * side / height)
    return Box(x, y, right - x, bottom - y)


def _storable(name: str) -> str:
    """The name with bytes that aren't UTF-8 written as \\xNN, since Arrow stores only UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _encode(pixels: Photo, encoding: str) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, **ENCODINGS[encoding])
    return buffer.getvalue()
