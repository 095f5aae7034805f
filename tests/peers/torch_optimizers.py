"""torch.optim's own cases: every optimizer of `optim_db` that the engine has, 20 steps on the same parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from photomend.core import Parameter
from photomend.tests.peers.outcome import Outcome, OutOfScopeError, require_equal
from photomend.train import optimizers
from torch.testing._internal.common_optimizers import optim_db

STEPS = 20
#: What chooses among torch's implementations of one formula, and doesn't change it.
IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")


def run(every: int = 1) -> Outcome:
    """All cases, or every n-th."""
    outcome = Outcome("torch.optim")
    for info in optim_db:
        name: str = info.optim_cls.__name__  # type: ignore[attr-defined]
        ours = getattr(optimizers, name, None)
        if ours is None or ours is optimizers.Muon:  # Muon's step for small parameters is not torch's
            continue
        cases = list(info.optim_inputs_func(device="cpu", dtype=torch.float64))
        for case in cases[::every]:
            outcome.judge(f"{name} {case.desc}", trajectory(ours, info.optim_cls, case.kwargs))
    return outcome


def trajectory(ours: Any, theirs: Any, options: dict[str, Any]) -> Callable[[], None]:
    """A case: both take the same steps downhill on Σ (θ − 1)⁴ + sin, from the same parameters."""

    def case() -> None:
        known = {name: value for name, value in options.items() if name not in IMPLEMENTATION}
        if any(isinstance(value, torch.Tensor) for value in known.values()):
            raise OutOfScopeError("a rate or beta that is an array")
        if unknown := known.keys() - inspect.signature(ours.__init__).parameters.keys():
            raise OutOfScopeError(f"no {sorted(unknown)[0]}")
        generator = torch.Generator().manual_seed(0)
        start = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((3, 4), (5,), ())]
        mine = [Parameter(array.clone()) for array in start]
        others = [array.clone().requires_grad_() for array in start]
        optimizer, peer = ours(mine, **known), theirs(others, **known)
        for _ in range(STEPS):
            for parameter, other in zip(mine, others, strict=True):
                other.grad = 4 * (other.detach() - 1) ** 3 + other.detach().cos()
                parameter.grad = 4 * (parameter.data - 1) ** 3 + parameter.data.cos()
            optimizer.step()
            peer.step()
        for parameter, other in zip(mine, others, strict=True):
            require_equal("parameter", parameter.data, other)

    return case
