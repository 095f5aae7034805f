"""A prepared dataset while it is being written, so that a process that is killed loses next to nothing.

It stands beside the folder that it will become, under the name `.NAME.partial`:

    journal.json           what was asked for, how far the photos have been read, and which files are finished
    train/data-00000.arrow, test/data-00000.arrow, train/data-00001.arrow, …

A commit writes its files under temporary names, syncs them to the disk, renames them, and only then replaces the
journal; files that the journal doesn't list are removed when the work goes on. So a process may be killed at any
moment, and a full disk or a lost connection costs no more than the photos since the last commit. At the end the journal
is removed and the folder renamed, in one step. Several ranks work in its folder `blocks` before (`shares.py`).
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...core import PhotomendError, files
from ...core.files import sync
from ...core.reading import parse_json, read_text
from ..prepared import FORMAT, PROVENANCE, write_json, write_metadata, write_shard
from .journal import Journal as Journal
from .journal import load

JOURNAL = "journal.json"
BLOCKS = "blocks"
# Keys of the provenance that say what came out rather than what was asked for.
RESULTS = ("format", "counts", "skipped")


def unfinished_folder(out: Path) -> Path:
    """Where the dataset `out` is while it is being written."""
    return out.with_name(f".{out.name}.partial")


def read_journal(out: Path) -> Journal | None:
    """The journal of the unfinished dataset that is to become `out`, None if there is nothing to go on with.

    Raises PhotomendError if it can't be read.
    """
    folder = unfinished_folder(Path(out).resolve())
    path = folder / (JOURNAL if (folder / JOURNAL).exists() else PROVENANCE)
    try:
        if path.name == JOURNAL:
            journal = load(path)
            return journal if journal.position is not None or (folder / BLOCKS).exists() else None
        values = parse_json(read_text(path))
        return Journal({key: value for key, value in values.items() if key not in RESULTS}, finished=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PhotomendError(f"{path}: the journal can't be read; start over with --restart") from error


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Lock the unfinished folder of the dataset `out`, which is made and, if it is empty in the end, removed.

    The lock goes with the process, however it ends.

    Raises:
        PhotomendError: another process is at work on it, or `out` exists and is not an empty folder.
    """
    folder = unfinished_folder(out)
    with files.claimed(folder, f"{folder}: another process is at work on this data set"):
        require_free(out)
        yield


def require_free(out: Path) -> None:
    """Raises PhotomendError if `out` is something that a dataset would replace."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PhotomendError(f"{out}: already exists and is not an empty folder")


@dataclass
class UnfinishedDataset:
    """The unfinished dataset in `folder`; see `open_unfinished`. Rows are held in memory until the next commit."""

    folder: Path
    journal: Journal
    rows: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def commit(self, position: dict[str, Any]) -> None:
        """Write a shard for each split with new rows: these, and all that the journal says now, are safe then."""
        shards, number = self.journal.shards, self._next()
        for split, rows in self.rows.items():
            file = f"{split}/data-{number:05d}.arrow"
            shards[file] = write_shard(self.folder / file, rows)
        self.rows.clear()
        self.journal.position = position
        self.journal.commits += 1
        write_json(self.folder / JOURNAL, asdict(self.journal))

    def adopt(self, folder: Path, part: Journal) -> None:
        """Take over what comes next, an unfinished dataset of one commit in `folder`, as if it were committed here."""
        journal, number = self.journal, self._next()
        for file, size in part.shards.items():
            own = f"{Path(file).parent.name}/data-{number:05d}.arrow"
            (self.folder / own).parent.mkdir(exist_ok=True)
            (folder / file).replace(self.folder / own)
            sync((self.folder / own).parent)
            journal.shards[own] = size
        for split, classes in part.counts.items():
            counts = journal.counts[split]
            for name, count in classes.items():
                counts[name] = counts.get(name, 0) + count
        journal.skipped |= part.skipped
        journal.places, journal.position = part.places, part.position
        journal.commits += 1
        write_json(self.folder / JOURNAL, asdict(journal))
        shutil.rmtree(folder)

    def _next(self) -> int:
        """The number of the next shards."""
        return 1 + max((int(Path(file).stem.partition("-")[2]) for file in self.journal.shards), default=-1)

    def finish(self) -> None:
        """Make it a dataset that `datasets.load_from_disk` reads."""
        journal = self.journal
        write_metadata(self.folder, journal.shards, [journal.parameters, journal.position])
        counts = {split: dict(sorted(classes.items())) for split, classes in journal.counts.items()}
        results = {"counts": counts, "skipped": journal.skipped}
        write_json(self.folder / PROVENANCE, {"format": FORMAT, **journal.parameters, **results})
        (self.folder / JOURNAL).unlink()

    def publish(self, out: Path) -> None:
        """Give the finished dataset its name."""
        for path in [*self.folder.rglob("*"), self.folder]:
            sync(path)
        self.folder.replace(out)
        sync(out.parent)


@contextmanager
def open_unfinished(out: Path, parameters: dict[str, Any], restart: bool) -> Iterator[UnfinishedDataset]:
    """The unfinished dataset that is to become `out`, which is `claimed`: a new one, or one to go on with.

    If the block fails, it stays as the last commit left it; without a commit it is removed. With `restart` an earlier
    one is thrown away.

    Raises:
        PhotomendError: the earlier one was begun with other `parameters`, a file of it is missing or damaged, or a
            folder of its name is something else.
    """
    folder = unfinished_folder(out)
    journal = begin(out, parameters, restart)
    if not journal.finished:
        shutil.rmtree(folder / BLOCKS, ignore_errors=True)
        tidy_up(folder, journal)
    try:
        yield UnfinishedDataset(folder, journal)
    finally:
        if journal.position is None and not journal.finished:
            # The journal goes last: it shows, if this is cut short, that the rest is ours.
            with suppress(OSError):
                for path in sorted(folder.iterdir(), key=lambda path: path.name == JOURNAL):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def begin(out: Path, parameters: dict[str, Any], restart: bool = False) -> Journal:
    """The journal of the unfinished dataset that is to become `out`, which is written if there was none.

    Raises PhotomendError as `open_unfinished` does.
    """
    folder = unfinished_folder(out)
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".part")
    if names and JOURNAL not in names and PROVENANCE not in names:
        raise PhotomendError(f"{folder}: holds {names[0]}, which no unfinished data set has; move it away")
    journal = (None if restart else read_journal(out)) or Journal(parameters)
    _require_same(folder, journal.parameters, parameters)
    if not journal.finished:
        require_whole(folder, journal)
        # The journal first, so that whatever a kill leaves here is known to be ours.
        write_json(folder / JOURNAL, asdict(journal))
    return journal


def tidy_up(folder: Path, journal: Journal) -> None:
    """Remove the files that neither the journal lists nor a block has: what a kill has left."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() not in {JOURNAL, *journal.shards} and name.parts[0] != BLOCKS:
            path.unlink()


def _require_same(folder: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    changes = [f"{key} {then.get(key)!r}, now {now.get(key)!r}" for key in now if then.get(key) != now.get(key)]
    changes += [f"{key} {then[key]!r}, now none" for key in then if key not in now]
    if changes:
        raise PhotomendError(
            f"{folder}: an unfinished data set was begun with {'; '.join(changes)}; "
            "ask for the same to go on, or start over with --restart"
        )


def require_whole(folder: Path, journal: Journal) -> None:
    """Raises PhotomendError naming a finished file that is missing or has another size."""
    for file, size in journal.shards.items():
        path = folder / file
        if not path.is_file() or path.stat().st_size != size:
            state = f"has {path.stat().st_size} bytes instead of {size}" if path.is_file() else "is missing"
            raise PhotomendError(f"{path}: this finished part {state}; start over with --restart")
