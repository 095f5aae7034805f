"""The process that a reader is tried in: its limits, and what it shares with its parent."""

from __future__ import annotations

import faulthandler
import mmap
import os
import resource
import struct
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .targets import Target, attempt

#: Seconds that an input may take, and bytes of address space that a process may take more than it has at first.
MOST_SECONDS, MOST_MEMORY = 5.0, 3 * 2**30
#: Bytes of the largest input.
ROOM = 2**20


class Board:
    """Numbers that parent and child see, and the input that is being tried.

    Attributes:
        tried: inputs that were begun, those of the corpus, too.
        done: inputs that the fuzzer has made and that were tried.
        refused: those of them that a reader has refused.
        busy: whether one is being tried.
    """

    HEAD = "<qqqqq"

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, struct.calcsize(self.HEAD) + ROOM)

    def _get(self) -> list[int]:
        return list(struct.unpack_from(self.HEAD, self.memory))

    tried = property(lambda self: self._get()[0])
    done = property(lambda self: self._get()[1])
    refused = property(lambda self: self._get()[2])
    busy = property(lambda self: bool(self._get()[3]))

    def begin(self, data: bytes) -> None:
        tried, done, refused, _, _ = self._get()
        start = struct.calcsize(self.HEAD)
        self.memory[start : start + len(data[:ROOM])] = data[:ROOM]
        struct.pack_into(self.HEAD, self.memory, 0, tried + 1, done, refused, 1, len(data[:ROOM]))

    def end(self) -> None:
        tried, done, refused, _, size = self._get()
        struct.pack_into(self.HEAD, self.memory, 0, tried, done, refused, 0, size)

    def count(self, refused: bool) -> None:
        tried, done, all_refused, busy, size = self._get()
        struct.pack_into(self.HEAD, self.memory, 0, tried, done + 1, all_refused + refused, busy, size)

    def input(self) -> bytes:
        start = struct.calcsize(self.HEAD)
        return self.memory[start : start + self._get()[4]]


class Trial:
    """In the child: call it with one input after another, until it is over."""

    def __init__(self, target: Target, folder: Path, board: Board, end: float, most: int | None) -> None:
        self.target, self.folder, self.board, self.end, self.most = target, folder, board, end, most
        report = folder / "findings"
        self.kinds = {line.partition(": ")[0] for line in report.read_text().splitlines()} if report.exists() else set()

    def run(self, try_all: Callable[[Trial], None]) -> NoReturn:
        faulthandler.disable()  # a crash is reported by the parent
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries complain there
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            try_all(self)
        except BaseException as error:
            self._note(error, self.board.input())
            os._exit(1)
        os._exit(0)

    def over(self) -> bool:
        return time.monotonic() >= self.end or (self.most is not None and self.board.done >= self.most)

    def __call__(self, data: bytes, counts: bool = True) -> None:
        """Try an input; it counts unless it is one of the corpus."""
        self.board.begin(data)
        try:
            refused = attempt(self.target, self.folder / "file", data)
        except BaseException as error:
            self._note(error, data)
            refused = False
        self.board.end()
        if counts:
            self.board.count(refused)

    def _note(self, error: BaseException, data: bytes) -> None:
        """Write down an error that should not have come, once for each type and line."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} ({Path(last.filename).name} {last.lineno})"
        if kind in self.kinds:
            return
        self.kinds.add(kind)
        kept = self.folder / f"input-{len(self.kinds)}"
        kept.write_bytes(data)
        with (self.folder / "findings").open("a") as file:
            file.write(" ".join(f"{kind}: {str(error)[:200]}, {kept.name}".split()) + "\n")
