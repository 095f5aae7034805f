"""Memory that is used again: by name in a thread, and when its last reader is gone."""

from __future__ import annotations

import multiprocessing
import threading

import pytest
import torch
from photomend.core import Array
from photomend.core.backend import workspace
from photomend.core.backend.workspace import MIB, output, scratch

FLOATS = torch.empty(0)
LARGE = (MIB,)  # numbers: 4 MiB


@pytest.fixture(autouse=True)
def _nothing_waits() -> None:
    workspace._waiting.clear()


def test_scratch_of_one_name_is_the_same_memory() -> None:
    first = scratch("a", (4, 5), FLOATS)
    assert scratch("a", (20,), FLOATS).data_ptr() == first.data_ptr()
    assert scratch("b", (20,), FLOATS).data_ptr() != first.data_ptr()
    assert scratch("a", (20,), FLOATS.double()).data_ptr() != first.data_ptr()


def test_scratch_grows_with_what_is_asked_for() -> None:
    assert scratch("growing", (3, 7), FLOATS).shape == (3, 7)
    large = scratch("growing", (MIB,), FLOATS).fill_(1)
    assert large.shape == (MIB,)
    assert large.sum() == MIB


def test_scratch_of_nothing_is_empty() -> None:
    assert scratch("never anything", (0, 3), FLOATS).shape == (0, 3)


def test_each_thread_has_scratch_of_its_own() -> None:
    theirs: list[Array] = []
    thread = threading.Thread(target=lambda: theirs.append(scratch("shared name", (4,), FLOATS)))
    thread.start()
    thread.join()
    assert theirs[0].data_ptr() != scratch("shared name", (4,), FLOATS).data_ptr()


def test_scratch_beyond_the_bound_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "LARGEST", 100)
    kept = scratch("bounded", (5,), FLOATS)
    assert scratch("bounded", (500,), FLOATS).data_ptr() != kept.data_ptr()
    assert scratch("bounded", (5,), FLOATS).data_ptr() == kept.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_an_output_has_the_shape_and_dtype_asked_for(dtype: torch.dtype) -> None:
    made = output((3, 5, MIB // 4), torch.empty(0, dtype=dtype))
    assert made.shape == (3, 5, MIB // 4)
    assert made.dtype == dtype
    assert made.is_contiguous()


def test_the_memory_of_an_output_comes_back_when_its_last_view_is_gone() -> None:
    first = output(LARGE, FLOATS)
    place = first.data_ptr()
    view = first.view(2, -1)[1, 3:]
    del first
    assert output(LARGE, FLOATS).data_ptr() != place
    del view
    assert output(LARGE, FLOATS).data_ptr() == place


def test_two_outputs_in_use_never_share() -> None:
    first, second = output(LARGE, FLOATS).fill_(1), output(LARGE, FLOATS).fill_(2)
    assert [first.sum().item(), second.sum().item()] == [MIB, 2 * MIB]


def test_sizes_that_are_nearly_equal_share() -> None:
    place = output((8 * MIB,), FLOATS).data_ptr()
    assert output((8 * MIB - 100,), FLOATS).data_ptr() == place


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "KEPT", 5 * MIB)
    first, second = output(LARGE, FLOATS), output(LARGE, FLOATS)
    del first, second
    assert sum(size * len(those) for size, those in workspace._waiting.items()) == 4 * MIB


def test_the_size_that_nobody_asked_for_longest_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "KEPT", 14 * MIB)
    for numbers in (MIB, 2 * MIB, MIB, 5 * MIB // 2):  # of 4 bytes
        output((numbers,), FLOATS)
    assert {size: len(those) for size, those in workspace._waiting.items() if those} == {4 * MIB: 1, 10 * MIB: 1}


def _write(done: multiprocessing.SimpleQueue[bool], made: Array) -> None:
    made.numpy()[:] = 7  # not by torch, whose threads are gone in a forked process
    scratch("forked", (10,), FLOATS).numpy()[:] = 7
    done.put(True)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_writes_into_memory_of_its_own() -> None:
    made, mine = output(LARGE, FLOATS).fill_(1), scratch("forked", (10,), FLOATS).fill_(1)
    forking = multiprocessing.get_context("fork")
    done = forking.SimpleQueue()
    child = forking.Process(target=_write, args=(done, made), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert done.get()
    assert [made.sum().item(), mine.sum().item()] == [MIB, 10]


def test_scratch_made_in_inference_mode_serves_outside_of_it() -> None:
    with torch.inference_mode():
        scratch("inference", (10,), FLOATS).fill_(1)
    assert scratch("inference", (10,), FLOATS).fill_(2).sum() == 20


def test_an_output_takes_little_more_than_its_size() -> None:
    made = output((5 * MIB // 16,), FLOATS)
    assert made.untyped_storage().nbytes() == 5 * MIB // 4


def test_nearly_equal_outputs_share_their_memory() -> None:
    place = output((33 * MIB // 32,), FLOATS).data_ptr()
    assert output((34 * MIB // 32,), FLOATS).data_ptr() == place
