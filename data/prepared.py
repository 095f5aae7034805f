"""The prepared dataset: photos resized once, with their splits and holes, in Arrow files of any size.

A folder that Hugging Face `datasets` reads by itself (`datasets.load_from_disk`), with the splits train, validation
and test and the columns

    photo   Image: RGB, side × side, PNG or JPEG bytes
    mask    Image: greyscale PNG, side × side, 255 = missing, 0 = known
    class   string: the photo's class, "" if it has none
    path    string: the photo's name in its source
    box     {x, y, width, height}: the hole, in pixels

and beside it `provenance.json`: where it came from, seed, parameters, counts, and the photos left out. How it is
written so that a killed process loses next to nothing, `partial.py` explains.
"""

from __future__ import annotations

import json
import os
import warnings
from bisect import bisect_right
from collections.abc import Callable
from io import BytesIO
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core import PhotomendError
from .masks import Box, box_mask, protocol_box
from .partial import (
    PROVENANCE,
    Journal,
    PartialDataset,
    claimed,
    open_partial,
    publish_finished,
    require_free,
    unfinished,
)
from .photos import Photo, PhotoError, SkippedPhotoWarning, decode_photo, resize
from .shards import count_rows, no_progress_bars
from .sources import PhotoSource
from .split import SPLITS
from .stream import PhotoStream, SourceStream, StreamedPhoto

FORMAT = 1
ENCODINGS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG"},
    "jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
}
# After so many photos the work is finished for good: at most these are read again after a kill. Where few are wanted it
# is after so many rows, since these had to come over the network. (Not after so much time, which would make the files
# other ones every time.)
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

    A photo's split is `split_of` its name and its hole `protocol_box(seed, i)`, i being its place in its split, so an
    evaluation on the prepared test split equals one on the folder's (with PNG, to the bit). A photo that brings a hole
    along keeps it, scaled with the photo. Unreadable photos are left out with a SkippedPhotoWarning and listed in the
    provenance. `on_photo` is called after each photo, `on_other` after each row of a stream that isn't wanted. Memory
    is bounded whatever the number of photos.

    `out` appears only when all is written. Until then the work stands beside it, finished `PHOTOS_PER_SHARD` photos or
    `ROWS_PER_COMMIT` rows at a time; when it ends early, the same call goes on after the last of them and the outcome
    is the same to the bit. With `restart` it begins anew.

    Raises:
        PhotomendError: `out` exists and is not an empty folder, can't be written, or no photo can be read; the
            encoding is neither png nor jpeg; holes don't fit into `side`; the unfinished work was begun with other
            parameters or its photos have changed.
    """
    out = Path(out).resolve()
    require_free(out)  # here too, so that nothing is touched beside it
    if encoding not in ENCODINGS:
        raise PhotomendError(f"encoding (={encoding}) must be one of {', '.join(ENCODINGS)}")
    protocol_box(seed, 0, side, side)  # fails early where holes don't fit
    stream = photos if isinstance(photos, PhotoStream) else SourceStream(photos)
    parameters = {**stream.parameters, "seed": seed, "side": side, "encoding": encoding}
    try:
        with claimed(out):
            if restart or not publish_finished(out, parameters):
                with open_partial(out, parameters, restart) as partial:
                    _write(stream, partial, on_photo, on_other)
                    partial.finish(_provenance(partial.journal), out)
    except OSError as error:
        goes_on = "; the same command goes on from what is finished" if unfinished(out) is not None else ""
        raise PhotomendError(f"{out}: can't be written ({error.strerror or error}){goes_on}") from error
    return read_provenance(out)


class PreparedSource:
    """One split of a prepared dataset, as a source of photos with stored holes.

    Raises:
        PhotomendError: `folder` holds no prepared dataset that this version reads, `split` is none of its splits, or a
            file of it is damaged, which is named.
    """

    def __init__(self, folder: Path, split: str) -> None:
        import datasets

        self.folder = Path(folder)
        self._split = split
        self.provenance = read_provenance(self.folder)
        if split not in SPLITS:
            raise PhotomendError(f"split (={split}) must be one of {', '.join(SPLITS)}")
        shards = sorted((self.folder / split).glob("*.arrow"))
        self._ends = list(accumulate(count_rows(shard) for shard in shards))
        self._shards = shards
        try:
            with no_progress_bars():
                rows = datasets.load_from_disk(str(self.folder))[split]
        except (OSError, ValueError, KeyError) as error:
            raise PhotomendError(f"{self.folder}: the prepared dataset is damaged ({error})") from error
        # A column by itself is found anew at every access, which takes longer than all else that is asked of it.
        self._names, self._classes, self._boxes = (
            rows.data.column(name).combine_chunks() for name in ("path", "class", "box")
        )
        self._rows = rows.cast_column("photo", datasets.Image(decode=False)).remove_columns("mask")

    @property
    def origin(self) -> str:
        return f"{self.folder} ({self._split})"

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, index: int) -> str:
        return str(self._names[index])

    def class_name(self, index: int) -> str:
        return str(self._classes[index])

    def read(self, index: int, least: int | None = None) -> Photo:
        row = self._rows[index]
        shard = self._shards[bisect_right(self._ends, index)]
        return decode_photo(row["photo"]["bytes"], f"{shard}: {row['path']}", least)

    def split(self, index: int) -> str:
        return self._split

    def box(self, index: int) -> Box | None:
        return Box(**self._boxes[index].as_py())


def read_provenance(folder: Path) -> dict[str, Any]:
    """The provenance of the prepared dataset in `folder`.

    Raises:
        PhotomendError: it is no prepared dataset, or of another format version.
    """
    try:
        provenance = json.loads((Path(folder) / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PhotomendError(f"{folder}: not a prepared dataset (no readable {PROVENANCE})") from error
    if not isinstance(provenance, dict) or provenance.get("format") != FORMAT:
        raise PhotomendError(f"{folder}: not a prepared dataset of format {FORMAT}")
    return provenance


def _write(
    stream: PhotoStream, partial: PartialDataset, on_photo: Callable[[], object], on_other: Callable[[], object]
) -> None:
    """Write what is still to be written, commit by commit."""
    journal = partial.journal
    before, rows = journal.photos, 0
    for photo in stream.start(journal.position):
        rows += 1
        if photo is None:
            on_other()
        else:
            _write_photo(photo, partial)
            on_photo()
        if journal.photos - before == PHOTOS_PER_SHARD or rows == ROWS_PER_COMMIT:
            partial.commit(stream.position())
            before, rows = journal.photos, 0
    if journal.photos > before:
        partial.commit(stream.position())
    if not journal.shards:
        journal.position = None  # nothing to go on with
        found = f"none of the {journal.photos} photos can be read" if journal.photos else "no photos"
        raise PhotomendError(f"{stream.origin}: {found}")


def _write_photo(photo: StreamedPhoto, partial: PartialDataset) -> None:
    """Write the photo's row, or note that it can't be read."""
    journal = partial.journal
    side, seed = journal.parameters["side"], journal.parameters["seed"]
    place = journal.places[photo.split]
    journal.places[photo.split] = place + 1
    name, class_name = _storable(photo.name), _storable(photo.class_name)
    try:
        pixels, hole = photo.read()
    except PhotoError as error:
        journal.skipped[name] = str(error).rpartition(f"{photo.name}: ")[2]
        warnings.warn(f"skipped {error}", SkippedPhotoWarning, stacklevel=5)
        return
    box = protocol_box(seed, place, side, side) if hole is None else _scaled(hole, pixels.shape, side)
    mask = box_mask(box, side, side).astype(np.uint8) * 255
    row = {
        "photo": {"bytes": _encode(resize(pixels, side, side), journal.parameters["encoding"]), "path": None},
        "mask": {"bytes": _encode(mask, "png"), "path": None},
        "class": class_name,
        "path": name,
        "box": box._asdict(),
    }
    partial.write(photo.split, row)
    counts = journal.counts[photo.split]
    counts[class_name] = counts.get(class_name, 0) + 1


def _provenance(journal: Journal) -> dict[str, Any]:
    return {
        "format": FORMAT,
        **journal.parameters,
        "counts": {split: dict(sorted(classes.items())) for split, classes in journal.counts.items()},
        "skipped": journal.skipped,
    }


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
