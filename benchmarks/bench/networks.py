"""A network of ours and its torch.nn twin, with the same weights.

Source of the twins: `tests/reference/model_twins.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from photomend import models
from photomend.core.backend.runtime import seed_everything
from photomend.models.attention import features
from photomend.tests.reference.model_twins import AttentionModel, AttentionReportModel
from torch import nn

from .workload import Array

Settings = Mapping[str, Any]


def build_ours(name: str, settings: Settings) -> models.RepairNetwork:
    """Our network, no weight at its start of 0: the last layer's zeros would hide every other gradient."""
    seed_everything(0)
    network: models.RepairNetwork = models.build(name, **settings)
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape)
    return network


class Twin(nn.Module):
    """The torch.nn twin of the network called `name`, with its weights.

    What no weight has a part in (the harmonic fill of `attention`, which ends when it is precise enough) comes from the
    function that our model uses, so that the two differ by their engines only. `prepare` does that, and `forward` the
    rest, which can be compiled whole.
    """

    def __init__(self, name: str, settings: Settings, layout: torch.memory_format, device: torch.device) -> None:
        super().__init__()
        ours = build_ours(name, settings)
        self.attention = isinstance(ours, models.AttentionModel)
        if isinstance(ours, models.AttentionModel):
            self.network: nn.Module = AttentionModel(ours.width, ours.dilations)
        else:
            assert isinstance(ours, models.AttentionReportModel)
            self.network = AttentionReportModel(ours.width)
        self.network.load_state_dict(ours.state_dict())
        self.layout = layout
        self.to(device, memory_format=layout)  # type: ignore[call-overload]

    def prepare(self, masked: Array, mask: Array) -> tuple[Array, ...]:
        """What `forward` computes on."""
        if not self.attention:
            return masked.contiguous(memory_format=self.layout), mask
        fill, contrast, seen = features(masked, mask)
        return seen.contiguous(memory_format=self.layout), mask, fill, contrast

    def forward(self, seen: Array, mask: Array, *rest: Array) -> Array:
        if not rest:
            return self.network(seen, mask)
        fill, contrast = rest
        return fill + self.network.residual(seen) * (contrast * mask)  # type: ignore[operator]
