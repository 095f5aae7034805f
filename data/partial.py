"""A dataset while it is being written: shards that are finished for good, and a journal that knows them.

It stands beside the folder that it will become, under the name `.NAME.partial`:

    journal.json           what was asked for, how far the photos have been read, and which files are finished
    train/data-00000.arrow, test/data-00000.arrow, train/data-00001.arrow, …

A commit writes its files under other names, syncs them to the disk, renames them, and only then replaces the journal;
what the journal doesn't list was never finished and is removed when the work goes on. So a process may be killed at any
moment, and a full disk or a lost connection costs no more than the photos since the last commit. At the end the journal
goes and the folder takes its final name, in one step.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core import PhotomendError
from .shards import ShardWriter, columns, sync, write_json, write_metadata
from .split import SPLITS

JOURNAL = "journal.json"
PROVENANCE = "provenance.json"


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
    """

    parameters: dict[str, Any]
    position: dict[str, Any] | None = None
    places: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    counts: dict[str, dict[str, int]] = field(default_factory=lambda: {split: {} for split in SPLITS})
    skipped: dict[str, str] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)

    @property
    def photos(self) -> int:
        """How many photos have been dealt with."""
        return sum(self.places.values())


def partial_folder(out: Path) -> Path:
    """Where the dataset `out` is while it is being written."""
    return out.with_name(f".{out.name}.partial")


def read_journal(out: Path) -> Journal | None:
    """The journal of the unfinished dataset that is to become `out`, or None if there is none.

    Raises:
        PhotomendError: it can't be read.
    """
    path = partial_folder(Path(out).resolve()) / JOURNAL
    try:
        return Journal(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise PhotomendError(f"{path}: the journal can't be read; start over with --restart") from error


def unfinished(out: Path) -> dict[str, Any] | None:
    """What was asked for of the unfinished dataset that is to become `out`, None if there is none to go on with.

    Raises:
        PhotomendError: its journal can't be read.
    """
    journal = read_journal(out)
    if journal is not None:
        return None if journal.position is None else journal.parameters
    try:
        provenance = (partial_folder(Path(out).resolve()) / PROVENANCE).read_text(encoding="utf-8")
        return dict(json.loads(provenance))
    except (OSError, ValueError):
        return None


class PartialDataset:
    """The unfinished dataset in `folder`; see `open_partial`."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.folder = folder
        self.journal = journal
        self._features = columns()
        self._writers: dict[str, ShardWriter] = {}
        self._number = 1 + max((int(Path(file).stem.partition("-")[2]) for file in journal.shards), default=-1)

    def write(self, split: str, row: dict[str, Any]) -> None:
        """Add a row to the shard at work."""
        if split not in self._writers:
            path = self.folder / split / f"data-{self._number:05d}.arrow"
            path.parent.mkdir(exist_ok=True)
            self._writers[split] = ShardWriter(path, self._features)
        self._writers[split].write(row)

    def commit(self, position: dict[str, Any]) -> None:
        """Finish the shard at work: its rows and all that the journal says now will outlast whatever comes."""
        for writer in self._writers.values():
            self.journal.shards[writer.path.relative_to(self.folder).as_posix()] = writer.finish()
            sync(writer.path.parent)
        self._number += bool(self._writers)
        self._writers = {}
        self.journal.position = position
        self.write_journal()

    def write_journal(self) -> None:
        write_json(self.folder / JOURNAL, asdict(self.journal))

    def finish(self, provenance: dict[str, Any], out: Path) -> None:
        """Make it a dataset that `datasets.load_from_disk` reads, and give it its name."""
        write_metadata(self.folder, self.journal.shards, [self.journal.parameters, self.journal.position])
        write_json(self.folder / PROVENANCE, provenance)
        (self.folder / JOURNAL).unlink()
        _publish(self.folder, out)

    def close(self) -> None:
        """Drop the shard at work."""
        for writer in self._writers.values():
            writer.drop()


@contextmanager
def open_partial(out: Path, parameters: dict[str, Any], restart: bool) -> Iterator[PartialDataset]:
    """The unfinished dataset that is to become `out`, which is `claimed`: a new one, or one to go on with.

    If the block fails, it stays as the last commit left it; without a commit it is removed. With `restart` an earlier
    one is thrown away.

    Raises:
        PhotomendError: the earlier one was begun with other `parameters`, a file of it is missing or damaged, or a
            folder of its name is something else.
    """
    folder = partial_folder(out)
    if restart and ((folder / JOURNAL).exists() or (folder / PROVENANCE).exists()):
        write_json(folder / JOURNAL, asdict(Journal(parameters)))
    journal = read_journal(out)
    if journal is None or journal.position is None:
        if journal is None:
            _require_nothing_foreign(folder)
        journal = Journal(parameters)
    _require_same(folder, journal.parameters, parameters)
    _require_whole(folder, journal)
    _remove_files(folder, {JOURNAL, *journal.shards})
    partial = PartialDataset(folder, journal)
    partial.write_journal()
    try:
        yield partial
    finally:
        partial.close()
        if journal.position is None:
            _discard(folder)


def publish_finished(out: Path, parameters: dict[str, Any]) -> bool:
    """Give a dataset its name that was whole but for that when its process was killed; whether there was one.

    `out` is `claimed`.

    Raises:
        PhotomendError: there is, but it was made with other `parameters`.
    """
    folder = partial_folder(out)
    if (folder / JOURNAL).exists() or not (folder / PROVENANCE).exists():
        return False
    provenance = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    _require_same(folder, {key: provenance.get(key) for key in parameters}, parameters)
    _publish(folder, out)
    return True


def _require_same(folder: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    changes = [f"{key} {then.get(key)!r}, now {now.get(key)!r}" for key in now if then.get(key) != now.get(key)]
    changes += [f"{key} {then[key]!r}, now none" for key in then if key not in now]
    if changes:
        raise PhotomendError(
            f"{folder}: an unfinished data set was begun with {'; '.join(changes)}; "
            "ask for the same to go on, or start over with --restart"
        )


def _require_whole(folder: Path, journal: Journal) -> None:
    for file, size in journal.shards.items():
        path = folder / file
        if not path.is_file() or path.stat().st_size != size:
            state = f"has {path.stat().st_size} bytes instead of {size}" if path.is_file() else "is missing"
            raise PhotomendError(f"{path}: this finished part {state}; start over with --restart")


def _require_nothing_foreign(folder: Path) -> None:
    if foreign := sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".part"):
        raise PhotomendError(f"{folder}: holds {foreign[0]}, which no unfinished data set has; move it away")


def _publish(folder: Path, out: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        sync(path)
    folder.replace(out)
    sync(out.parent)


def _remove_files(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove all files below the folder but those to `keep`, which are relative to it."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in keep:
            path.unlink()


def _discard(folder: Path) -> None:
    """Remove the folder, its journal last: without one, what a kill leaves of it would be nobody's."""
    with suppress(OSError):
        for path in sorted(folder.iterdir(), key=lambda path: path.name == JOURNAL):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def require_free(out: Path) -> None:
    """Raises PhotomendError if `out` is something that a dataset would replace."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PhotomendError(f"{out}: already exists and is not an empty folder")


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Keeps other processes off the dataset that is to become `out`, and its unfinished folder there meanwhile.

    The lock is on that folder and goes with the process, however it ends. An empty one is removed in the end.

    Raises:
        PhotomendError: another process is at work on it, or `out` exists and is not an empty folder.
    """
    folder = partial_folder(out)
    descriptor = _lock(folder)
    try:
        require_free(out)
        yield
    finally:
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                folder.rmdir()
        os.close(descriptor)


def _lock(folder: Path) -> int:
    """A descriptor of the folder, which is made if need be; others are kept off until it is closed."""
    import fcntl  # Unix has it; without `prepare`, photomend runs elsewhere too

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        # Between any two of these steps the one before may remove the folder, or give it its final name.
        with suppress(FileNotFoundError), ExitStack() as stack:
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PhotomendError(f"{folder}: another process is at work on this data set") from error
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                stack.pop_all()
                return descriptor
