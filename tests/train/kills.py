"""Kill small runs at random moments, resume them until they end, and compare what they leave with an undisturbed run.

    python -m photomend.tests.train.kills --kills 200
    python -m photomend.tests.train.kills --kills 200 --ranks 2

Each run is a process of its own that SIGKILL ends after a random time. All that a run leaves must be the undisturbed
one's: the weights' bytes, and every record of the log but for its times.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from photomend.core import PhotomendError
from photomend.data.sources import FolderSource
from photomend.models.weights import BEST, LAST, save_checkpoint
from photomend.tests.models.holes import crops
from photomend.train.config import AdversarialConfig, TrainConfig
from photomend.train.distributed import LostRankError
from photomend.train.log import LOG, read_log
from photomend.train.trainer import Trainer
from PIL import Image
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from .runs import TINY, config, run

#: What of a record depends on the clock.
TIMES = {"seconds", "photos_s"}
#: Seconds after a kill in which the other ranks must have seen it, and the exit status with which they end then.
PATIENCE, LOST = 20.0, 3


def photos_in(folder: Path) -> FolderSource:
    pictures, _ = crops(6, 80, seed=3)
    for i, picture in enumerate(pictures):
        pixels = (255 * picture).round().permute(1, 2, 0).numpy().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return FolderSource(sorted(folder.glob("*.png")), folder)


def settings_in(folder: Path) -> dict[str, TrainConfig | AdversarialConfig]:
    """A short run of each kind; gan's goes on from weights that are written to the folder."""
    begun = folder / "begun.safetensors"
    save_checkpoint(begun, Trainer(config()).weights(averaged=False, metrics={}))
    short = {"steps": 4, "batch_size": 2, "workers": 0, "validation_interval": 2, "model_config": TINY}
    return {
        "attention": config(steps=4, validation_interval=2),
        "cnn": config(model="cnn", model_config={"width": 8}, steps=4, validation_interval=2),
        "gan": AdversarialConfig(initial_weights=str(begun), **short),  # type: ignore[arg-type]
    }


def left_by(out: Path) -> str:
    """A digest of all that a run has left but its times and its states."""
    digest = hashlib.sha256()
    for name in (BEST, LAST):
        digest.update((out / name).read_bytes())
    for record in read_log(out / LOG):
        digest.update(repr({key: value for key, value in record.items() if key not in TIMES}).encode())
    digest.update(repr(sorted(path.name for path in out.iterdir())).encode())
    return digest.hexdigest()


def in_processes(action: Callable[[], object], ranks: int = 1, kill: tuple[int, float] | None = None) -> bool:
    """Do it in forked processes, of which one, `kill[0]`, is killed after so many seconds; whether it came to its end.

    Where one has been killed, those that don't end by themselves soon are killed, too, as by a launcher.
    """
    # Where the ranks meet; it is this process's, as it is a launcher's, so that it outlives them.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    children = [_start(action, {**place, "RANK": str(rank), "WORLD_SIZE": str(ranks)}) for rank in range(ranks)]
    if kill is not None:
        time.sleep(kill[1])
        os.kill(children[kill[0]], signal.SIGKILL)
    until, statuses = time.monotonic() + PATIENCE, dict[int, int]()
    while len(statuses) < ranks:
        for child in children:
            if child not in statuses and (ended := os.waitpid(child, os.WNOHANG))[0]:
                statuses[child] = ended[1]
            elif child not in statuses and kill is not None and time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    codes = [os.waitstatus_to_exitcode(statuses[child]) for child in children]
    if 1 in codes or (kill is None and any(codes)):
        raise RuntimeError(f"a run has failed: {codes}")
    return codes[0] == 0


def _start(action: Callable[[], object], place: dict[str, str]) -> int:
    """The number of a forked process that does it; its status is LOST where another rank was killed."""
    child = os.fork()
    if not child:
        status = 1
        try:
            os.environ.update(place)
            warnings.simplefilter("ignore")
            action()
            status = 0
        except LostRankError:
            status = LOST
        except PhotomendError as error:
            status = 0 if "finished" in str(error) else 1
            print(error, flush=True)
        finally:
            os._exit(status)
    return child


def kill_often(kills: int, seed: int = 0, ranks: int = 1) -> dict[str, int]:
    """How often each kind of run was killed, resumed to its end, and left something else than the undisturbed one."""
    rng = random.Random(seed)
    torch.set_num_threads(1)
    counts = {"kills": 0, "runs": 0, "different": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos, settings = photos_in(folder), settings_in(folder)
        expected, lasts = {}, {}
        for kind, given in settings.items():
            began = time.monotonic()
            in_processes(lambda given=given, kind=kind: run(given, photos, folder / kind), ranks)  # type: ignore[misc]
            expected[kind], lasts[kind] = left_by(folder / kind), time.monotonic() - began
        while counts["kills"] < kills:
            kind = rng.choice(list(settings))
            out = folder / f"killed-{counts['runs']}"
            ended = False
            while not ended:
                resume = out.is_dir() and any(path.name.startswith("state") for path in out.iterdir())
                enough = resume and (counts["kills"] >= kills or rng.random() < 0.5)
                kill = None if enough else (rng.randrange(ranks), rng.uniform(0, lasts[kind]))
                ended = in_processes(lambda: run(settings[kind], photos, out, resume=resume), ranks, kill)  # noqa: B023
                counts["kills"] += not ended
            counts["runs"] += 1
            counts["different"] += left_by(out) != expected[kind]
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill small runs at random moments and compare what they leave.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=1, help="Processes of a run, of which one is killed at a time.")
    options = parser.parse_args()
    print(kill_often(options.kills, options.seed, options.ranks))
