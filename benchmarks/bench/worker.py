"""The worker process: it builds one side's workload and does what it is told, one request at a time.

    python -m photomend.benchmarks.bench.worker FILE_DESCRIPTOR

A request is (method of `Bench`, arguments), its answer (True, value) or (False, what went wrong). The worker ends when
nobody is left to ask it.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from photomend.core import PhotomendError
from photomend.core.backend.machine import Machine, use
from photomend.core.backend.runtime import keep_freed_memory, set_threads

from .workload import Workload

#: Runs before anything is timed: so many at least, then until so many seconds have passed or so many runs were done.
LEAST_RUNS, SECONDS, MOST_RUNS = 3, 1.0, 30


class Bench:
    """A workload, and what can be asked about it."""

    workload: Workload

    def prepare(self, threads: int, device: torch.device, machine: Machine) -> None:
        """Settings that all sides share, and the machine's description, which only ours looks at."""
        set_threads(threads)
        use(machine)
        keep_freed_memory()
        torch.backends.cudnn.allow_tf32 = False  # float32 is float32 on both sides
        torch.backends.cudnn.benchmark = True
        self.device = device

    def build(self, make: Callable[[torch.device], Workload]) -> None:
        """Make weights and inputs. What the process took before is remembered."""
        self.base = memory("VmRSS")
        self.workload = make(self.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        with contextlib.suppress(OSError):  # a kernel that can't: then the peak is that of the whole process
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is taken now

    def first(self, path: Path) -> None:
        """Run for the first time, and save the results. As a file: a copy in memory would count as the side's own."""
        torch.save(self.workload.results(self.workload.run()), path)

    def warm_up(self) -> None:
        """Run until lasting things are allocated, compiled and chosen."""
        start = time.perf_counter()
        for number in range(MOST_RUNS):
            if number >= LEAST_RUNS and time.perf_counter() - start > SECONDS:
                break
            self.run()

    def run(self) -> float:
        """Run once; the seconds that it took, without the release of what it returned."""
        gc.collect(0)
        start = time.perf_counter()
        outcome = self.workload.run()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds = time.perf_counter() - start
        del outcome
        return seconds

    def peak(self) -> tuple[float, float]:
        """MiB that were taken at most since the workload was built, and those that were before it."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20, 0.0
        return memory("VmHWM") / 2**20, self.base / 2**20


def memory(name: str) -> int:
    """The bytes that the kernel has under this name for this process; 0 where it doesn't say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def serve(requests: Connection) -> None:
    """Answer until the other end is closed."""
    bench = Bench()
    while True:
        try:
            method, arguments = requests.recv()
        except EOFError:
            return
        try:
            answer = True, getattr(bench, method)(*arguments)
        except Exception as error:
            answer = False, str(error) if isinstance(error, PhotomendError) else f"{type(error).__name__}: {error}"
        requests.send(answer)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
