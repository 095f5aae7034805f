"""The prepared dataset: photos resized once, with their splits and holes, in Arrow files of any size.

A folder that Hugging Face `datasets` reads by itself (`datasets.load_from_disk`), with the splits train, validation
and test and the columns

    photo   Image: RGB, side × side, PNG or JPEG bytes
    mask    Image: greyscale PNG, side × side, 255 = missing, 0 = known
    class   string: the photo's class, "" if it has none
    path    string: the photo's name in its source
    box     {x, y, width, height}: the hole, in pixels

and beside it `provenance.json`: where it came from, seed, parameters, counts, and the photos left out.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core import PhotomendError
from .masks import Box, box_mask, protocol_box
from .photos import Photo, PhotoError, SkippedPhotoWarning, decode_photo, resize
from .sources import PhotoSource
from .split import SPLITS

FORMAT = 1
PROVENANCE = "provenance.json"
ENCODINGS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG"},
    "jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
}
# Rows that are held in memory before they go to disk.
ROWS_IN_MEMORY = 64


def prepare(
    source: PhotoSource,
    out: Path,
    seed: int = 0,
    side: int = 224,
    encoding: str = "png",
    on_photo: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Write the photos of `source` as a prepared dataset to the folder `out` and return its provenance.

    A photo's split is `split_of` its name and its hole `protocol_box(seed, i)`, i being its place in its split, so an
    evaluation on the prepared test split equals one on the folder's (with PNG, to the bit). Unreadable photos are left
    out with a SkippedPhotoWarning and listed in the provenance. `on_photo` is called after each photo. Memory
    is bounded whatever the number of photos; `out` appears only when all is written.

    Raises:
        PhotomendError: `out` exists and is not an empty folder, can't be written, or no photo can be read; the
            encoding is neither png nor jpeg; holes don't fit into `side`.
    """
    out = Path(out).resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PhotomendError(f"{out}: already exists and is not an empty folder")
    if encoding not in ENCODINGS:
        raise PhotomendError(f"encoding (={encoding}) must be one of {', '.join(ENCODINGS)}")
    protocol_box(seed, 0, side, side)  # fails early where holes don't fit
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise PhotomendError(f"{out}: can't be written ({error.strerror})") from error
    try:
        provenance = _write(source, unfinished, seed, side, encoding, on_photo)
        (unfinished / "dataset").replace(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return provenance


class PreparedSource:
    """One split of a prepared dataset, as a source of photos with stored holes.

    Raises:
        PhotomendError: `folder` holds no prepared dataset that this version reads, or `split` is none of its splits.
    """

    def __init__(self, folder: Path, split: str) -> None:
        import datasets

        self.folder = Path(folder)
        self._split = split
        self.provenance = read_provenance(self.folder)
        if split not in SPLITS:
            raise PhotomendError(f"split (={split}) must be one of {', '.join(SPLITS)}")
        try:
            rows = datasets.load_from_disk(str(self.folder))[split]
        except (OSError, ValueError, KeyError) as error:
            raise PhotomendError(f"{self.folder}: the prepared dataset is damaged ({error})") from error
        self._rows = rows.cast_column("photo", datasets.Image(decode=False)).remove_columns("mask")

    @property
    def origin(self) -> str:
        return f"{self.folder} ({self._split})"

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, index: int) -> str:
        return str(self._rows["path"][index])

    def class_name(self, index: int) -> str:
        return str(self._rows["class"][index])

    def read(self, index: int, least: int | None = None) -> Photo:
        row = self._rows[index]
        return decode_photo(row["photo"]["bytes"], f"{self.folder}: {row['path']}", least)

    def split(self, index: int) -> str:
        return self._split

    def box(self, index: int) -> Box | None:
        return Box(**self._rows["box"][index])


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
    source: PhotoSource, folder: Path, seed: int, side: int, encoding: str, on_photo: Callable[[], object]
) -> dict[str, Any]:
    """Write rows to Arrow files, then the dataset and its provenance to `folder`/dataset."""
    # Imported here because it takes a second, which no other command should wait for.
    import datasets
    from datasets.arrow_writer import ArrowWriter

    features = datasets.Features(
        {
            "photo": datasets.Image(),
            "mask": datasets.Image(),
            "class": datasets.Value("string"),
            "path": datasets.Value("string"),
            "box": {side_name: datasets.Value("int32") for side_name in Box._fields},
        }
    )
    splits: dict[str, list[int]] = {name: [] for name in SPLITS}
    for index in range(len(source)):
        splits[source.split(index)].append(index)

    skipped: dict[str, str] = {}
    counts: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    tables = datasets.DatasetDict()
    for split, indices in splits.items():
        file = folder / f"{split}.arrow"
        with ArrowWriter(features=features, path=str(file), writer_batch_size=ROWS_IN_MEMORY) as writer:
            for row in _rows(source, indices, seed, side, encoding, skipped, on_photo):
                writer.write(features.encode_example(row))
                counts[split][row["class"]] += 1
            writer.finalize()
        tables[split] = datasets.Dataset.from_file(str(file), split=datasets.NamedSplit(split))
    if len(skipped) == len(source):
        raise PhotomendError(f"{source.origin}: none of the {len(source)} photos can be read")

    # An empty split needs its one empty file said, or it can't be loaded.
    shards = {split: None if len(table) else 1 for split, table in tables.items()}
    with _no_progress_bars():
        tables.save_to_disk(str(folder / "dataset"), num_shards=shards)
    provenance = {
        "format": FORMAT,
        "source": Path(source.origin).name,
        "seed": seed,
        "side": side,
        "encoding": encoding,
        "counts": {split: dict(sorted(classes.items())) for split, classes in counts.items()},
        "skipped": skipped,
    }
    text = json.dumps(provenance, indent=2, ensure_ascii=False) + "\n"
    (folder / "dataset" / PROVENANCE).write_text(text, encoding="utf-8")
    return provenance


def _rows(
    source: PhotoSource,
    indices: list[int],
    seed: int,
    side: int,
    encoding: str,
    skipped: dict[str, str],
    on_photo: Callable[[], object],
) -> Iterator[dict[str, Any]]:
    """The rows of one split, one at a time; notes in `skipped` what can't be read."""
    for place, index in enumerate(indices):
        name = source.name(index)
        try:
            photo = resize(source.read(index), side, side)
        except PhotoError as error:
            skipped[_storable(name)] = type(error).__name__ + ": can't be read"
            warnings.warn(f"skipped {error}", SkippedPhotoWarning, stacklevel=5)
            continue
        finally:
            on_photo()
        box = protocol_box(seed, place, side, side)
        mask = box_mask(box, side, side).astype(np.uint8) * 255
        yield {
            "photo": {"bytes": _encode(photo, **ENCODINGS[encoding]), "path": None},
            "mask": {"bytes": _encode(mask, format="PNG"), "path": None},
            "class": _storable(source.class_name(index)),
            "path": _storable(name),
            "box": box._asdict(),
        }


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Keeps `datasets` from drawing bars of its own; callers count by `on_photo`."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _storable(name: str) -> str:
    """The name with bytes that aren't UTF-8 written as \\xNN, since Arrow stores only UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _encode(pixels: Photo, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, **options)
    return buffer.getvalue()
