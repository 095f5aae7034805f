"""Where and how computations run: device, seeds, determinism, threads, memory."""

from __future__ import annotations

import ctypes
import os
import random

import numpy as np
import torch

from ..errors import PhotomendError
from .cores import cores
from .ranks import ranks

#: mallopt's parameter numbers, from glibc's <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def choose_device(name: str = "auto") -> torch.device:
    """The device called ``auto`` (CUDA where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Of several ranks on a machine each takes its own GPU, unless the name has a number.

    Raises:
        PhotomendError: an unknown name, or a CUDA device that is not there.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available() and (place := ranks()).size > 1:
        name = f"cuda:{place.local_rank}"
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise PhotomendError(f"device {name!r}: choose auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise PhotomendError(f"device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices")
    return torch.device(name)


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators (every device)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def deterministic(enabled: bool = True) -> None:
    """Ask torch for algorithms that give the same bits in every run on one machine (slower on CUDA)."""
    if enabled:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS demands it, before its first call
    # Not by `use_deterministic_algorithms`, which does the same and imports torch's compiler (70 MiB) to tell it, too.
    torch.set_deterministic_debug_mode("error" if enabled else "default")
    # Every element of what is allocated here is also written here, so it need not be filled first.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def set_threads(count: int | None) -> None:
    """Let torch use `count` CPU threads; None as many as it has already, but no more than this process has `cores` for.

    What the environment asks for (OMP_NUM_THREADS or MKL_NUM_THREADS) is left as it is.

    Raises:
        PhotomendError: count is below 1.
    """
    if count is None:
        if "OMP_NUM_THREADS" not in os.environ and "MKL_NUM_THREADS" not in os.environ:
            torch.set_num_threads(min(torch.get_num_threads(), cores()))
        return
    if count < 1:
        raise PhotomendError(f"threads (={count}) must be at least 1")
    torch.set_num_threads(count)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next allocation instead of handing it back to the system.

    A training step allocates and frees the same large arrays again and again; handed back, each costs page faults
    on its next use. Returns whether it took effect: on systems without glibc nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no such function, or no handle on the running program
        return False
    largest = 2**31 - 1  # mallopt takes a C int
    return bool(mallopt(_M_MMAP_THRESHOLD, largest)) and bool(mallopt(_M_TRIM_THRESHOLD, largest))
