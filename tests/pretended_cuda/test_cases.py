"""Every case of the registry on the pretended device: the CPU's numbers, and nothing on the CPU on the way."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array
from photomend.layers.convolution.choose import only
from photomend.tests.verification.case import Case
from photomend.tests.verification.oracles import relative_error, results
from photomend.tests.verification.registry import CASES

from .device import CUDA, CudaArray, Event, numbers, pretended_cuda
from .expected import unexpected

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a real CUDA device is there")


def found(case: Case, device: torch.device | str, events: list[Event] | None = None) -> dict[str, Array]:
    """The value, every gradient and every buffer afterwards; `events` are of what leads to them alone."""
    torch.manual_seed(0)
    module, inputs = case.ours(device=device), case.inputs(device=device)
    if events is not None:
        events.clear()
    named = results(module, inputs)[0]
    return {name: array for name, array in named.items() if array is not None}


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_computes_what_the_cpu_does_and_asks_for_nothing(case: Case) -> None:
    with only("taps"):  # or rounding would differ, where another algorithm is the CPU's fastest
        expected = found(case, "cpu")
    with pretended_cuda() as events:
        there = found(case, CUDA, events)
    assert [name for name, array in there.items() if not isinstance(array, CudaArray)] == []
    assert there.keys() == expected.keys()
    for name, array in expected.items():
        assert relative_error(numbers(there[name]), array) < 1e-12, name
    assert unexpected(events) == []


def test_the_device_is_gone_afterwards() -> None:
    with pretended_cuda() as events:
        assert torch.cuda.is_available()
    torch.zeros(3)
    assert events == []
    assert not torch.cuda.is_available()
    with pytest.raises((AssertionError, RuntimeError)):
        torch.zeros(3, device=CUDA)
