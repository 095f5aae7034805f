"""What is known of a prepared dataset while it is being written, kept in its folder as `journal.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...core import PhotomendError
from ..split import SPLITS
from .shards import write_json

JOURNAL = "journal.json"
PROVENANCE = "provenance.json"
# Keys of the provenance that say what came out rather than what was asked for.
RESULTS = ("format", "counts", "skipped")


@dataclass
class Journal:
    """What is known of a dataset while it is written.

    Attributes:
        parameters: what was asked for.
        position: where the stream of photos stood at the last commit, None before the first.
        places: photos of each split, readable or not.
        counts: rows of each split, by class.
        skipped: the unreadable photos, with the reason.
        shards: the finished files, relative to the folder, and their sizes in bytes.
        finished: whether the dataset is complete and only lacks its final name.
    """

    parameters: dict[str, Any]
    position: dict[str, Any] | None = None
    places: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    counts: dict[str, dict[str, int]] = field(default_factory=lambda: {split: {} for split in SPLITS})
    skipped: dict[str, str] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    finished: bool = False

    @property
    def photos(self) -> int:
        """How many photos have been dealt with."""
        return sum(self.places.values())

    def write(self, folder: Path) -> None:
        write_json(folder / JOURNAL, asdict(self))


def unfinished_folder(out: Path) -> Path:
    """Where the dataset `out` is while it is being written."""
    return out.with_name(f".{out.name}.partial")


def read_journal(out: Path) -> Journal | None:
    """The journal of the unfinished dataset that is to become `out`, None if there is nothing to go on with.

    Raises:
        PhotomendError: it can't be read.
    """
    folder = unfinished_folder(Path(out).resolve())
    path = folder / (JOURNAL if (folder / JOURNAL).exists() else PROVENANCE)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if path.name == JOURNAL:
            journal = Journal(**values)
            return None if journal.position is None else journal
        return Journal({key: value for key, value in values.items() if key not in RESULTS}, finished=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PhotomendError(f"{path}: the journal can't be read; start over with --restart") from error
