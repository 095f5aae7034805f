"""The fuzzer: a forked process tries one input after another, and its parent watches it."""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random

from .mutate import mutated
from .targets import TARGETS
from .trial import MOST_SECONDS, Board, Trial

#: Findings of one target after which it isn't tried any more.
ENOUGH = 20
TICK = 0.02


@dataclass
class Found:
    """What came out: inputs tried, those that were refused, and a line for each finding."""

    inputs: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)


def made(name: str, files: list[bytes], seed: int, number: int) -> bytes:
    """The input of this number: the same whenever it is asked for."""
    random = Random(f"{name} {seed} {number}")
    return mutated(random.choice(files), files, random)


def corpus_of(name: str) -> list[bytes]:
    """What a target begins with, made in a process of its own: libvips, once used, hangs in what is forked later."""
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        return pool.submit(_corpus, name).result()


def _corpus(name: str) -> list[bytes]:
    return TARGETS[name].corpus()


def fuzz(name: str, seconds: float, seed: int = 0, keep: Path | None = None, most: int | None = None) -> Found:
    """Try inputs on a target for so many seconds, or `most` inputs; what goes wrong is kept in the folder `keep`."""
    files = corpus_of(name)

    def one_after_another(trial: Trial) -> None:
        while not trial.over():
            trial(made(name, files, seed, trial.board.done))

    return watched(name, one_after_another, seconds, keep, most)


def watched(
    name: str, try_all: Callable[[Trial], None], seconds: float, keep: Path | None = None, most: int | None = None
) -> Found:
    """Let `try_all` give inputs to a target, in a process of its own, and in another if it crashes or hangs.

    An error that isn't of the family is written down by the child, which goes on; each kind of it, told by its type and
    line, is one finding. A crash or a hang is noticed here.
    """
    found, board, end = Found(), Board(), time.monotonic() + seconds
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        report = Path(folder, "findings")
        while time.monotonic() < end and len(found.findings) < ENOUGH and (most is None or board.done < most):
            child = os.fork()
            if not child:
                Trial(TARGETS[name], Path(folder), board, end, most).run(try_all)
            if why := _watch(child, board):
                kept = keep_input(board.input(), name, keep)
                with report.open("a") as file:
                    file.write(f"{why}: input {board.done}, {kept or 'not kept'}\n")
                board.count(refused=False)
            found.findings = _kept(report, Path(folder), name, keep)
    found.inputs, found.refused = board.done, board.refused
    return found


def keep_input(data: bytes, name: str, keep: Path | None) -> str:
    """Keep the bytes of a finding; where, or "" without a folder."""
    if keep is None:
        return ""
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return str(path)


def _kept(report: Path, folder: Path, name: str, keep: Path | None) -> list[str]:
    """The findings' lines; the inputs that a child has put aside are kept."""
    lines = report.read_text().splitlines() if report.exists() else []
    for path in sorted(folder.glob("input-*")):
        place = keep_input(path.read_bytes(), name, keep)
        lines = [line.replace(path.name, place or "not kept") for line in lines]
        path.unlink()
    if lines:
        report.write_text("".join(line + "\n" for line in lines))
    return lines


def _watch(child: int, board: Board) -> str:
    """Wait for the child; what went wrong, or "".

    What counts is the time that it computes or waits: not the time in which others have the processor, or in which it
    is stopped.
    """
    done, waited, since = -1, 0.0, 0.0
    while True:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            if os.WIFSIGNALED(status):
                return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
            return f"ended with {os.WEXITSTATUS(status)}" if os.WEXITSTATUS(status) else ""
        state, computed = _state(child)
        if board.tried != done:
            done, waited, since = board.tried, 0.0, computed
        waited += TICK * (state in "SD")
        if computed - since + waited > MOST_SECONDS and board.busy:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"took more than {MOST_SECONDS:g} s"
        time.sleep(TICK)


def _state(child: int) -> tuple[str, float]:
    """What a process does, by the letter that Linux has for it, and the seconds that it has computed."""
    try:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "Z", 0.0
    return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
