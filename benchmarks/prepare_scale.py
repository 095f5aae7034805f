"""How `photomend prepare` scales, and what it loses when it is killed.

    python benchmarks/prepare_scale.py --photos 20000 --kills 12

Makes that many small photos in a temporary folder, prepares them in processes that are killed (SIGKILL) at random
moments until one finishes, prepares them once more without a kill, and prints the peak memory of all processes, the
photos that were read twice, and whether both results are identical to the bit. It fails if they aren't, if a photo was
read again although the journal had recorded it, or if a process took more than 600 MiB.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from photomend.data.photos import find_photos
from photomend.data.preparation.prepare import prepare
from photomend.data.preparation.unfinished import read_journal
from photomend.data.sources import FolderSource
from PIL import Image

MOST_MEMORY_MB = 600


class LoggedSource(FolderSource):
    """A folder that writes down which photos are read of it: the last line is there even if the process is killed."""

    def __init__(self, root: Path, log: Path) -> None:
        super().__init__(find_photos(root), root)
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def read(self, index: int, least: int | None = None) -> np.ndarray:
        os.write(self.log, f"{self.name(index)}\n".encode())
        return super().read(index, least)


def make_photos(root: Path, count: int) -> None:
    """Photos of 96 x 80 pixels with some texture, in ten folders."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = root / f"class{number % 10}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
        coarse.resize((96, 80), Image.Resampling.BICUBIC).save(path, quality=85)


class Work:
    """Processes that prepare `photos` as `out`, and what has been seen of them."""

    def __init__(self, photos: Path, out: Path, side: int) -> None:
        self.out = out
        self.log = out.with_suffix(".log")
        self.command = [sys.executable, __file__, "--work", str(photos), str(out), str(self.log), "--side", str(side)]
        self.peak_mb = 0.0

    def run(self, kill_after: float | None = None) -> bool:
        """Start a process and kill it so many seconds after its first photo; whether it came through."""
        size = self.log.stat().st_size if self.log.exists() else 0
        process = subprocess.Popen(self.command)
        if kill_after is not None:
            while not ended(process.pid) and (not self.log.exists() or self.log.stat().st_size == size):
                time.sleep(0.01)
            time.sleep(kill_after)
            os.kill(process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)
        if process.returncode not in (0, -9):
            raise SystemExit(f"preparing failed with {process.returncode}")
        return process.returncode == 0

    def names(self) -> list[str]:
        return self.log.read_text().split("\n")[:-1] if self.log.exists() else []


def ended(pid: int) -> bool:
    """Whether the process has ended. Unlike `Popen.poll` it leaves the process to wait4, which says what it took."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def same_files(one: Path, other: Path) -> bool:
    files = [[path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()] for root in (one, other)]
    return files[0] == files[1] and not any(filecmp.cmpfiles(one, other, files[0], shallow=False)[1:])


def measure(count: int, kills: int, side: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_photos(root / "photos", count)
        order = [path.relative_to(root / "photos").as_posix() for path in find_photos(root / "photos")]
        work, moments = Work(root / "photos", root / "killed", side), random.Random(0)
        killed = again = 0
        while not work.out.exists():
            journal, before = read_journal(work.out), len(work.names())
            finished = set(order[: journal.photos]) if journal else set()
            if not work.run(moments.uniform(0, seconds) if killed < kills else None):
                killed += 1
                print(f"kill {killed}: {len(finished)} photos were finished before", flush=True)
            again += sum(name in finished for name in work.names()[before:])
        whole = Work(root / "photos", root / "whole", side)
        start = time.perf_counter()
        whole.run()
        elapsed = time.perf_counter() - start
        size = sum(path.stat().st_size for path in whole.out.rglob("*.arrow")) / 2**20
        reads = Counter(work.names())
        print(f"photos                     {count} at {side} pixels, {size:.0f} MiB of Arrow files")
        print(f"peak memory, MiB           {work.peak_mb:.0f} with kills, {whole.peak_mb:.0f} without")
        print(f"kills                      {killed}")
        print(f"photos read more than once {sum(number > 1 for number in reads.values())}")
        print(f"finished photos read again {again}")
        print(f"the same to the bit        {same_files(work.out, whole.out)}")
        print(f"without kills              {elapsed:.0f} s, {count / elapsed:.0f} photos a second")
        too_much = max(work.peak_mb, whole.peak_mb) > MOST_MEMORY_MB
        if again or too_much or len(reads) != count or not same_files(work.out, whole.out):
            raise SystemExit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--seconds", type=float, default=10.0, help="longest time to a kill, from the first photo read")
    parser.add_argument("--work", nargs=3, type=Path, metavar=("PHOTOS", "OUT", "LOG"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        photos, out, log = arguments.work
        prepare(LoggedSource(photos, log), out, side=arguments.side)
    else:
        measure(arguments.photos, arguments.kills, arguments.side, arguments.seconds)


if __name__ == "__main__":
    main()
