"""What a side of a comparison computes, and what the two sides are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

Array = torch.Tensor


class Workload(Protocol):
    """One computation, built once with its weights and inputs and then run again and again."""

    def run(self) -> Any:
        """Compute once; only this is timed."""

    def results(self, outcome: Any) -> dict[str, Array]:
        """What the other side must agree with, of what the first `run` returned."""


@dataclass(frozen=True)
class Side:
    """A workload that a worker process builds: `build` is a function of a module, or a partial of one, so that it can
    be sent there."""

    name: str
    build: Callable[[torch.device], Workload]


@dataclass(frozen=True)
class Peer:
    """Who ours is compared with: the fastest of the `variants`; where `missing` says what it lacks here, nobody.

    One that is `cpu_only` is no peer on another device.
    """

    name: str
    variants: tuple[Side, ...]
    missing: str = ""
    cpu_only: bool = False

    def missing_on(self, device: torch.device) -> str:
        """Why it can't be compared with on this device, or nothing."""
        only = f"{self.name} is compared with on the CPU only" if self.cpu_only and device.type != "cpu" else ""
        return self.missing or only
