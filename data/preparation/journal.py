"""What is known of a dataset while it is written, and whether what a file says of it can be true."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.reading import parse_json, read_text
from ..sources import SPLITS

#: The files of a dataset, relative to its folder.
PART = re.compile(rf"(?:{'|'.join(SPLITS)})/data-[0-9]{{5,9}}\.arrow")


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
        commits: how many there were.
    """

    parameters: dict[str, Any]
    position: dict[str, Any] | None = None
    places: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    counts: dict[str, dict[str, int]] = field(default_factory=lambda: {split: {} for split in SPLITS})
    skipped: dict[str, str] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    finished: bool = False
    commits: int = 0

    @property
    def photos(self) -> int:
        """How many photos have been dealt with."""
        return sum(self.places.values())


def load(path: Path) -> Journal:
    """The journal in a file. Raises OSError, ValueError, TypeError or AttributeError where there is none."""
    return sound(Journal(**parse_json(read_text(path))))


def sound(journal: Journal) -> Journal:
    """The journal, whose values are of their kinds. Raises ValueError where one isn't, or a file isn't of a dataset."""
    tables = (
        journal.parameters,
        journal.places,
        journal.counts,
        journal.skipped,
        journal.shards,
        journal.position or {},
    )
    if not all(isinstance(table, dict) for table in (*tables, *journal.counts.values())):
        raise ValueError("a table is something else")
    if not set(SPLITS) == journal.places.keys() == journal.counts.keys():
        raise ValueError("its splits are others")
    numbers = [*journal.places.values(), *journal.shards.values()]
    numbers += [count for classes in journal.counts.values() for count in classes.values()]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("a number is something else")
    if not all(PART.fullmatch(file) for file in journal.shards):
        raise ValueError("a file is elsewhere")
    return journal
