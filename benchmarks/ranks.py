"""What a second rank brings: two ranks with one thread each beside one rank with one thread, and beside two runs apart.

    python -m photomend.benchmarks.ranks                       # attention, its batch of 16
    python -m photomend.benchmarks.ranks --model cnn --steps 40 --rounds 5 --json ranks.json

All are whole commands, `photomend train` and the same under torchrun, that train on the sample photos or those of a
folder, in turn, in several rounds. A step's time is the median of the steps after the first five; the loss curves of
ranks and of one rank must be the same. The runs apart each have a rank's share of the batch, run at the same time and
tell each other nothing: what they bring is roughly what the machine's cores and memory allow.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

from photomend.train.log import LOG, by_kind, read_log

#: Steps at the beginning that aren't measured.
WARM_UP = 5
#: What ranks must bring, two at least, and how far apart their losses may be from one's, as a share.
BAR, SAME = 1.6, 1e-3
#: The records of a run's steps.
Steps = list[dict[str, Any]]


def begun(ranks: int, batch_size: int, out: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """A training run on so many ranks, which has been started; what it says goes to a file beside its folder."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launch, "-m", "photomend", "train", options.model, "--out", str(out), "--device", "cpu"]
    command += ["--steps", str(options.steps), "--batch-size", str(batch_size), "--seed", "0"]
    command += ["--threads", "1", "--workers", "0", *(["--photos", str(options.photos)] if options.photos else [])]
    with said(out).open("wb") as file:
        return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=file, stderr=file)


def said(out: Path) -> Path:
    return out.with_suffix(".txt")


def trained(runs: int, ranks: int, batch_size: int, options: argparse.Namespace) -> list[Steps]:
    """The records of the steps of each of so many runs, on so many ranks each, at the same time."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        outs = [Path(folder, str(number)) for number in range(runs)]
        going = [stack.enter_context(begun(ranks, batch_size, out, options)) for out in outs]
        for run in going:
            stack.callback(run.terminate)  # where another has failed
        while any(run.poll() is None for run in going) and not any(run.poll() for run in going):
            sleep(0.1)
        for run, out in zip(going, outs, strict=True):
            if run.poll():
                raise SystemExit(f"a run on {ranks} ranks failed:\n{said(out).read_text(errors='replace')}")
        return [[dict(record) for record in by_kind(read_log(out / LOG))[0]] for out in outs]


def speed(runs: list[Steps]) -> float:
    """Photos a second, of all runs together."""
    return sum(statistics.median(record["photos_s"] for record in steps[WARM_UP:]) for steps in runs)


def compared(one: Steps, apart: list[Steps], together: Steps) -> dict[str, float]:
    """The speeds of one round, and how far apart the losses of one rank and of several are, as a share."""
    differences = [abs(b["loss"] - a["loss"]) / a["loss"] for a, b in zip(one, together, strict=True)]
    return {
        "one_photos_s": speed([one]),
        "apart_photos_s": speed(apart),
        "ranks_photos_s": speed([together]),
        "loss_apart": max(differences),
    }


def measured(options: argparse.Namespace) -> dict[str, float]:
    """One round."""
    [one] = trained(1, 1, options.batch_size, options)
    apart = trained(options.ranks, 1, options.batch_size // options.ranks, options)
    [together] = trained(1, options.ranks, options.batch_size, options)
    return compared(one, apart, together)


def spread(values: list[float]) -> str:
    """The median, the least and the largest."""
    return f"{statistics.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="attention")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.steps <= WARM_UP:
        parser.error(f"--steps (={options.steps}) must be above {WARM_UP}")
    for name, least in (("ranks", 2), ("rounds", 1), ("batch_size", 1)):
        if (number := getattr(options, name)) < least:
            parser.error(f"--{name.replace('_', '-')} (={number}) must be at least {least}")
    if options.batch_size % options.ranks:
        parser.error(f"--batch-size (={options.batch_size}) must be divisible by --ranks (={options.ranks})")
    rounds = [measured(options) for _ in range(options.rounds)]
    one, apart, together = ([each[f"{kind}_photos_s"] for each in rounds] for kind in ("one", "apart", "ranks"))
    ratios, bounds = ([b / a for a, b in zip(one, more, strict=True)] for more in (together, apart))
    shares = [b / a for a, b in zip(apart, together, strict=True)]
    differ = max(each["loss_apart"] for each in rounds)
    print(f"{options.model}, batches of {options.batch_size}, {options.rounds} rounds, photos a second")
    print(f"one rank, one thread      {spread(one)}")
    print(f"{options.ranks} ranks, one thread each  {spread(together)}, {spread(ratios)} × one rank")
    print(f"{options.ranks} runs apart             {spread(apart)}, {spread(bounds)} × one rank")
    print(f"ranks beside runs apart   {spread(shares)} ×")
    print(f"losses are apart by at most {differ:.1e}")
    if options.json:
        about = {"model": options.model, "batch_size": options.batch_size, "ranks": options.ranks}
        options.json.write_text(json.dumps([about | each for each in rounds], indent=2) + "\n")
    return int(statistics.median(ratios) < BAR or differ > SAME)


if __name__ == "__main__":
    sys.exit(main())
