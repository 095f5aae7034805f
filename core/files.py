"""Files that are written whole or not at all: under another name, down to the disk, then renamed. And folders that one
process has to itself."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .errors import PhotomendError

#: Descriptors of folders that this process has to itself.
_claimed: set[int] = set()
#: How a draft's name begins and ends, and how that of the file ends by whose lock one knows that it is being written.
PREFIX, DRAFT, LOCK = ".photomend-", ".part", "-lock.part"
#: Seconds without a change after which a draft that has no lock counts as left behind.
ABANDONED = 24 * 3600.0
_swept: set[Path] = set()


@contextmanager
def replacing(path: Path, keep: Path | None = None) -> Iterator[Path]:
    """Write `path` completely or not at all: yields the name of a draft beside it, renamed when the block succeeds.

    The draft doesn't exist yet; its name is hidden, unique and ends in ``.part``. A file called `path` is replaced in
    one step: readers see the old one or the new one, and so does whoever comes after a kill or a loss of power, because
    the draft is on the disk before it gets the name, and the name before this returns. If the block fails, the file
    stays as it was and the draft is removed; drafts of processes that were killed are removed when the next file is
    written to their folder.

    A new file has the mode that the umask gives, another keeps its own. A symbolic link is replaced, never followed.
    With `keep` the file that is replaced goes on under that name; a kill may come when it has that and no other.

    Raises:
        OSError: the draft can't be written or renamed, named after `path`; or whatever the block raises.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "notes.txt")
    >>> with replacing(path) as draft:
    ...     _ = draft.write_text("complete")
    >>> path.read_text()
    'complete'
    """
    folder, stem = path.parent, PREFIX + secrets.token_hex(8)
    draft, lock = folder / (stem + DRAFT), folder / (stem + LOCK)
    try:
        sweep(folder)
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        try:
            take_lock(descriptor)
            mode = _mode(path, os.fstat(descriptor).st_mode)
            yield draft
            os.chmod(draft, mode)
            sync(draft)
            if keep is not None and path.exists():
                os.replace(path, keep)
            os.replace(draft, path)
            sync(folder)
        finally:
            for leftover in (draft, lock):
                with suppress(OSError):
                    os.unlink(leftover)
            os.close(descriptor)
    except OSError as error:
        # Whoever reads the message knows the file and not its draft; an errorless message is a library's own.
        if error.errno is not None and (not error.filename or str(error.filename) in (str(draft), str(lock))):
            error.filename, error.filename2 = str(path), None
        raise


def write_chunks(draft: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Make the file `draft` of these bytes, one after another. Raises OSError."""
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        for chunk in chunks:
            write_all(descriptor, chunk)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data`: the system may take less at a time. Raises OSError."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems can't do this for a folder; they keep names in their own way.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, shared: bool = False) -> bool | None:
    """Lock an open file until it is closed, which the end of the process does, too; `shared` with others who share it.

    True if that worked, False if another holds the lock, None where there are no locks: Windows, some network folders.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have the lock of this name, a file that is there meanwhile; waits until no other process has it.

    Unlike a folder's, a file's lock holds among the machines that share a network folder. Raises PhotomendError where
    there are no locks.
    """
    descriptor = _wait_for_lock(path)
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _wait_for_lock(path: Path) -> int:
    """A descriptor of the file `path`, which is made if need be; it is locked until this is closed."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
            stack.callback(os.close, descriptor)
            try:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except (ImportError, OSError) as error:
                why = f"no file can be locked here, which several processes need ({error})"
                raise PhotomendError(f"{path}: {why}") from error
            with suppress(FileNotFoundError):  # whoever had it before has removed the file
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    stack.pop_all()
                    return descriptor


@contextmanager
def claimed(folder: Path, busy: str, keep: bool = False, shared: bool = False) -> Iterator[None]:
    """Have a folder to oneself, which is made and, if it is empty in the end, removed (with `keep` it stays).

    With `shared`, others who share it may have it at the same time.

    The claim goes with the process, however it ends; its worker processes have no part in it. Where there are no locks
    nothing is claimed. Raises PhotomendError, `busy`, where another has it.
    """
    descriptor = _claim(folder, busy, shared)
    _claimed.add(descriptor)
    sweep(folder)
    try:
        yield
    finally:
        if not keep:
            with suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), folder.stat()):
                    folder.rmdir()
        _claimed.discard(descriptor)
        os.close(descriptor)


def _claim(folder: Path, busy: str, shared: bool) -> int:
    """A descriptor of the folder, which is made if need be; it is locked until this is closed."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        # Between any two of these steps the process before may remove the folder or give it another name.
        with suppress(FileNotFoundError), ExitStack() as stack:
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            if take_lock(descriptor, shared) is False:
                raise PhotomendError(busy)
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                stack.pop_all()
                return descriptor


def _leave_to_parent() -> None:
    """In a forked process: the lock belongs to an open file, which would stay open with it."""
    while _claimed:
        os.close(_claimed.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def sweep(folder: Path) -> None:
    """Remove the drafts that killed processes have left in a folder; done once a process, when it is first used."""
    folder = folder.absolute()
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError):  # a folder that can't be listed can still be written to
        names = [name for name in os.listdir(folder) if name.startswith(PREFIX) and name.endswith(DRAFT)]
        for name in sorted(names, key=lambda name: name.endswith(LOCK)):  # a draft before its lock, which tells
            with suppress(OSError):
                if _is_abandoned(folder / name):
                    os.unlink(folder / name)


def _is_abandoned(path: Path) -> bool:
    """Whether nobody is at work any more on a draft, or on the one that this lock belongs to.

    The lock tells. Where there is none, one that hasn't changed for a day is taken for abandoned.
    """
    lock = path if path.name.endswith(LOCK) else path.with_name(path.name.removesuffix(DRAFT) + LOCK)
    with suppress(FileNotFoundError):
        descriptor = os.open(lock, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            taken = take_lock(descriptor)
        finally:
            os.close(descriptor)
        if taken is not None:
            return taken
    return time.time() - path.lstat().st_mtime > ABANDONED


def _mode(path: Path, new: int) -> int:
    """The permissions of the file that is replaced, or else those of a new one."""
    try:
        old = path.lstat().st_mode
    except OSError:
        old = new
    return stat.S_IMODE(old if stat.S_ISREG(old) else new)
