"""Sessions: a photo that somebody has opened, with a folder of its own, until it is closed or forgotten.

There are no accounts and no cookies. Who opens a photo gets a random name for it, of 128 bits, and nothing can be asked
of a photo without that name. All files of a server are in one folder that only its user can read; one that was left
behind by a server that was killed is removed by the next.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from ...core import PhotomendError
from .jobs import Job, Jobs
from .limits import Limits

PREFIX, LOCK = "photomend-app-", "lock"


class GoneError(PhotomendError):
    """A photo that isn't open, or isn't any more."""


class TooManyError(PhotomendError):
    """More open photos than the server has room for."""


@dataclass
class Session:
    """An open photo.

    Attributes:
        id: its name, which nobody can guess.
        owner: for whom it is, as far as turns are concerned.
        name: what its file is called where it came from.
        folder: where all of its files are.
        file: the photo as it was sent.
        photo: what the page is told of it, once it has been read.
        result: what the page is told of the repair, once there is one.
        found: what the page is told of the damage that was found.
        mask: what the page is told of the last mask that was sent, its number and pixels.
        turned: the EXIF orientation of the photo as it was sent.
        views: the last parts that were shown, encoded, by what was asked for.
        job: the last one.
        used: when anything was last asked of it.
    """

    id: str
    owner: str
    name: str
    folder: Path
    file: Path
    photo: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    found: dict[str, Any] | None = None
    mask: dict[str, Any] | None = None
    turned: int = 1
    views: dict[Hashable, tuple[bytes, str]] = field(default_factory=dict)
    job: Job | None = None
    used: float = field(default_factory=monotonic)

    def named(self, message: str) -> str:
        """A message about the photo under the name that its owner knows; without it where the message begins so."""
        for path in (self.file, *self.folder.glob("repaired.*")):
            message = message.removeprefix(f"{path}: ").replace(str(path), self.name)
        return message


class Sessions:
    """All open photos.

    Args:
        folder: where their files are.
        jobs: theirs are cancelled when they are closed.
    """

    def __init__(self, folder: Path, jobs: Jobs, limits: Limits) -> None:
        self.folder, self.jobs, self.limits = folder, jobs, limits
        self._open: dict[str, Session] = {}

    def open(self, owner: str, name: str) -> Session:
        """A new session with an empty folder. Raises TooManyError."""
        self.sweep()
        if len(self._open) >= self.limits.photos:
            raise TooManyError(f"{len(self._open)} photos are open here already; try again later")
        identity = secrets.token_urlsafe(16)
        folder = self.folder / identity
        folder.mkdir(mode=0o700)
        file = folder / f"photo{suffix_of(name)}"
        session = Session(identity, owner, Path(name).name or "photo", folder, file)
        self._open[identity] = session
        return session

    def find(self, identity: str) -> Session:
        """The open photo of this name, which isn't forgotten for some more time. Raises GoneError."""
        session = self._open.get(identity)
        if session is None:
            raise GoneError(
                f"the server doesn't have this photo; it forgets one after {self.limits.minutes:g} minutes without use"
            )
        session.used = monotonic()
        return session

    def close(self, session: Session) -> None:
        """Remove all files of a session; those that a job still works on as soon as it has stopped."""
        self._open.pop(session.id, None)
        if session.job is None or session.job.over.is_set():
            _remove(session.folder)
            return
        job = session.job
        self.jobs.cancel(job)

        def remove_later() -> None:
            job.over.wait()
            _remove(session.folder)

        threading.Thread(target=remove_later, daemon=True).start()

    def sweep(self) -> None:
        """Close those that nobody has used for too long and that nobody waits for."""
        limit = monotonic() - 60 * self.limits.minutes
        for session in list(self._open.values()):
            if session.used < limit and (session.job is None or session.job.over.is_set()):
                self.close(session)

    def close_all(self) -> None:
        for session in list(self._open.values()):
            self.close(session)


def suffix_of(name: str) -> str:
    """The suffix of a name from outside, by which some formats are told apart; nothing else of it names a file."""
    suffix = Path(name).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 6 else ""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder that only this user can read, removed at the end, with all that is in it.

    It is locked, as long as this process lives, by the system: so one without a lock was left behind, and is removed.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_left(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = folder / "draft"
    with draft.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft.rename(folder / LOCK)  # so nobody finds it before it is locked
        try:
            yield folder
        finally:
            _remove(folder)


def _remove_if_left(folder: Path) -> None:
    """Remove a folder of ours whose server doesn't live any more."""
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        with (folder / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
    except OSError:  # locked, gone meanwhile, or none of ours: without a lock it may be about to get one
        return


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
