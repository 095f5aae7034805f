"""`photomend bench repair`: repairing photos with `reconstruct`: cut a window around each hole, fill it, paste it back.

The peer is the same `reconstruct` around the torch.nn twin, so the two differ only in the time of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from .measure import OURS, Comparison, as_arrays
from .networks import Twin, build_ours
from .photos import photos_with_holes
from .step import twin_peers
from .workload import Array, Side


@dataclass(frozen=True)
class Repair:
    """The repair of `batch` photos of `side` pixels by the attention model."""

    name: str
    batch: int
    side: int = 224
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def what(self) -> str:
        photos = "a photo" if self.batch == 1 else f"{self.batch} photos"
        return f"attention, {photos} of {self.side}×{self.side}"


class Ours:
    """A repair of a batch of photos by the engine."""

    def __init__(self, repair: Repair, device: torch.device) -> None:
        self.network = build_ours("attention", repair.settings).to(device)
        photo, self.mask = photos_with_holes(repair.batch, repair.side, device)
        self.masked = photo * (1 - self.mask)

    def run(self) -> Array:
        return self.network.reconstruct(self.masked, self.mask)

    def results(self, outcome: Array) -> dict[str, Array]:
        return as_arrays(hole=outcome * self.mask)  # the rest is only copied


class TwinRepair(Ours):
    """The same repair with the torch.nn twin as its network."""

    def __init__(self, repair: Repair, layout: torch.memory_format, compiled: bool, device: torch.device) -> None:
        super().__init__(repair, device)
        twin = Twin("attention", repair.settings, layout, device).eval()
        network = torch.compile(twin) if compiled else twin
        self.network.forward = lambda masked, mask: network(*twin.prepare(masked, mask))  # type: ignore[method-assign]
        for parameter in self.network.parameters():  # the twin has its own; these would count as its memory
            parameter.data = parameter.data.new_empty(0)

    @torch.inference_mode()
    def run(self) -> Array:
        return super().run()


def comparison(repair: Repair) -> Comparison:
    peers = twin_peers(lambda layout, compiled: partial(TwinRepair, repair, layout, compiled))
    return Comparison("repair", repair.name, repair.what, Side(OURS, partial(Ours, repair)), peers)


CASES = (comparison(Repair("photo", 1)), comparison(Repair("batch", 16)))
