"""The pretended device itself: what it refuses, what it notes and where, and that it computes what the CPU does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from photomend.core import Array, Tensor, multiply, sum

from .device import MADE, READ_BACK, UPLOAD, CudaArray, Event, MixedDevicesError, numbers, pretended_cuda

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a real CUDA device is there")

CUDA = "cuda:0"
ONE = torch.ones(())


@pytest.fixture(autouse=True)
def events() -> Iterator[list[Event]]:
    with pretended_cuda() as noted:
        yield noted


def far(*shape: int) -> Array:
    return torch.arange(1.0, 1 + torch.Size(shape).numel(), device=CUDA).reshape(shape)


def near(*shape: int) -> Array:
    return torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)


Act = Callable[[], Any]

MIXES: dict[str, Act] = {
    "sum": lambda: far(3) + near(3),
    "in place": lambda: far(3).add_(near(3)),
    "in place on the CPU": lambda: near(3).add_(far(3)),
    "a single number of the device": lambda: near(3) * far(1)[0],
    "a single number of the CPU, changed": lambda: torch.ones(()).add_(far(1)[0]),
    "matrix product": lambda: far(2, 2) @ near(2, 2),
    "cat": lambda: torch.cat((far(3), near(3))),
    "stack": lambda: torch.stack((far(1)[0], torch.ones(()))),
    "where": lambda: torch.where(near(3) > 1, far(3), far(3)),
    "out": lambda: torch.add(far(3), far(3), out=torch.empty(3)),
    "an index of the device": lambda: near(3)[torch.tensor([0], device=CUDA)],
    "an indexed value": lambda: far(3).index_put_((torch.tensor([0], device=CUDA),), near(1)),
    "index_select": lambda: far(3).index_select(0, torch.tensor([0])),
    "lerp": lambda: far(3).lerp_(near(3), 0.5),
    "einsum": lambda: torch.einsum("i,i->", far(3), near(3)),
    "the CPU's random numbers": lambda: torch.rand(3, device=CUDA, generator=torch.Generator()),
    "the CPU's random numbers in place": lambda: far(3).normal_(generator=torch.Generator()),
}


@pytest.mark.parametrize("mix", MIXES)
def test_arrays_on_two_devices_do_not_mix(mix: str) -> None:
    with pytest.raises(MixedDevicesError):
        MIXES[mix]()


ALLOWED: dict[str, Act] = {
    "a single number of the CPU": lambda: far(3) + ONE,
    "a number": lambda: 2 * far(3) + 1,
    "where with a number": lambda: torch.where(far(3) > 1, far(3), 0.0),
    "a meta array's shape": lambda: torch.empty_like(torch.empty(3, device="meta"), device=CUDA),
    "an index": lambda: far(3)[torch.arange(2, device=CUDA)],
    "slices": lambda: far(4, 4)[1:, ::2],
    "new arrays of an array": lambda: far(3).new_zeros(2) + far(3).new_ones(()) + far(3).new_full((2,), 3.0),
    "likenesses": lambda: torch.zeros_like(far(3)) + torch.rand_like(far(3)),
    "another dtype": lambda: far(3).double().to(torch.float32),
    "the same device": lambda: far(3).to(CUDA),
    "random numbers": lambda: torch.rand(3, device=CUDA),
    "in a mask": lambda: far(3).masked_fill(far(3) > 1, 0.0),
}


@pytest.mark.parametrize("act", ALLOWED)
def test_what_stays_on_the_device_is_not_noted(act: str, events: list[Event]) -> None:
    assert isinstance(ALLOWED[act](), CudaArray)
    assert events == []


READS: dict[str, Act] = {
    "item": lambda: far(1).item(),
    "bool": lambda: bool(far(1) > 0),
    "if": lambda: 1 if far(1) > 0 else 0,
    "float": lambda: float(far(1)),
    "int": lambda: int(far(1)),
    "tolist": lambda: far(3).tolist(),
    "cpu": lambda: far(3).cpu(),
    "to": lambda: far(3).to("cpu"),
    "to another's device": lambda: far(3).to(near(1)),
    "copied into an array on the CPU": lambda: near(3).copy_(far(3)),
    "nonzero": lambda: far(3).nonzero(),
    "where": lambda: torch.where(far(3) > 1),
    "a mask as index": lambda: far(3)[far(3) > 1],
    "a value under a mask": lambda: far(3).__setitem__(far(3) > 1, far(2)),
    "masked_select": lambda: far(3).masked_select(far(3) > 1),
    "unique": lambda: far(3).unique(),
    "equal": lambda: torch.equal(far(3), far(3)),
    "allclose": lambda: torch.allclose(far(3), far(3)),
    "repeat_interleave": lambda: far(2).repeat_interleave(torch.ones(2, dtype=torch.int64, device=CUDA)),
    "range": lambda: range(torch.ones((), dtype=torch.int64, device=CUDA)),  # type: ignore[call-overload]
    "slice": lambda: far(3)[: torch.ones((), dtype=torch.int64, device=CUDA)],  # type: ignore[misc]
    "a single index": lambda: far(3)[torch.ones((), dtype=torch.int64, device=CUDA)],
    "a setting": lambda: far(3).add_(far(3), alpha=far(1)[0]),  # type: ignore[arg-type]
    "formatted": lambda: f"{far(1)[0]:.2f}",
    "iterated in Python": lambda: [float(x) for x in far(1)],
}


@pytest.mark.parametrize("read", READS)
def test_what_the_host_reads_is_noted(read: str, events: list[Event]) -> None:
    READS[read]()
    assert [event.kind for event in events].count(READ_BACK) == 1, events


def test_as_many_as_are_read(events: list[Event]) -> None:
    for x in far(5):
        x.item()
    assert len(events) == 5


UPLOADS: dict[str, Act] = {
    "to": lambda: near(3).to(CUDA),
    "tensor": lambda: torch.tensor([1.0, 2.0], device=CUDA),
    "new_tensor": lambda: far(3).new_tensor([1.0]),
    "as_tensor": lambda: torch.as_tensor([1.0], device=CUDA),
    "copied": lambda: far(3).copy_(near(3)),
    "assigned": lambda: far(3).__setitem__(slice(None), near(3)),
    "a list as index": lambda: far(3)[[0, 2]],
    "an index on the CPU": lambda: far(3)[torch.tensor([0, 2])],
}


@pytest.mark.parametrize("upload", UPLOADS)
def test_what_is_copied_to_the_device_is_noted(upload: str, events: list[Event]) -> None:
    UPLOADS[upload]()
    assert UPLOAD in [event.kind for event in events]
    assert READ_BACK not in [event.kind for event in events]


@pytest.mark.parametrize(
    "make",
    [
        *(lambda: torch.zeros(3), lambda: torch.ones(3), lambda: torch.full((3,), 2.0), lambda: torch.arange(3)),
        *(lambda: torch.rand(3), lambda: torch.randn(3), lambda: torch.randperm(3), lambda: torch.empty(3)),
        *(lambda: torch.linspace(0, 1, 3), lambda: torch.eye(3), lambda: torch.zeros(3, device="cpu")),
    ],
)
def test_what_is_made_on_the_cpu_is_noted(make: Act, events: list[Event]) -> None:
    assert not isinstance(make(), CudaArray)
    assert MADE in [event.kind for event in events]


def test_an_event_tells_the_line(events: list[Event]) -> None:
    far(3).sum().item()
    (event,) = events
    assert str(event).startswith("read-back: _local_scalar_dense.default at tests/pretended_cuda/test_device.py:")
    assert str(event).endswith(" in test_an_event_tells_the_line")


def test_an_event_in_the_package_tells_the_packages_line(events: list[Event]) -> None:
    Tensor(far(1)).item()
    assert [(event.file, event.function) for event in events] == [("core/methods.py", "Methods.item")]


def test_arrays_say_where_they_are() -> None:
    x = far(2, 3)
    assert x.device == torch.device(CUDA)
    assert x.is_cuda
    assert (x.shape, x.stride(), x.dtype, x.is_contiguous()) == ((2, 3), (3, 1), torch.float32, True)
    with pytest.raises(TypeError, match="numpy"):
        x.numpy()


def test_views_share_their_numbers_and_versions() -> None:
    x = far(2, 3)
    view, version = x[:, 1], x._version
    view.zero_()
    assert numbers(x).tolist() == [[1, 0, 3], [4, 0, 6]]
    assert x._version > version
    assert x.add_(1) is x


def test_an_array_changed_since_is_noticed_by_the_tape() -> None:
    x = Tensor(far(3))
    y = sum(multiply(x, x))
    x.data.mul_(2)
    with pytest.raises(RuntimeError, match="was changed in place"):
        y.backward()


def test_gradients_are_the_cpus() -> None:
    found = []
    for make in (far, near):
        x, y = Tensor(make(3, 4)), Tensor(make(4, 2))
        sum(multiply(x @ y, x @ y)).backward()
        found.append([numbers(t.grad) for t in (x, y)])
    for ours, expected in zip(*found, strict=True):
        assert torch.equal(ours, expected)


def test_a_copy_is_another_array() -> None:
    x = near(3)
    there = x.to(CUDA)
    x.zero_()
    assert numbers(there).tolist() == [1, 2, 3]
    back = there.cpu()
    there.zero_()
    assert back.tolist() == [1, 2, 3]
