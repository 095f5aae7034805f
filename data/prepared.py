"""The prepared dataset: photos resized once, with their splits and holes, in Arrow files of any size.

A folder that Hugging Face `datasets` reads by itself (`datasets.load_from_disk`), with the splits train, validation
and test and the columns

    photo   Image: RGB, side × side, PNG or JPEG bytes
    mask    Image: greyscale PNG, side × side, 255 = missing, 0 = known
    class   string: the photo's class, "" if it has none
    path    string: the photo's name in its source
    box     {x, y, width, height}: the hole, in pixels

and beside it `provenance.json`: where it came from, seed, parameters, counts, and the photos left out. The
folder `preparation` writes it.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..core import PhotomendError
from .masks import Box
from .photos import Photo, decode_photo
from .preparation.shards import count_rows, no_progress_bars
from .preparation.unfinished import PROVENANCE
from .split import SPLITS

FORMAT = 1


class PreparedSource:
    """One split of a prepared dataset, as a source of photos with stored holes.

    Raises:
        PhotomendError: `folder` holds no prepared dataset that this version reads, `split` is none of its splits, or a
            file of it is damaged, which is named.
    """

    def __init__(self, folder: Path, split: str) -> None:
        import datasets

        self.folder = Path(folder)
        self.origin = f"{folder} ({split})"
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
        # Looking up a column of `datasets` at every access would take longer than everything else here.
        self._names, self._classes, self._boxes = (
            rows.data.column(name).combine_chunks() for name in ("path", "class", "box")
        )
        self._rows = rows.cast_column("photo", datasets.Image(decode=False)).remove_columns("mask")

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
