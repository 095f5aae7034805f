"""Several ranks on this machine, each a forked process, as a launcher starts them; what each returns comes back."""

from __future__ import annotations

import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
from photomend.core import PhotomendError
from torch.distributed import TCPStore  # type: ignore[attr-defined]

#: Seconds after which ranks that have not ended hang.
HANGS = 120.0


def on_ranks(size: int, folder: Path, action: Callable[[int], Any], **environment: str) -> list[Any]:
    """What `action(rank)` returns on each of so many ranks, or the PhotomendError that it raises.

    Raises RuntimeError: a rank has failed in another way, or hangs.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    place = {
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        **environment,
    }
    children = [_start(rank, folder / f"{rank}.pt", action, place) for rank in range(size)]
    deadline, failed = time.monotonic() + HANGS, []
    waiting = dict(enumerate(children))
    while waiting and time.monotonic() < deadline:
        for rank, child in list(waiting.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del waiting[rank]
                failed += [rank] * (status != 0)
        time.sleep(0.01)
    for child in waiting.values():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if waiting or failed:
        raise RuntimeError(f"ranks {sorted(waiting)} hang, ranks {failed} have failed")
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


def _start(rank: int, path: Path, action: Callable[[int], Any], place: dict[str, str]) -> int:
    """Fork a rank that saves what the action returns; the number of its process."""
    child = os.fork()
    if not child:
        _run(rank, path, action, place)
    return child


def _run(rank: int, path: Path, action: Callable[[int], Any], place: dict[str, str]) -> NoReturn:
    status = 1
    try:
        os.environ.update(place, RANK=str(rank), LOCAL_RANK=str(rank))
        torch.set_num_threads(1)  # the threads of the process before the fork are not here
        warnings.simplefilter("ignore")
        try:
            result: Any = action(rank)
        except PhotomendError as error:
            result = error
        torch.save(result, path)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
