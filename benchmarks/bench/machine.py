"""What it ran on, in words: a figure without it says little."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from pathlib import Path

import torch


def compiler() -> str | None:
    """The C++ compiler that torch.compile would call, if there is one."""
    return shutil.which(os.environ.get("CXX", "g++"))


@functools.cache
def describe(device: torch.device) -> str:
    """Processor, cores, torch's version and compiler."""
    parts = [f"{_processor()}, {len(os.sched_getaffinity(0))} cores", f"torch {torch.__version__}"]
    if device.type == "cuda":
        parts.insert(0, torch.cuda.get_device_name(device))
    return ", ".join([*parts, _compiler_version()])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _compiler_version() -> str:
    path = compiler()
    if path is None:
        return "no C++ compiler"
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return said[0] if said else path
