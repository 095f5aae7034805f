"""A training step on the pretended device: the CPU's numbers, and the host waits for it three times at most."""

from __future__ import annotations

import pytest
import torch

from .device import CUDA, CudaArray, numbers, pretended_cuda
from .expected import read_backs, unexpected
from .training import MOST, SETTINGS, step, trainer

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a real CUDA device is there")


@pytest.mark.parametrize(
    ("name", "irregular"),
    [*((name, False) for name in SETTINGS), ("attention", True), ("attention, recomputed", True), ("gan", True)],
)
def test_a_step_is_the_cpus_and_reads_back_three_times_at_most(name: str, irregular: bool) -> None:
    here = trainer(name, "cpu")
    expected = step(here, irregular)
    with pretended_cuda() as events:
        there = trainer(name, CUDA)
        found = step(there, irregular, events)
    assert len(read_backs(events)) <= MOST, "\n".join(map(str, read_backs(events)))
    assert unexpected(events) == []
    loose = 2e-2 if here.config.precision == "bfloat16" else 1e-4
    assert found == pytest.approx(expected, rel=loose)
    weights = here.network.state_dict()
    for key, array in there.network.state_dict().items():
        assert isinstance(array, CudaArray), key
        assert (numbers(array) - weights[key]).abs().max() <= loose * (1 + weights[key].abs().max()), key
