"""What a second rank brings: a run on two ranks with one thread each beside the same run on one rank with one thread.

    python -m photomend.benchmarks.ranks                       # attention, its batch of 16
    python -m photomend.benchmarks.ranks --model cnn --steps 40 --json ranks.json

Both are whole commands, `photomend train` and the same under torchrun, that train on the sample photos or those of a
folder. A step's time is the median of the steps after the first five; the loss curves must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from photomend.train.log import LOG, by_kind, read_log

#: Steps at the beginning that aren't measured.
WARM_UP = 5
#: What two ranks must bring, and how far apart their losses may be from one's, as a share.
BAR, SAME = 1.6, 1e-3


def trained(ranks: int, out: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The records of the steps of a run on so many ranks."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launch, "-m", "photomend", "train", options.model, "--out", str(out), "--device", "cpu"]
    command += ["--steps", str(options.steps), "--batch-size", str(options.batch_size), "--seed", "0"]
    command += ["--threads", "1", "--workers", "0", *(["--photos", str(options.photos)] if options.photos else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return [dict(record) for record in by_kind(read_log(out / LOG))[0]]


def compared(one: list[dict[str, Any]], more: list[dict[str, Any]], ranks: int) -> dict[str, Any]:
    """Both runs' speeds, their ratio, and the largest difference of their losses as a share."""
    speeds = [statistics.median(record["photos_s"] for record in steps[WARM_UP:]) for steps in (one, more)]
    apart = max(abs(b["loss"] - a["loss"]) / a["loss"] for a, b in zip(one, more, strict=True))
    row = {"ranks": ranks, "steps": len(one), "one_photos_s": speeds[0], "ranks_photos_s": speeds[1]}
    return row | {"ratio": speeds[1] / speeds[0], "loss_apart": apart}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="attention")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.steps <= WARM_UP:
        parser.error(f"--steps (={options.steps}) must be above {WARM_UP}")
    with tempfile.TemporaryDirectory() as folder:
        one, more = (trained(ranks, Path(folder, str(ranks)), options) for ranks in (1, options.ranks))
    row = {"model": options.model, "batch_size": options.batch_size} | compared(one, more, options.ranks)
    print(f"{options.model}, batches of {options.batch_size}, median of {options.steps - WARM_UP} steps")
    print(f"one rank, one thread      {row['one_photos_s']:7.2f} photos a second")
    print(f"{options.ranks} ranks, one thread each  {row['ranks_photos_s']:7.2f} photos a second, {row['ratio']:.2f} ×")
    print(f"losses are apart by at most {row['loss_apart']:.1e}")
    if options.json:
        options.json.write_text(json.dumps([row], indent=2) + "\n")
    return int(row["ratio"] < BAR or row["loss_apart"] > SAME)


if __name__ == "__main__":
    sys.exit(main())
