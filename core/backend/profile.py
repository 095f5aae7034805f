"""This machine, measured: what `photomend tune` does, and where it keeps the result.

The profile is a file in the user's cache. It holds for the processor, the number of threads and the version of torch
that it was measured with, and is ignored anywhere else.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ..errors import PhotomendError
from ..files import replacing
from ..reading import parse_json, read_text
from .gemm import onednn_product
from .machine import Machine, processor_facts

#: How often each thing is timed; the median counts.
REPEATS = 15


def path() -> Path:
    """Where the profile is kept: the user's cache folder, as XDG_CACHE_HOME names it or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "photomend", "machine.json")


def measure() -> Machine:
    """Time products, copies and calls on as many threads as torch has now: takes about a second."""
    onednn = onednn_product()
    a, b = torch.randn(4608, 432), torch.randn(432, 64)
    small_a, small_b = torch.randn(36, 400, 64), torch.randn(36, 64, 64)
    large = {"torch": _rate(lambda: torch.mm(a, b), a.numel() * b.shape[1])}
    batch = {"torch": _rate(lambda: torch.bmm(small_a, small_b), small_a.numel() * 64)}
    if onednn is not None:
        large["oneDNN"] = _rate(lambda: onednn(a, b, None), a.numel() * b.shape[1])
        batch["oneDNN"] = _rate(
            lambda: [onednn(x, y, None) for x, y in zip(small_a, small_b, strict=True)], small_a.numel() * 64
        )
    source, target = torch.randn(2**20), torch.empty(2**20)
    little = torch.randn(2**16)
    return Machine(
        large=max(large.values()),
        batch=max(batch.values()),
        memory=_rate(lambda: target.copy_(source), source.numel()),
        call=1 / _rate(lambda: torch.add(little, little), 1),
        onednn=max(large, key=large.__getitem__) == "oneDNN",
        onednn_batches=max(batch, key=batch.__getitem__) == "oneDNN",
    )


def save(machine: Machine) -> Path:
    """Keep the profile of this machine; gives the file.

    Raises:
        PhotomendError: it cannot be written.
    """
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as draft:
            draft.write_text(json.dumps({**_here(), "machine": dataclasses.asdict(machine)}, indent=2) + "\n")
    except OSError as error:
        raise PhotomendError(f"{file}: can't be written ({error.strerror})") from error
    return file


def load() -> Machine | None:
    """The profile that was measured here, if there is one; None if it was measured elsewhere or cannot be read."""
    try:
        found: dict[str, Any] = parse_json(read_text(path()))
        measured = Machine(**found.pop("machine"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    rates = (measured.large, measured.batch, measured.memory, measured.call)
    sound = all(isinstance(rate, float) and 0 < rate < float("inf") for rate in rates)
    return measured if found == _here() and sound else None


def _here() -> dict[str, Any]:
    """What a profile holds for."""
    processor = processor_facts().get("model name") or platform.processor() or platform.machine()
    return {"processor": processor, "threads": torch.get_num_threads(), "torch": torch.__version__}


def _rate(work: Callable[[], Any], count: float) -> float:
    """How many of `count` things are done in a nanosecond."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - start)
    return count / median(taken)
