"""The summary: names, shapes and counts of a real forward pass, which leaves no trace."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array, Module, Parameter, Tensor, concatenate
from photomend.core.summary import summary
from photomend.layers import BatchNorm1d, Dropout, Linear


class Tied(Module):
    """A list of modules, one of them called twice, a parameter shared by two, and a layer that is never called."""

    def __init__(self) -> None:
        first, self.tied = Linear(4, 4), Linear(4, 4, bias=False)
        self.blocks = [first, BatchNorm1d(4), Dropout(0.5)]
        self.tied.weight = first.weight
        self.unused = Linear(2, 2).freeze()
        self.scale = Parameter(torch.ones(4))

    def forward(self, x: Array | Tensor) -> tuple[Tensor, Tensor]:
        for block in self.blocks:
            x = block(x)
        y = self.tied(self.tied(x[:2] * self.scale))
        return y, concatenate(y, y, dim=1)


def test_a_module_with_everything() -> None:
    table = summary(Tied(), torch.ones(3, 4))
    rows = [line.split("  ") for line in table.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells[0] == ["name", "layer", "output", "parameters"]
    assert cells[2:8] == [
        ["Tied", "(2, 4), (2, 8)", "4"],
        ["tied", "Linear", "(2, 4) ×2", "16"],
        ["blocks.0", "Linear", "(3, 4)", "4"],
        ["blocks.1", "BatchNorm1d", "(3, 4)", "8"],
        ["blocks.2", "Dropout", "(3, 4)", "0"],
        ["unused", "Linear", "not called", "6"],
    ]
    assert cells[-1] == ["38 parameters, 32 of them trained"]


def test_it_leaves_no_trace() -> None:
    module = Tied()
    module.blocks[1].eval()
    state = {name: array.clone() for name, array in module.state_dict().items()}
    attributes, random = vars(module).copy(), torch.get_rng_state()
    summary(module, torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(state[name], array) for name, array in module.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert (module.training, module.blocks[0].training, module.blocks[1].training) == (True, True, False)
    assert all("forward" not in vars(layer) for _, layer in module.named_modules())
    assert vars(module).keys() == attributes.keys() | {"training"}


def test_a_pass_that_fails_leaves_no_trace_either() -> None:
    module = Tied()
    with pytest.raises(ValueError, match="linear"):
        summary(module, torch.ones(3, 5))
    assert all("forward" not in vars(layer) for _, layer in module.named_modules())
    assert module.training
