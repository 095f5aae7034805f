"""A disk that fails at the n-th call: full, broken, or gone with the process or with the power."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from photomend.core import files

#: What happens at the n-th call. A kill and a loss of power end the process; the latter also takes what isn't synced.
FAULTS = ("full", "broken", "kill", "power")
#: What changes the disk. The rest (reading, closing) leaves nothing behind.
CALLS = ("open", "write", "fsync", "chmod", "replace", "unlink", "mkdir", "rmdir")


class Killed(BaseException):
    """The process is dead: nobody catches this, and nothing that is done after it reaches the disk."""


class Disk:
    """Counts the calls that change files, and fails at number `at` (none: 0)."""

    def __init__(self, at: int, fault: str) -> None:
        self.at, self.fault = at, fault
        self.calls: list[str] = []
        self.dead = False
        self.original: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CALLS}
        self.close = os.close
        self.open_files: dict[int, str] = {}
        self.unsynced: set[str] = set()
        self.synced: dict[str, int] = {}  # how much of a file is on the disk
        self.renames: list[tuple[str, str, bytes | None]] = []

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        if self.dead:
            raise Killed
        if name == "open" and not args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            return self._done(name, self.original[name](*args, **options), *args)
        self.calls.append(name)
        if len(self.calls) == self.at:
            self._fail(name, *args)
        return self._done(name, self.original[name](*args, **options), *args)

    def _fail(self, name: str, *args: Any) -> None:
        if name == "write":  # half of it has arrived
            self.original["write"](args[0], memoryview(args[1])[: len(args[1]) // 2])
        if self.fault in ("kill", "power"):
            self.dead = True
            raise Killed
        number = errno.ENOSPC if self.fault == "full" else errno.EIO
        raise OSError(number, os.strerror(number), *([os.fspath(args[0])] if name not in ("write", "fsync") else []))

    def _done(self, name: str, result: Any, *args: Any) -> Any:
        """Note what a loss of power would take."""
        if name == "open":
            self.open_files[result] = os.path.abspath(args[0])
        elif name == "write":
            self.unsynced.add(self.open_files.get(args[0], ""))
        elif name == "fsync":
            synced = self.open_files.get(args[0], "")
            self.unsynced.discard(synced)
            if os.path.isfile(synced):
                self.synced[synced] = os.path.getsize(synced)
            self.renames = [rename for rename in self.renames if os.path.dirname(rename[1]) != synced]
        return result

    def replace(self, old: Any, new: Any) -> None:
        old, new = os.path.abspath(old), os.path.abspath(new)
        before = Path(new).read_bytes() if os.path.exists(new) else None
        self.call("replace", old, new)
        self.renames.append((old, new, before))
        if old in self.synced:
            self.synced[new] = self.synced.pop(old)

    def closed(self, descriptor: int) -> None:
        self.open_files.pop(descriptor, None)
        self.close(descriptor)

    def bury(self) -> None:
        """What the end of a process does: its files are closed. And what a loss of power does."""
        for descriptor in list(self.open_files):
            with suppress(OSError):
                self.close(descriptor)
        files._swept.clear()
        files._claimed.clear()
        if self.dead and self.fault == "power":
            for old, new, before in reversed(self.renames):
                os.replace(new, old)
                if before is not None:
                    Path(new).write_bytes(before)
            for path in self.unsynced:
                if os.path.exists(path):
                    os.truncate(path, (self.synced.get(path, 0) + os.path.getsize(path)) // 2)


@contextmanager
def failing(at: int, fault: str) -> Iterator[Disk]:
    """Inside this context the disk fails at the call `at`, as a process sees it that ends with the context."""
    disk = Disk(at, fault)
    files._swept.clear()
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, lambda *args, _name=name, **options: disk.call(_name, *args, **options))
        patch.setattr(os, "replace", disk.replace)
        patch.setattr(os, "close", disk.closed)
        try:
            yield disk
        finally:
            patch.undo()
            disk.bury()
