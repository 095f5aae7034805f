"""The fuzzer: a forked process tries one input after another, and its parent watches it."""

from __future__ import annotations

import faulthandler
import mmap
import os
import resource
import signal
import struct
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .mutate import mutated
from .targets import TARGETS, Target, attempt

#: Seconds that an input may take, and bytes of address space that a process may take more than it has at first.
MOST_SECONDS, MOST_MEMORY = 5.0, 3 * 2**30
#: Findings of one target after which it isn't tried any more.
ENOUGH = 20


@dataclass
class Found:
    """What came out: inputs tried, those that were refused, and a line for each finding."""

    inputs: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)


class Board:
    """Numbers that parent and child see: the inputs done, those refused, and whether one has gone wrong."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 24)

    def get(self) -> tuple[int, int, int]:
        done, refused, wrong = struct.unpack("<qqq", self.memory[:])
        return done, refused, wrong

    def set(self, done: int, refused: int, wrong: int) -> None:
        self.memory[:] = struct.pack("<qqq", done, refused, wrong)


def made(name: str, files: list[bytes], seed: int, number: int) -> bytes:
    """The input of this number: the same whenever it is asked for."""
    random = Random(f"{name} {seed} {number}")
    return mutated(random.choice(files), files, random)


def fuzz(name: str, seconds: float, seed: int = 0, keep: Path | None = None, most: int | None = None) -> Found:
    """Try inputs on a target for so many seconds, or `most` inputs; what goes wrong is kept in the folder `keep`."""
    target, found, board = TARGETS[name], Found(), Board()
    files, end = target.corpus(), time.monotonic() + seconds
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        while time.monotonic() < end and len(found.findings) < ENOUGH and (most is None or found.inputs < most):
            board.set(found.inputs, found.refused, 0)
            child = os.fork()
            if not child:
                _try_all(target, name, files, seed, Path(folder), end, most, board)
            status = _watch(child, board)
            done, found.refused, _ = board.get()
            found.inputs = done
            if status:
                found.inputs += 1
                data = made(name, files, seed, done)
                kept = ""
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{name}-{seed}-{done}").write_bytes(data)
                    kept = f", kept in {keep}"
                report = Path(folder, "error")
                why = report.read_text() if report.exists() else ""
                report.unlink(missing_ok=True)
                found.findings.append(f"input {done} of seed {seed}{kept}: {why or status}")
    return found


def _try_all(
    target: Target, name: str, files: list[bytes], seed: int, folder: Path, end: float, most: int | None, board: Board
) -> None:
    """In the child: one input after another until one goes wrong or time is up."""
    faulthandler.disable()  # a crash is reported by the parent
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries complain there
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    number, refused, _ = board.get()
    while time.monotonic() < end and (most is None or number < most):
        try:
            refused += attempt(target, folder / "file", made(name, files, seed, number))
        except BaseException as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {str(error)[:200]} ({Path(last.filename).name}:{last.lineno})"
            (folder / "error").write_text(" ".join(text.split()))
            os._exit(1)
        number += 1
        board.set(number, refused, 0)
    os._exit(0)


def _watch(child: int, board: Board) -> str:
    """Wait for the child; what went wrong, or ""."""
    done, since = -1, time.monotonic()
    while True:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            if os.WIFSIGNALED(status):
                return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
            return f"ended with {os.WEXITSTATUS(status)}" if os.WEXITSTATUS(status) else ""
        if board.get()[0] != done:
            done, since = board.get()[0], time.monotonic()
        elif _busy(child) and time.monotonic() - since > MOST_SECONDS:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"took more than {MOST_SECONDS:g} s"
        time.sleep(0.02)


def _busy(child: int) -> bool:
    return os.path.exists(f"/proc/{child}")
