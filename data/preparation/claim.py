"""One process at a time writes a dataset: a lock on its unfinished folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ...core import PhotomendError
from .journal import unfinished_folder


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Lock the unfinished folder of the dataset `out`, which is made and, if it is empty in the end, removed.

    The lock goes with the process, however it ends.

    Raises:
        PhotomendError: another process is at work on it, or `out` exists and is not an empty folder.
    """
    folder = unfinished_folder(out)
    descriptor = _lock(folder)
    try:
        require_free(out)
        yield
    finally:
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                folder.rmdir()
        os.close(descriptor)


def require_free(out: Path) -> None:
    """Raises PhotomendError if `out` is something that a dataset would replace."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PhotomendError(f"{out}: already exists and is not an empty folder")


def _lock(folder: Path) -> int:
    """A descriptor of the folder, which is made if need be; it is locked until this is closed."""
    import fcntl  # only Unix has it, and only `prepare` needs it

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        # Between any two of these steps the process before may remove the folder or give it its final name.
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
