"""Muon against torch.optim's, its factor against the singular value decomposition, and AdamW for the rest."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Parameter
from photomend.train.optimizers import AdamW
from photomend.train.optimizers.muon import Muon, is_matrix, orthogonal

from .quadratics import drawn, gradient

SHAPES = [(34, 60), (60, 4, 3, 3), (32, 8), (5,), ()]
MATRICES = 2


def parameters() -> list[Parameter]:
    return drawn(SHAPES)


def train(optimizer: Muon, steps: range) -> None:
    for step in steps:
        for parameter in optimizer.parameters:
            parameter.grad = gradient(parameter.data, step)
        optimizer.step()


def test_matrices_match_torch_and_all_others_adamw() -> None:
    mine = parameters()
    twins = [torch.nn.Parameter(p.data.flatten(1) if i < MATRICES else p.data.clone()) for i, p in enumerate(mine)]
    twins = [torch.nn.Parameter(twin.detach().clone()) for twin in twins]
    muon = torch.optim.Muon(twins[:MATRICES], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(twins[MATRICES:], lr=0.01, weight_decay=0.1)
    train(Muon(mine, lr=0.02, weight_decay=0.1), range(20))
    for step in range(20):
        for twin, parameter in zip(twins, mine, strict=True):
            twin.grad = gradient(twin.detach().reshape(parameter.shape), step).reshape(twin.shape)
        muon.step()
        adamw.step()
    for parameter, twin in zip(mine, twins, strict=True):
        torch.testing.assert_close(parameter.data, twin.detach().reshape(parameter.shape), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("shape", [(30, 80), (80, 30), (32, 32)])
def test_the_factor_has_singular_values_around_1(shape: tuple[int, int], dtype: torch.dtype) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(matrix.to(dtype)).float()
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    cosine = (found * (u @ v)).sum() / (found.norm() * (u @ v).norm())
    assert cosine > 0.95


def test_a_gradient_of_zero_moves_nothing() -> None:
    parameter = Parameter(torch.ones(32, 32))
    parameter.grad = torch.zeros(32, 32)
    Muon([parameter], lr=0.1, weight_decay=0).step()
    assert torch.equal(parameter.data, torch.ones(32, 32))


def test_only_matrices_with_enough_rows_and_columns_are_orthogonalised() -> None:
    assert [is_matrix(p.data) for p in parameters()] == [True, True, False, False, False]
    assert not is_matrix(torch.empty(0, 40))


def test_state_continues_identically() -> None:
    whole, half = parameters(), parameters()
    train(Muon(whole, lr=0.02), range(8))
    first = Muon(half, lr=0.02)
    train(first, range(5))
    second = Muon(half, lr=0.02)
    second.load_state_dict(first.state_dict())
    train(second, range(5, 8))
    for a, b in zip(whole, half, strict=True):
        assert torch.equal(a.data, b.data)


def test_it_is_adamw_for_the_rest() -> None:
    assert isinstance(Muon(parameters()), AdamW)
