"""A learner's file in a process of its own, which may loop, exit, print and eat memory without harm to this one.

The process (`child.py`) leaves its findings in a file. Whatever else becomes of it is explained here from what is left:
its exit status, and the place where it was when its time was up.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .catalogue import Exercise

SECONDS = 60.0
MEGABYTES = 2048
_START = 120.0  # seconds for importing torch on a busy machine
_KEPT = 2000  # characters of what the file prints
_ROOT = Path(__file__).resolve().parents[3]  # where the package is found


@dataclass(frozen=True)
class Finding:
    """The first thing that is wrong; see `failure.AnswerError`. For an exception in the file, `line` is where."""

    what: str
    function: str = ""
    stage: str = ""
    target: str = ""
    mistake: str = ""
    details: list[str] = field(default_factory=list)
    line: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a file: what is right, the first thing that isn't, and what it printed (the beginning, and how
    many characters more)."""

    right: list[str]
    wrong: Finding | None
    printed: str
    more: int


def run(path: Path, exercise: Exercise, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Outcome:
    """Check a file in a process of its own, with so much time and memory beyond what torch takes."""
    with tempfile.TemporaryDirectory(prefix="photomend-") as folder:
        code = f"import sys; sys.path.insert(0, sys.argv[1]); from {__package__}.child import main; main(sys.argv[1:])"
        arguments = [str(_ROOT), str(path.resolve()), exercise.name, str(seconds), str(megabytes), folder]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        printed = _Printed(process.stdout)
        try:
            process.wait(timeout=seconds + _START)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
        printed.join(timeout=10)
        right, wrong = _left_in(Path(folder), path, process.returncode, seconds, printed.text)
        return Outcome(right, wrong, printed.text, printed.more)


class _Printed(threading.Thread):
    """Reads what a process prints, so that it never waits, and keeps the beginning."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        self._stream, self._kept, self._count = stream, bytearray(), 0
        self.start()

    def run(self) -> None:
        while self._stream is not None and (data := self._stream.read1(65536)):  # type: ignore[attr-defined]
            self._kept += data[: 4 * _KEPT - len(self._kept)]
            self._count += len(data)

    @property
    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")[:_KEPT]

    @property
    def more(self) -> int:
        return max(0, self._count - len(self.text.encode()))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and those that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def _left_in(folder: Path, path: Path, status: int, seconds: float, printed: str) -> tuple[list[str], Finding | None]:
    """What is right and what is wrong, from the findings, or from how the process ended without any."""
    right = _lines(folder / "right")
    try:
        findings: dict[str, Any] = json.loads((folder / "wrong.json").read_text(encoding="utf-8"))
        return right, Finding(**findings) if findings else None
    except (OSError, ValueError):
        pass
    stack = "\n".join(_lines(folder / "stack"))
    if "Timeout" in stack or status == -signal.SIGKILL:
        name = re.escape(str(path.resolve()).encode("ascii", "backslashreplace").decode())
        place = re.search(rf'File "{name}", line (\d+) in (\S+)', stack)
        what = f"still running after {seconds:g} s, and stopped" + (f" in {place[2]}" if place else "")
        return right, Finding(what, mistake="a loop that never ends?", line=int(place[1]) if place else 0)
    if status < 0:
        name = signal.Signals(-status).name
        why = "recursion without end?" if name == "SIGSEGV" else "out of memory?"
        return right, Finding(f"the process that ran it was ended by {name}", mistake=why)
    said = printed.strip().splitlines()
    if "Error" in (said[-1:] or [""])[0] and not right:
        return right, Finding(f"the process that runs it couldn't start: {said[-1]}")
    why = "os._exit, or a library that exits? Take it out"
    return right, Finding(
        f"it ended the process that ran it (exit status {status}), before the checks were through", mistake=why
    )


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
