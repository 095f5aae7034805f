"""`photomend repair` on damaged photos of up to 92 megapixels, beside OpenCV's Telea fill on the same files.

    python -m photomend.benchmarks.restore                       # on a quiet machine
    python -m photomend.benchmarks.restore photo --busy --half   # and on a busy one, and with half a core
    python -m photomend.benchmarks.restore hole scratch --runs 5 --json restore.json
    python -m photomend.benchmarks.restore batch --photos 200    # many photos of 12 megapixels by one command

Every run is a command of its own, started, timed and measured from outside: the time has the interpreter's start,
reading and writing in it. Start-up is the repair of a tiny hole, which is compared with `import torch` alone. Each
figure is the median of the runs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import click
import torch
from photomend.app.options import check_target, write_text
from photomend.app.paths import FILE, FOLDER
from photomend.app.threads import DECIDED
from photomend.benchmarks.bench.machine import describe
from photomend.benchmarks.restoring.batch import FEW, MIB, SECONDS, Batch
from photomend.benchmarks.restoring.cases import CASES, Case
from photomend.benchmarks.restoring.processes import Cost, busy, run
from PIL import Image
from tqdm import tqdm

#: Telea's fill as a program: the photo, the mask and the result are its arguments.
TELEA = """
import sys, cv2
photo, mask = cv2.imread(sys.argv[1]), cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE)
cv2.imwrite(sys.argv[3], cv2.inpaint(photo, mask, 3, cv2.INPAINT_TELEA), [cv2.IMWRITE_JPEG_QUALITY, 95])
"""
#: Targets: busy by quiet, half a core by one thread on it, seconds that start-up may take beyond `import torch`.
BUSY, HALF, START = 3.0, 1.2, 0.5


class Bench:
    """Runs commands and prints a row of each as it is measured."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.folder, self.runs, self.rows = folder, runs, list[dict[str, object]]()

    def measure(
        self, name: str, what: str, command: Sequence[str], where: str = "quiet", target: tuple[float, int] = (0, 0)
    ) -> Cost:
        """The median of the runs, in a row of this name; `target`: seconds and MiB, 0 for none."""
        with busy() if where == "busy" else nullcontext():
            costs = [run(command, half_a_core=where == "half a core") for _ in range(self.runs)]
        cost = Cost(*(median(values) for values in zip(*costs, strict=True)))
        aims = [f"{value:g} {unit}" for value, unit in zip(target, ("s", "MiB"), strict=True) if value]
        tqdm.write(
            f"{name:13} {where:11} {what:12} {cost.seconds:7.2f} s {cost.cpu:7.2f} s of CPU {cost.mib:6.0f} MiB"
            + (f"   (target {', '.join(aims)})" if aims else ""),
            file=sys.stdout,
        )
        self.rows.append({"name": name, "where": where, "what": what, **cost._asdict(), "target": target})
        return cost

    def repair(self, photo: Path, mask: Path, *options: str) -> list[str]:
        target = self.folder / "repaired.jpg"
        command = [sys.executable, "-m", "photomend", "repair", str(photo), "--mask", str(mask), "-o", str(target)]
        return [*command, "--overwrite", *options]

    def start_up(self) -> float:
        """Seconds of a repair that has next to nothing to do."""
        photo, mask = self.folder / "start.png", self.folder / "start-mask.png"
        Image.new("RGB", (64, 64), "grey").save(photo)
        hole = Image.new("L", (64, 64))
        hole.paste(255, (28, 28, 36, 36))
        hole.save(mask)
        alone = self.measure("start-up", "import torch", [sys.executable, "-c", "import torch"]).seconds
        command = self.repair(photo, mask)
        return self.measure("start-up", "photomend", command, target=(round(alone + START, 2), 0)).seconds

    def case(self, case: Case, started: float, on_busy: bool, on_half: bool) -> None:
        photo, mask = case.files(self.folder)
        command = self.repair(photo, mask, *case.options)
        beyond = started if case.name == "photo" else 0
        target = round(case.seconds + beyond, 2), case.mib
        quiet = self.measure(case.name, "photomend", command, target=target)
        if "--model" not in case.options:
            self.measure(case.name, "faithful", [*command, "--look", "faithful"], target=target)
        telea = [sys.executable, "-c", TELEA, str(photo), str(mask), str(self.folder / "telea.jpg")]
        self.measure(case.name, "Telea", telea)
        self.measure(case.name, "one thread", [*command, "--threads", "1"])
        if on_busy:
            self.measure(case.name, "photomend", command, "busy", (round(BUSY * quiet.seconds, 2), 0))
            self.measure(case.name, "Telea", telea, "busy")
        if on_half:
            one = self.measure(case.name, "one thread", [*command, "--threads", "1"], "half a core")
            self.measure(case.name, "photomend", command, "half a core", (round(HALF * one.seconds, 2), 0))

    def batch(self, count: int, started: float) -> None:
        """Many photos by one command: seconds in all, and a photo; memory of a few and of all."""
        few_files, batch = Batch.files(self.folder, FEW), Batch.files(self.folder, count)
        few = self.measure("batch", f"{FEW} photos", few_files.repair())
        target = (round(SECONDS * count + started, 2), round(few.mib) + MIB)
        cost = self.measure("batch", f"{count} photos", batch.repair(), target=target)
        each = (cost.seconds - few.seconds) / (count - FEW)
        tqdm.write(f"{'batch':13} {each:.2f} s a photo without starting up (target {SECONDS:g})", file=sys.stdout)
        self.measure("batch", "Telea", batch.telea())


@click.command(help=__doc__.split("\n\n")[0])
@click.argument("cases", metavar="[CASE]...", nargs=-1, type=click.Choice([*(case.name for case in CASES), "batch"]))
@click.option("--busy", "on_busy", is_flag=True, help="Also while two other programs compute.")
@click.option("--half", "on_half", is_flag=True, help="Also with half a core, by stopping the process in each period.")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--photos", type=click.IntRange(min=FEW + 1), default=20, show_default=True, help="How many the case batch has."
)
@click.option("--files", type=FOLDER, help="Keep the photos here, and take those that are there.")
@click.option("--json", "json_file", type=FILE, help="Write all figures here; a .json file.")
def main(
    cases: tuple[str, ...],
    on_busy: bool,
    on_half: bool,
    runs: int,
    photos: int,
    files: Path | None,
    json_file: Path | None,
) -> None:
    if json_file is not None:
        check_target(json_file, ".json")
    with tempfile.TemporaryDirectory() as temporary:
        folder = files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, runs)
        print(f"{describe(torch.device('cpu'))}; {', '.join(waiting()) or 'OpenMP as photomend sets it'}")
        started = bench.start_up()
        for case in CASES:
            if case.name in cases or not cases:
                bench.case(case, started, on_busy, on_half)
        if "batch" in cases or not cases:
            bench.batch(photos, started)
    if json_file is not None:
        write_text(json_file, json.dumps(bench.rows, indent=1) + "\n")


def waiting(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What the environment says of how threads wait, and how many there are."""
    return [f"{name}={environment[name]}" for name in (*DECIDED, "OMP_NUM_THREADS") if name in environment]


if __name__ == "__main__":
    main()
