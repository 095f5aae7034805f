"""Schedules against torch.optim.lr_scheduler."""

from __future__ import annotations

import pytest
import torch
from photomend.train.schedules import StepLR, WarmupCosine
from torch.optim import lr_scheduler


def torch_rates(make: object, base_lr: float, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base_lr)
    scheduler = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(("size", "gamma"), [(1, 0.9), (4, 0.5), (30, 0.1)])
def test_step(size: int, gamma: float) -> None:
    schedule = StepLR(0.1, size, gamma)
    expected = torch_rates(lambda o: lr_scheduler.StepLR(o, size, gamma), 0.1, 40)
    assert [schedule(step) for step in range(40)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("warmup", "total", "final"), [(0, 20, 0.0), (5, 25, 1e-3), (1, 2, 0.01), (10, 40, 0.0)])
def test_warmup_cosine(warmup: int, total: int, final: float) -> None:
    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=total - warmup, eta_min=final)
        if not warmup:
            return cosine
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        return lr_scheduler.SequentialLR(optimizer, [rise, cosine], milestones=[warmup])

    schedule = WarmupCosine(0.2, warmup, total, final)
    expected = torch_rates(make, 0.2, total + 1)
    assert [schedule(step) for step in range(total + 1)] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_after_the_end_the_rate_stays() -> None:
    schedule = WarmupCosine(0.2, 3, 10, 0.01)
    assert schedule(10) == schedule(11) == schedule(10**6) == pytest.approx(0.01)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"step_size \(=0\)"):
        StepLR(0.1, 0)
    with pytest.raises(ValueError, match=r"warmup_steps \(=5\)"):
        WarmupCosine(0.1, 5, 5)
