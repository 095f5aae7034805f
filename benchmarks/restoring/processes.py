"""Commands in processes of their own: how long they take and how much memory, on a quiet machine, a busy one, or with
half a core.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

from photomend.core import PhotomendError

#: Programs that compute beside the measured one on a busy machine.
NEIGHBOURS = 2
#: Seconds: in each of these periods a control group of half a core may compute half as long, on all cores together.
PERIOD, SHARE = 0.1, 0.5
#: Seconds between two looks at how long it has.
LOOK = 0.002


class Cost(NamedTuple):
    """What a command took: seconds on the clock and of computing, and MiB of memory at most."""

    seconds: float
    cpu: float
    mib: float


def run(command: Sequence[str], environment: Mapping[str, str] = os.environ, half_a_core: bool = False) -> Cost:
    """Run a command to its end. Raises PhotomendError, with its last line, if it fails."""
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        output = process.stdout
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.append(output.read()))
        reader.start()
        with _limited(process.pid) if half_a_core else nullcontext():
            _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        reader.join()
    if process.returncode:
        last = b"".join(said).decode(errors="replace").strip().splitlines()[-1:]
        raise PhotomendError(f"{' '.join(command)}: {' '.join(last) or f'status {process.returncode}'}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@contextmanager
def busy() -> Iterator[None]:
    """Inside this context NEIGHBOURS other programs compute."""
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(NEIGHBOURS)]
    try:
        yield
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()


@contextmanager
def _limited(pid: int) -> Iterator[None]:
    """Inside this context a process is stopped for the rest of each period in which it has computed its share.

    That is what Linux does with a control group's quota (`cpu.max`), and needs no rights.
    """
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(pid, ended))
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(pid: int, ended: threading.Event) -> None:
    process = os.pidfd_open(pid)  # unlike the number, this is never another process's
    try:
        while not ended.is_set():
            until, before = time.monotonic() + PERIOD, _computed(pid)
            while (left := until - time.monotonic()) > 0 and not ended.is_set():
                if _computed(pid) - before >= SHARE * PERIOD:
                    signal.pidfd_send_signal(process, signal.SIGSTOP)
                    ended.wait(left)
                    signal.pidfd_send_signal(process, signal.SIGCONT)
                else:
                    ended.wait(min(LOOK, left))
    except ProcessLookupError:  # it has ended
        return
    finally:
        os.close(process)


def _computed(pid: int) -> float:
    """Seconds that the threads of a process have computed."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, IndexError):  # a thread that has ended meanwhile
            total += int(path.read_text().split()[0])
    return total / 1e9
