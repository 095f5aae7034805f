"""The parent's end of a worker process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from multiprocessing.connection import Pipe
from types import TracebackType
from typing import Any, Self

from photomend.core import PhotomendError

#: Huge pages for what glibc allocates, where the system gives them on request. Our engine asks for its own; this way
#: no side is slowed down by small ones.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
#: Seconds until a worker that doesn't answer is given up; a compilation can take minutes.
PATIENCE = 1200.0


class Worker:
    """A process that runs one side, for a `with` block; it is killed at the block's end, however that comes.

    It leads a session of its own: Ctrl-C in the terminal reaches only the parent, which then ends the worker and
    whatever it started (torch.compile starts compilers).

    Args:
        name: what errors call it.
        patience: seconds to wait for an answer.
    """

    def __init__(self, name: str, patience: float = PATIENCE) -> None:
        self.name, self.patience = name, patience
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the worker lives)
        self.connection, theirs = Pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "photomend.benchmarks.bench.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.errors,
            stderr=self.errors,
            env=HUGE_PAGES | os.environ,
            start_new_session=True,
        )
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Let the worker call a method of its `Bench`, and wait for what it returns.

        Raises:
            PhotomendError: the method failed, the worker died, or it took longer than `patience`.
        """
        try:
            self.connection.send((method, arguments))
            if not self.connection.poll(self.patience):
                self.kill()
                raise PhotomendError(f"{self.name}: its process hangs, {method} took over {self.patience:g} s; ended")
            well, answer = self.connection.recv()
        except (EOFError, ConnectionError) as error:
            raise PhotomendError(f"{self.name}: {self._why_dead()}") from error
        if not well:
            raise PhotomendError(f"{self.name}: {answer}")
        return answer

    def kill(self) -> None:
        """End the process and those it started."""
        if not self.errors.closed:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.connection.close()
            self.errors.close()

    def _why_dead(self) -> str:
        status = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        said = f" ({lines[-1].strip()})" if lines else ""
        if status == -signal.SIGKILL:
            return f"its process was killed, perhaps for want of memory{said}"
        by = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        return f"its process ended {by}{said}"
