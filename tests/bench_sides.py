"""Sides for the tests of `photomend bench`, in a module of their own: a worker process imports them by name."""

from __future__ import annotations

import os
import signal
import time

import torch
from photomend.benchmarks.bench.workload import Workload


class Sum:
    """Adds up some numbers, `factor` times."""

    def __init__(self, factor: float, device: torch.device) -> None:
        self.factor, self.numbers = factor, torch.arange(1.0, 7.0, device=device)

    def run(self) -> torch.Tensor:
        return self.factor * self.numbers.sum()

    def results(self, outcome: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": outcome}


class SlowSum(Sum):
    """So slow that whoever else competes wins."""

    def run(self) -> torch.Tensor:
        time.sleep(0.05)
        return super().run()


def hang(device: torch.device) -> Workload:
    time.sleep(600)
    raise AssertionError


def leave(device: torch.device) -> Workload:
    os.write(2, b"first line\nlast line\n")
    os._exit(3)


def be_killed(device: torch.device) -> Workload:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fail(device: torch.device) -> Workload:
    raise ValueError("no such weights")
