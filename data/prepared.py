"""The prepared dataset: photos resized once, with their splits and holes, in Arrow files of any size.

A folder that Hugging Face `datasets` reads by itself (`datasets.load_from_disk`), with the splits train, validation
and test and the columns

    photo   Image: RGB, side × side, PNG or JPEG bytes
    mask    Image: greyscale PNG, side × side, 255 = missing, 0 = known
    class   string: the photo's class, "" if it has none
    path    string: the photo's name in its source
    box     {x, y, width, height}: the hole, in pixels

and beside it `provenance.json`: where it came from, seed, parameters, counts, and the photos left out. The folder
`preparation` makes one; here is what it is on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..core import PhotomendError, replacing
from ..core.reading import parse_json, read_text
from .masks import Box
from .photos import Photo, PhotoError, decode_photo
from .sources import SPLITS

FORMAT = 1
PROVENANCE = "provenance.json"
# Rows of an Arrow record batch.
ROWS_PER_BATCH = 64
# How an Arrow stream ends; one without it was cut off.
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


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
            # The parts that have been checked, and no file elsewhere; rows as they are, whatever is written there.
            state = parse_json(read_text(self.folder / split / "state.json"))
            listed = {str(each["filename"]) for each in state["_data_files"]}
            if wrong := sorted(listed ^ {shard.name for shard in shards}):
                raise ValueError(f"{wrong[0]!r:.80} is either missing or not listed in state.json")
            with no_progress_bars():
                rows = datasets.load_from_disk(str(self.folder / split)).with_format(None)
            if rows.features != columns():
                raise ValueError("its columns aren't those of a prepared dataset")
        except Exception as error:  # of datasets or Arrow: almost anything
            why = " ".join(str(error).split())[:300] or type(error).__name__
            raise PhotomendError(f"{self.folder}: the prepared dataset is damaged ({why})") from error
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
        name, photo = f"{shard}: {row['path']}", row["photo"] or {}
        if photo.get("bytes") is None:
            raise PhotoError(f"{name}: this row has no photo in it")
        return decode_photo(photo["bytes"], name, least)

    def split(self, index: int) -> str:
        return self._split

    def box(self, index: int) -> Box | None:
        box = self._boxes[index].as_py() or {}
        if any(box.get(edge) is None for edge in Box._fields):
            raise PhotomendError(f"{self.folder}: {self.name(index)}: this row has no hole in it")
        return Box(**box)


def read_provenance(folder: Path) -> dict[str, Any]:
    """The provenance of the prepared dataset in `folder`.

    Raises:
        PhotomendError: it is no prepared dataset, or of another format version.
    """
    try:
        provenance = parse_json(read_text(Path(folder) / PROVENANCE))
    except (OSError, ValueError) as error:
        raise PhotomendError(f"{folder}: not a prepared dataset (no readable {PROVENANCE})") from error
    if not isinstance(provenance, dict) or provenance.get("format") != FORMAT:
        raise PhotomendError(f"{folder}: not a prepared dataset of format {FORMAT}")
    return provenance


def columns() -> Any:
    """The columns and their types."""
    # Imported here, because it takes a second that no other command should wait for.
    import datasets

    return datasets.Features(
        {
            "photo": datasets.Image(),
            "mask": datasets.Image(),
            "class": datasets.Value("string"),
            "path": datasets.Value("string"),
            "box": {edge: datasets.Value("int32") for edge in Box._fields},
        }
    )


def write_shard(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows to an Arrow file, which gets its name once it is on the disk; its size in bytes."""
    from datasets.arrow_writer import ArrowWriter

    features = columns()
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as draft, draft.open("wb") as file:
        writer = ArrowWriter(features=features, stream=file, writer_batch_size=ROWS_PER_BATCH)
        for row in rows:
            writer.write(features.encode_example(row))
        writer.finalize(close_stream=False)
    return path.stat().st_size


def count_rows(shard: Path) -> int:
    """The number of rows in an Arrow file. Raises PhotomendError if it can't be read to its end.

    This is quick, since no photo is decoded; a damaged one is noticed when it is.
    """
    import datasets

    try:
        if not shard.is_file():
            raise ValueError("it is a folder, a pipe or a device")
        table = datasets.Dataset.from_file(str(shard)).data
        table.validate(full=True)
        with shard.open("rb") as file:
            file.seek(-len(END_OF_STREAM), os.SEEK_END)
            if file.read() != END_OF_STREAM:
                raise ValueError("it is cut off")
        return int(table.num_rows)
    except Exception as error:  # Arrow raises almost anything on a damaged file
        raise PhotomendError(f"{shard}: this part of the prepared dataset is damaged ({error!s:.300})") from error


def write_metadata(folder: Path, shards: Collection[str], identity: object) -> None:
    """Make the folder one that `datasets.load_from_disk` reads, with the `shards`, which are relative to it.

    `datasets` writes the files for an empty dataset; then the shards are entered, and a split without any keeps its
    empty one. The fingerprint by which `datasets` tells datasets apart, random by default, is a hash of `identity`.
    """
    import datasets

    features = columns()
    empty: dict[str, list[Any]] = {name: [] for name in features}
    splits = {split: datasets.Dataset.from_dict(empty, features, split=datasets.NamedSplit(split)) for split in SPLITS}
    with no_progress_bars():
        datasets.DatasetDict(splits).save_to_disk(str(folder), num_shards=dict.fromkeys(SPLITS, 1))
    for split in SPLITS:
        path = folder / split / "state.json"
        state = json.loads(path.read_text(encoding="utf-8"))
        if names := [Path(shard).name for shard in shards if Path(shard).parent.name == split]:
            (placeholder,) = state["_data_files"]
            (folder / split / placeholder["filename"]).unlink()
            state["_data_files"] = [{"filename": name} for name in names]
        digest = hashlib.blake2b(json.dumps([identity, split, names]).encode(), digest_size=8)
        state["_fingerprint"] = digest.hexdigest()
        write_json(path, state)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace the file in one step that survives a loss of power. What isn't UTF-8 in a name is written as \\udcNN."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")  # which JSON reads back as it was


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keeps `datasets` from drawing bars of its own."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
