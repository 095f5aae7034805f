"""The photos of a dataset on the hub, one after another: only those that are wanted are decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

from ...core import PhotomendError
from ..masks import Box
from ..photos import Photo, PhotoError, decode_photo
from ..sources import split_of
from .hub import HubDataset
from .stream import StreamedPhoto

#: Columns that may hold a photo's class; the first that is there counts.
CLASS_COLUMNS = ("label", "labels", "class", "class_name", "category", "cls")
# Class names remembered for suggesting the nearest; a column of captions holds any number.
NAMES_REMEMBERED = 1000


class HubStream:
    """The photos of `hub` with the wanted classes, in its order.

    A photo's name is its split on the hub, the number of its row there, and the name of its file, if any, which other
    rows may share. Its split here is `split_of` that name, whatever the hub's. Rows that aren't wanted give None. A
    stream that goes on from a position opens the file in which it stood and skips the rows before it (parquet: those of
    its row group).

    Args:
        hub: the dataset.
        classes: the classes to take, each by one of its names in any case (`macaw`, `red panda`) or its number; all if
            empty. If the dataset doesn't list its classes, they must be spelled exactly.
        limit: the most photos to take of each class, the first ones; None takes all.

    Raises:
        PhotomendError: the dataset has no column of photos or no such class. While iterating: the hub stopped
            answering, or a class that couldn't be looked up before never came.
    """

    def __init__(self, hub: HubDataset, classes: Sequence[str] = (), limit: int | None = None) -> None:
        import datasets

        features = next(iter(hub.splits.values())).features or {}
        photos = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
        labels = [name for name in CLASS_COLUMNS if name in features]
        columns = f"(its columns: {', '.join(features)[:500] or 'unknown'})"
        if not photos:
            raise PhotomendError(f"{hub.origin}: no column of photos {columns}")
        if classes and not labels:
            raise PhotomendError(f"{hub.origin}: no column of classes {columns}")
        self.hub, self.limit = hub, limit
        self.origin = hub.origin
        self.total: int | None = None
        self._photo_column, self._class_column = photos[0], labels[0] if labels else ""
        names = getattr(features.get(self._class_column), "names", None)
        known = hub.classes or (None if names is None else dict(enumerate(names)))
        #: Class names by the label's text; None where any label is a name by itself.
        self._classes = {name: name for name in classes} or None
        if known is not None:
            wanted = [_find_class(hub.origin, name, known) for name in classes] or list(known)
            self._classes = {str(label): known[label] for label in wanted}
        self._by_class = bool(classes or hub.classes)  # a photo without a label isn't wanted then
        self._unchecked = list(classes) if known is None else []
        chosen = sorted((self._classes or {}).values()) if self._by_class else None
        self.parameters = {"source": hub.label, "revision": hub.revision, "classes": chosen, "limit": limit}
        self._at: dict[str, Any] = {}  # the position, but for where in a file it is
        self._rows: Any = None
        self._taken: dict[str, int] = {}

    def photos(self, position: dict[str, Any] | None = None) -> Iterator[StreamedPhoto | None]:
        if position is None:
            position = {"digest": self.hub.digest, "split": 0, "file": 0, "row": 0, "rows": None, "taken": {}}
        places = (position.get(name) for name in ("split", "file", "row"))
        taken = position.get("taken")
        if not all(type(place) is int and place >= 0 for place in places) or not isinstance(taken, dict):
            raise PhotomendError(f"{self.origin}: the journal is damaged; start over with --restart")
        if position.get("digest") != self.hub.digest:
            raise PhotomendError(f"{self.origin}: its files have changed since; start over with --restart")
        self._at, self._taken = dict(position), dict(taken)
        return self._rest(position.get("rows"))

    def position(self) -> dict[str, Any]:
        rows = None if self._rows is None else self._rows.state_dict()
        return {**self._at, "rows": rows, "taken": dict(self._taken)}

    def _rest(self, state: dict[str, Any] | None) -> Iterator[StreamedPhoto | None]:
        for split in list(self.hub.splits)[self._at["split"] :]:
            for row in self._read(split, state):
                if self._complete():
                    return
                class_name = self._class_name(row)
                if class_name is None or (self.limit is not None and self._taken.get(class_name, 0) >= self.limit):
                    yield None
                else:
                    self._taken[class_name] = self._taken.get(class_name, 0) + 1
                    image = row[self._photo_column] or {}
                    name = f"{split}/{self._at['row'] - 1:08d}" + (f"/{image['path']}" if image.get("path") else "")
                    read = partial(_decode, image.get("bytes"), f"{self.origin}: {name}")
                    yield StreamedPhoto(name, class_name, split_of(name), read)
            state = None
            self._at |= {"split": self._at["split"] + 1, "file": 0, "row": 0}
        for name in self._unchecked:
            if not self._taken.get(name):
                raise PhotomendError(_no_such_class(self.origin, name, self._taken))

    def _read(self, split: str, state: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
        """The rows of a split, file by file; whatever goes wrong over there is a PhotomendError here.

        The file being read is cut into its row groups: Arrow, which reads ahead, would hold a whole file in memory.
        """
        files = self.hub.splits[split]
        try:
            for file in range(self._at["file"], files.num_shards):
                self._rows = files.shard(files.num_shards, file).reshard().decode(False)
                if state is not None:
                    self._rows.load_state_dict(state)
                for row in self._rows:
                    self._at["row"] += 1
                    yield row
                self._at["file"], self._rows, state = file + 1, None, None
        except Exception as error:  # of datasets, its file systems, its HTTP library, Arrow or tarfile
            raise PhotomendError(
                f"{self.origin}: reading ended after {self._at['row']} rows of its split {split} "
                f"({self.hub.reason(error)}); the same command goes on from what is finished"
            ) from error

    def _class_name(self, row: dict[str, Any]) -> str | None:
        """The photo's class, None if it isn't wanted."""
        label = row.get(self._class_column)
        if label is None or label == -1:  # how `datasets` writes that there is none
            return None if self._by_class else ""
        if self._classes is None:
            return str(label)
        if self._unchecked and len(self._taken) < NAMES_REMEMBERED:
            self._taken.setdefault(str(label), 0)
        return self._classes.get(str(label))

    def _complete(self) -> bool:
        """Whether no wanted photo can come any more."""
        if self.limit is None or self._classes is None:
            return False
        return all(self._taken.get(name, 0) >= self.limit for name in self._classes.values())


def _find_class(origin: str, wanted: str, known: Mapping[int, str]) -> int:
    """The label of the class that is called `wanted`, or has that number.

    ImageNet lists all names of a class: `goldfish, Carassius auratus`.
    """
    names = [(name.strip(), label) for label, all_names in known.items() for name in [all_names, *all_names.split(",")]]
    labels = {label for name, label in names if _plain(name) == _plain(wanted)}
    if not labels and wanted.isdecimal() and int(wanted) in known:
        labels = {int(wanted)}
    if not labels:
        raise PhotomendError(_no_such_class(origin, wanted, [name for name, _ in names]))
    if len(labels) > 1:
        meant = " or ".join(f"{label} ({known[label]})" for label in sorted(labels))
        raise PhotomendError(f"{origin}: class {wanted!r} may mean {meant}; give the number")
    return labels.pop()


def _no_such_class(origin: str, wanted: str, known: Iterable[str]) -> str:
    spellings = {_plain(name): name for name in known if name != wanted}
    nearest = get_close_matches(_plain(wanted), spellings, n=1, cutoff=0.0)
    return f"{origin}: no photos of a class {wanted!r}" + (
        f"; the nearest is {spellings[nearest[0]]!r}" if nearest else ""
    )


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _decode(data: bytes | None, name: str) -> tuple[Photo, Box | None]:
    if data is None:
        raise PhotoError(f"{name}: this row has no photo in it")
    return decode_photo(data, name), None
